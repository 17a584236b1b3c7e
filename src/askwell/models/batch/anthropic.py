"""Anthropic's Message Batches: requests are uploaded in one JSON body, results downloaded as JSON lines.

Source: https://docs.claude.com/en/api/creating-message-batches. A batch carries no tag, so one whose id was lost is
found by its size and the time of its creation. Each request's `custom_id` begins with the tag.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from askwell.core.types import Completion
from askwell.models.batch.endpoint import BatchEnd, BatchHttp, BatchStatus
from askwell.models.http.client import HttpClient, HttpResponse
from askwell.models.http.endpoint import Endpoint
from askwell.models.http.json_codec import dumps
from askwell.models.providers.anthropic import STATUS
from askwell.models.providers.quirks import Body
from askwell.models.providers.response import as_count, as_object, as_objects

# The provider's clock may be behind ours, and the upload of a large batch takes long.
_MAX_CLOCK_SKEW_S, _MAX_UPLOAD_S = 120.0, 1800.0
_COUNTS = ("succeeded", "errored", "canceled", "expired")


class AnthropicBatches:
    """The batch API below `endpoint`."""

    price_factor = 0.5
    max_requests = 100_000
    max_bytes = 250_000_000

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
        for batch in as_objects(page.get("data")):
            counts = as_object(batch.get("request_counts"))
            total = sum(as_count(counts.get(name)) for name in (*_COUNTS, "processing"))
            age = _unix_time(batch.get("created_at")) - since
            if total == size and -_MAX_CLOCK_SKEW_S <= age <= _MAX_UPLOAD_S:
                return str(batch["id"])
        return None

    async def get_status(self, batch: str) -> BatchStatus | Completion:
        data = await self._http.get(f"{self._path}/{batch}")
        if isinstance(data, Completion):
            return data
        counts = as_object(data.get("request_counts"))
        done = {name: as_count(counts.get(name)) for name in _COUNTS}
        end: BatchEnd = "completed" if data.get("processing_status") == "ended" else ""
        if end and done["canceled"]:
            end = "cancelled"
        elif end and done["expired"]:
            end = "expired"
        total = sum(done.values()) + as_count(counts.get("processing"))
        return BatchStatus(id=batch, end=end, done=sum(done.values()), total=total, results=(batch,))

    async def fetch_results(self, status: BatchStatus) -> Mapping[str, HttpResponse | Completion] | Completion:
        # Not `results_url` of the response: the key must go to no address but the configured one.
        lines = await self._http.get_lines(self._http.endpoint.url(f"{self._path}/{status.id}/results"))
        if isinstance(lines, Completion):
            return lines
        return {
            str(line.get("custom_id")).rpartition("-")[2]: _parse_result(as_object(line.get("result")))
            for line in lines
        }

    async def aclose(self) -> None:
        await self._http.client.aclose()


def _parse_result(result: Mapping[str, object]) -> HttpResponse | Completion:
    kind = result.get("type")
    if kind == "succeeded":
        return HttpResponse(status=200, headers={}, body=dumps(result.get("message")))
    if kind == "errored":
        error = as_object(as_object(result.get("error")).get("error"))
        status = STATUS.get(str(error.get("type")), 500)
        return HttpResponse(status=status, headers={}, body=dumps(result.get("error")))
    fault = "timeout" if kind == "expired" else "server"
    return Completion(
        outcome="failed", fault=fault, error=f"the batch ended before this request was processed ({kind})"
    )


def _unix_time(text: object) -> float:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return 0.0
