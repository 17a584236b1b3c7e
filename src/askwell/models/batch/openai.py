"""OpenAI's Batch API, which others (Groq, Together, …) copy: a JSONL file is uploaded, JSONL files are downloaded.

Source: https://platform.openai.com/docs/guides/batch. A batch is found by the tag in its metadata.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from askwell.core.types import Completion
from askwell.models.batch.endpoint import BatchEnd, BatchHttp, BatchStatus
from askwell.models.http.client import HttpClient, HttpResponse
from askwell.models.http.endpoint import Endpoint
from askwell.models.http.json_codec import dumps
from askwell.models.providers.quirks import Body
from askwell.models.providers.response import as_count, as_object, as_objects

_TAG = "askwell_batch"
_CHAT_URL = "/v1/chat/completions"  # the API's own name of the endpoint, whatever the base URL
_MAX_PAGES = 10  # of 100 batches: a lost batch is among the newest
_ENDS: dict[str, BatchEnd] = {
    "completed": "completed",
    "expired": "expired",
    "cancelled": "cancelled",
    "failed": "failed",
}


class OpenAIBatches:
    """The batch API below `endpoint`. `client` sends JSON, `upload_client` the form (see `make_boundary`)."""

    price_factor = 0.5
    max_requests = 50_000
    max_bytes = 190_000_000  # 200 MB, with room for the form around the file

    def __init__(self, endpoint: Endpoint, client: HttpClient, upload_client: HttpClient, *, boundary: str) -> None:
        self._http = BatchHttp(client, endpoint)
        self._upload = BatchHttp(upload_client, endpoint)
        self._boundary = boundary

    async def submit(self, bodies: Mapping[str, Body], tag: str) -> str | Completion:
        lines = [
            dumps({"custom_id": key, "method": "POST", "url": _CHAT_URL, "body": body}) for key, body in bodies.items()
        ]
        file = await self._upload.post("/files", self._form(f"{tag}.jsonl", b"\n".join(lines) + b"\n"))
        if isinstance(file, Completion):
            return file
        order = {
            "input_file_id": file["id"], "endpoint": _CHAT_URL, "completion_window": "24h", "metadata": {_TAG: tag},
        }  # fmt: skip
        batch = await self._http.post("/batches", dumps(order))
        return batch if isinstance(batch, Completion) else str(batch["id"])

    async def find(self, tag: str, *, size: int, since: float) -> str | Completion | None:
        after = ""
        for _ in range(_MAX_PAGES):  # newest first
            page = await self._http.get(f"/batches?limit=100{after}")
            if isinstance(page, Completion):
                return page
            batches = as_objects(page.get("data"))
            for batch in batches:
                if as_object(batch.get("metadata")).get(_TAG) == tag:
                    return str(batch["id"])
            if not batches or not page.get("has_more"):
                break
            after = f"&after={batches[-1].get('id')}"
        return None

    async def get_status(self, batch: str) -> BatchStatus | Completion:
        data = await self._http.get(f"/batches/{batch}")
        if isinstance(data, Completion):
            return data
        counts = as_object(data.get("request_counts"))
        errors = as_objects(as_object(data.get("errors")).get("data"))
        files = (data.get("output_file_id"), data.get("error_file_id"))
        return BatchStatus(
            id=batch,
            end=_ENDS.get(str(data.get("status")), ""),
            done=as_count(counts.get("completed")) + as_count(counts.get("failed")),
            total=as_count(counts.get("total")),
            results=tuple(str(file) for file in files if file),
            reason="; ".join(f"{error.get('message')} ({error.get('code')})" for error in errors[:3]),
        )

    async def fetch_results(self, status: BatchStatus) -> Mapping[str, HttpResponse | Completion] | Completion:
        results: dict[str, HttpResponse | Completion] = {}
        for file in status.results:
            lines = await self._http.get_lines(self._http.endpoint.url(f"/files/{file}/content"))
            if isinstance(lines, Completion):
                return lines
            results |= {str(line.get("custom_id")): _parse_result(line) for line in lines}
        return results

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


def make_boundary() -> str:
    """Return a form boundary that occurs in no text."""
    return f"askwell-{secrets.token_hex(16)}"


def _parse_result(line: Mapping[str, object]) -> HttpResponse | Completion:
    response, error = as_object(line.get("response")), as_object(line.get("error"))
    if response:
        return HttpResponse(status=as_count(response.get("status_code")), headers={}, body=dumps(response.get("body")))
    reason = f"{error.get('message') or 'no reason given'} ({error.get('code')})"
    expired = error.get("code") == "batch_expired"
    return Completion(outcome="failed", fault="timeout" if expired else "server", error=reason)
