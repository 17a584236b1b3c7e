"""OpenAI's Batch API, which others (Groq, Together, …) copy: a JSONL file up, a batch of it, JSONL files down.

Source: https://platform.openai.com/docs/guides/batch. A batch is found again by its metadata.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from askwell.core.types import Completion
from askwell.models.batch.endpoint import BatchHttp, BatchState, End
from askwell.models.http.client import HttpAnswer, HttpClient
from askwell.models.http.endpoint import Endpoint
from askwell.models.http.json_codec import dumps
from askwell.models.providers.quirks import Body
from askwell.models.providers.response import count, mapping, mappings

_TAG = "askwell_batch"
_CHAT = "/v1/chat/completions"  # as the API knows it, whatever the base URL
_PAGES = 10
_ENDS: dict[str, End] = {"completed": "completed", "expired": "expired", "cancelled": "cancelled", "failed": "failed"}


class OpenAIBatches:
    """Batches below `endpoint`. `client` sends JSON, `upload_client` the form with this boundary (see `boundary`)."""

    price_share = 0.5
    most_requests = 50_000
    most_bytes = 190_000_000  # 200 MB, with room for the form around the file

    def __init__(self, endpoint: Endpoint, client: HttpClient, upload_client: HttpClient, *, boundary: str) -> None:
        self._http = BatchHttp(client, endpoint)
        self._upload = BatchHttp(upload_client, endpoint)
        self._boundary = boundary

    async def submit(self, bodies: Mapping[str, Body], tag: str) -> str | Completion:
        lines = [
            dumps({"custom_id": key, "method": "POST", "url": _CHAT, "body": body}) for key, body in bodies.items()
        ]
        file = await self._upload.post("/files", self._form(f"{tag}.jsonl", b"\n".join(lines) + b"\n"))
        if isinstance(file, Completion):
            return file
        order = {
            "input_file_id": file["id"], "endpoint": _CHAT, "completion_window": "24h", "metadata": {_TAG: tag},
        }  # fmt: skip
        batch = await self._http.post("/batches", dumps(order))
        return batch if isinstance(batch, Completion) else str(batch["id"])

    async def find(self, tag: str, *, size: int, since: float) -> str | Completion | None:
        after = ""
        for _ in range(_PAGES):  # newest first
            page = await self._http.get(f"/batches?limit=100{after}")
            if isinstance(page, Completion):
                return page
            found = mappings(page.get("data"))
            for batch in found:
                if mapping(batch.get("metadata")).get(_TAG) == tag:
                    return str(batch["id"])
            if not found or not page.get("has_more"):
                break
            after = f"&after={found[-1].get('id')}"
        return None

    async def state(self, batch: str) -> BatchState | Completion:
        found = await self._http.get(f"/batches/{batch}")
        if isinstance(found, Completion):
            return found
        counts = mapping(found.get("request_counts"))
        errors = mappings(mapping(found.get("errors")).get("data"))
        files = (found.get("output_file_id"), found.get("error_file_id"))
        return BatchState(
            id=batch,
            end=_ENDS.get(str(found.get("status")), ""),
            done=count(counts.get("completed")) + count(counts.get("failed")),
            total=count(counts.get("total")),
            results=tuple(str(file) for file in files if file),
            words="; ".join(f"{error.get('message')} ({error.get('code')})" for error in errors[:3]),
        )

    async def answers(self, state: BatchState) -> Mapping[str, HttpAnswer | Completion] | Completion:
        found: dict[str, HttpAnswer | Completion] = {}
        for file in state.results:
            lines = await self._http.get_lines(self._http.endpoint.url(f"/files/{file}/content"))
            if isinstance(lines, Completion):
                return lines
            found |= {str(line.get("custom_id")): _answer(line) for line in lines}
        return found

    async def aclose(self) -> None:
        await self._http.client.aclose()
        await self._upload.client.aclose()

    def _form(self, name: str, data: bytes) -> bytes:
        mark = self._boundary.encode()
        return b"".join([
            b"--", mark, b'\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n',
            b"--", mark, b'\r\nContent-Disposition: form-data; name="file"; filename="', name.encode(), b'"\r\n',
            b"Content-Type: application/jsonl\r\n\r\n", data, b"\r\n--", mark, b"--\r\n",
        ])  # fmt: skip


def boundary() -> str:
    """Return a boundary of a form that no text holds."""
    return f"askwell-{secrets.token_hex(16)}"


def _answer(line: Mapping[str, object]) -> HttpAnswer | Completion:
    response, error = mapping(line.get("response")), mapping(line.get("error"))
    if response:
        return HttpAnswer(status=count(response.get("status_code")), headers={}, body=dumps(response.get("body")))
    words = f"{error.get('message') or 'no reason given'} ({error.get('code')})"
    expired = error.get("code") == "batch_expired"
    return Completion(outcome="failed", fault="timeout" if expired else "server", error=words)
