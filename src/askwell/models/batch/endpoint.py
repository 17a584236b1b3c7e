"""What a provider's batch endpoint is to `batch.Batched`: many requests handed in, answered within a day, cheaper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from askwell.core.types import Completion
from askwell.models.http.client import HttpAnswer, HttpClient
from askwell.models.http.endpoint import Endpoint
from askwell.models.providers.quirks import Body
from askwell.models.providers.response import failure, json_of, mapping

End = Literal["", "completed", "expired", "cancelled", "failed"]
"""How a batch ended; empty while it has not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchState:
    """Where a batch stands."""

    id: str
    end: End
    done: int
    """Requests that were answered or failed."""
    total: int
    results: tuple[str, ...] = ()
    """Where its results are, once it has ended."""
    words: str = ""
    """Why it was turned down as a whole, in the provider's words."""


class BatchApi(Protocol):
    """One provider's batches, at one address with one key.

    Contract: no method raises for what a server or network does; that is a failed `Completion`. A batch is found again
    by its `tag`, also when the answer to `submit` was lost.
    """

    price_share: float
    """Part of the usual price that a request in a batch costs."""
    most_requests: int
    most_bytes: int

    async def submit(self, bodies: Mapping[str, Body], tag: str) -> str | Completion:
        """Hand requests in, by key (32 hex digits); return the batch's id."""
        ...

    async def find(self, tag: str, *, size: int, since: float) -> str | Completion | None:
        """Return the id of the batch of this tag; None if there is none. `since`: Unix time before its submission."""
        ...

    async def state(self, batch: str) -> BatchState | Completion: ...

    async def answers(self, state: BatchState) -> Mapping[str, HttpAnswer | Completion] | Completion:
        """Return what became of each request of a batch that has ended, as far as it was asked."""
        ...

    async def aclose(self) -> None: ...


class BatchHttp:
    """JSON to and from the batch endpoints of one server; what went wrong is a failed completion."""

    def __init__(self, client: HttpClient, endpoint: Endpoint) -> None:
        self.client = client
        self.endpoint = endpoint

    async def get(self, path: str) -> Mapping[str, object] | Completion:
        return self.read(await self.client.get(self.endpoint.url(path)))

    async def post(self, path: str, data: bytes) -> Mapping[str, object] | Completion:
        return self.read(await self.client.post(self.endpoint.url(path), data))

    async def get_lines(self, url: str) -> list[Mapping[str, object]] | Completion:
        """Read a file of JSON lines; `url` as it is sent to."""
        answer = await self.client.get(url)
        if isinstance(answer, Completion) or answer.status != 200:
            return self.failed(answer)
        lines = (HttpAnswer(status=200, headers={}, body=line) for line in answer.body.splitlines() if line.strip())
        return [mapping(json_of(line)) for line in lines]

    def read(self, answer: HttpAnswer | Completion) -> Mapping[str, object] | Completion:
        if isinstance(answer, Completion) or answer.status != 200:
            return self.failed(answer)
        found = mapping(json_of(answer))
        if "id" in found or "data" in found:
            return found
        return Completion(
            outcome="failed", fault="malformed", error="the batch endpoint's answer has no id and no data"
        )

    def failed(self, answer: HttpAnswer | Completion) -> Completion:
        completion = answer if isinstance(answer, Completion) else failure(answer, json_of(answer)).completion
        error = self.client.without_secrets(completion.error)
        return Completion(outcome="failed", fault=completion.fault, error=error)
