"""The contract of a provider's batch endpoint: many requests at once, answered within a day, at a lower price."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from askwell.core.types import Completion
from askwell.models.http.client import HttpClient, HttpResponse
from askwell.models.http.endpoint import Endpoint
from askwell.models.providers.quirks import Body
from askwell.models.providers.response import as_object, parse_error, parse_json

BatchEnd = Literal["", "completed", "expired", "cancelled", "failed"]
"""How a batch ended; empty while it is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStatus:
    """The progress of a batch."""

    id: str
    end: BatchEnd
    done: int
    """Requests that were answered or failed."""
    total: int
    results: tuple[str, ...] = ()
    """The provider's names of its result files; empty before it has ended."""
    reason: str = ""
    """The provider's message, if it rejected the whole batch."""


class BatchApi(Protocol):
    """One provider's batch API, at one address with one key.

    Contract: no method raises for a fault of a server or network; it returns a failed `Completion`. A batch can be
    found again by its `tag`, even if the response to `submit` was lost.
    """

    price_factor: float
    """The price of a request in a batch, relative to the usual price."""
    max_requests: int
    max_bytes: int

    async def submit(self, bodies: Mapping[str, Body], tag: str) -> str | Completion:
        """Submit requests by key (32 hex digits); return the batch's id."""
        ...

    async def find(self, tag: str, *, size: int, since: float) -> str | Completion | None:
        """Return the id of the batch with this tag; None if there is none. `since`: Unix time before its submission."""
        ...

    async def get_status(self, batch: str) -> BatchStatus | Completion: ...

    async def fetch_results(self, status: BatchStatus) -> Mapping[str, HttpResponse | Completion] | Completion:
        """Return the result of each request that an ended batch has processed."""
        ...

    async def aclose(self) -> None: ...


class BatchHttp:
    """JSON requests to the batch endpoints of one server; a fault is returned as a failed completion."""

    def __init__(self, client: HttpClient, endpoint: Endpoint) -> None:
        self.client = client
        self.endpoint = endpoint

    async def get(self, path: str) -> Mapping[str, object] | Completion:
        return self._parse(await self.client.get(self.endpoint.url(path)))

    async def post(self, path: str, data: bytes) -> Mapping[str, object] | Completion:
        return self._parse(await self.client.post(self.endpoint.url(path), data))

    async def get_lines(self, url: str) -> list[Mapping[str, object]] | Completion:
        """Read a file of JSON lines at a complete URL."""
        response = await self.client.get(url)
        if isinstance(response, Completion) or response.status != 200:
            return self._failed(response)
        lines = (HttpResponse(status=200, headers={}, body=line) for line in response.body.splitlines() if line.strip())
        return [as_object(parse_json(line)) for line in lines]

    def _parse(self, response: HttpResponse | Completion) -> Mapping[str, object] | Completion:
        if isinstance(response, Completion) or response.status != 200:
            return self._failed(response)
        data = as_object(parse_json(response))
        if "id" in data or "data" in data:
            return data
        error = "the batch endpoint's answer has no id and no data; check the base URL"
        return Completion(outcome="failed", fault="malformed", error=error)

    def _failed(self, response: HttpResponse | Completion) -> Completion:
        is_completion = isinstance(response, Completion)
        completion = response if is_completion else parse_error(response, parse_json(response)).completion
        error = self.client.without_secrets(completion.error)
        return Completion(outcome="failed", fault=completion.fault, error=error)
