"""Anthropic's Message Batches: requests up in one body, JSONL down.

Source: https://docs.claude.com/en/api/creating-message-batches. A batch carries no mark of ours, so one whose id was
lost is found by its size and the time it was made, and known by its results: each request's name begins with the tag.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from askwell.core.types import Completion
from askwell.models.batch.endpoint import BatchHttp, BatchState, End
from askwell.models.http.client import HttpAnswer, HttpClient
from askwell.models.http.endpoint import Endpoint
from askwell.models.http.json_codec import dumps
from askwell.models.providers.anthropic import STATUS
from askwell.models.providers.quirks import Body
from askwell.models.providers.response import count, mapping, mappings

_CLOCKS_DIFFER_S, _SUBMITTED_WITHIN_S = 120.0, 1800.0
_COUNTS = ("succeeded", "errored", "canceled", "expired")


class AnthropicBatches:
    """Batches below `endpoint`."""

    price_share = 0.5
    most_requests = 100_000
    most_bytes = 250_000_000

    def __init__(self, endpoint: Endpoint, client: HttpClient) -> None:
        self._http = BatchHttp(client, endpoint)
        self._path = f"{'' if endpoint.base.endswith('/v1') else '/v1'}/messages/batches"

    async def submit(self, bodies: Mapping[str, Body], tag: str) -> str | Completion:
        requests = [{"custom_id": f"{tag}-{key}", "params": body} for key, body in bodies.items()]
        batch = await self._http.post(self._path, dumps({"requests": requests}))
        return batch if isinstance(batch, Completion) else str(batch["id"])

    async def find(self, tag: str, *, size: int, since: float) -> str | Completion | None:
        page = await self._http.get(f"{self._path}?limit=100")
        if isinstance(page, Completion):
            return page
        for batch in mappings(page.get("data")):
            counts = mapping(batch.get("request_counts"))
            total = sum(count(counts.get(name)) for name in (*_COUNTS, "processing"))
            age = _unix_time(batch.get("created_at")) - since
            if total == size and -_CLOCKS_DIFFER_S <= age <= _SUBMITTED_WITHIN_S:
                return str(batch["id"])
        return None

    async def state(self, batch: str) -> BatchState | Completion:
        found = await self._http.get(f"{self._path}/{batch}")
        if isinstance(found, Completion):
            return found
        counts = mapping(found.get("request_counts"))
        done = {name: count(counts.get(name)) for name in _COUNTS}
        end: End = "completed" if found.get("processing_status") == "ended" else ""
        if end and done["canceled"]:
            end = "cancelled"
        elif end and done["expired"]:
            end = "expired"
        total = sum(done.values()) + count(counts.get("processing"))
        return BatchState(id=batch, end=end, done=sum(done.values()), total=total, results=(batch,))

    async def answers(self, state: BatchState) -> Mapping[str, HttpAnswer | Completion] | Completion:
        # Not `results_url`: the key goes nowhere but to the address that was given.
        lines = await self._http.get_lines(self._http.endpoint.url(f"{self._path}/{state.id}/results"))
        if isinstance(lines, Completion):
            return lines
        return {str(line.get("custom_id")).rpartition("-")[2]: _answer(mapping(line.get("result"))) for line in lines}

    async def aclose(self) -> None:
        await self._http.client.aclose()


def _answer(result: Mapping[str, object]) -> HttpAnswer | Completion:
    kind = result.get("type")
    if kind == "succeeded":
        return HttpAnswer(status=200, headers={}, body=dumps(result.get("message")))
    if kind == "errored":
        error = mapping(mapping(result.get("error")).get("error"))
        status = STATUS.get(str(error.get("type")), 500)
        return HttpAnswer(status=status, headers={}, body=dumps(result.get("error")))
    fault = "timeout" if kind == "expired" else "server"
    return Completion(outcome="failed", fault=fault, error=f"the request's turn never came ({kind})")


def _unix_time(text: object) -> float:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return 0.0
