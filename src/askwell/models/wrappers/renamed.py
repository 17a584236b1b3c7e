"""A model under another name, which the run log and the digests of requests contain."""

from __future__ import annotations

from askwell.core.protocols import ChatModel
from askwell.core.types import Completion, Request
from askwell.models.parts import parts_of


class Renamed:
    """Give `model` another name; the calls are unchanged.

    For servers that move: a run can be resumed at another address and reuse the answers in its log.
    """

    def __init__(self, model: ChatModel, *, name: str) -> None:
        self.inner = model
        self.parts = parts_of(model)
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    async def complete(self, request: Request) -> Completion:
        return await self.inner.complete(request)

    async def aclose(self) -> None:
        await self.inner.aclose()
