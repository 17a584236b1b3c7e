"""A model under another name: the one that stands in the run log and in every request's digest."""

from __future__ import annotations

from askwell.core.protocols import ChatModel
from askwell.core.types import Completion, Request
from askwell.models.parts import parts_of


class Renamed:
    """Say that `model` is called `name`; changes nothing about the calls.

    For servers that move: a run may go on at another address, and what was answered before is not asked again.
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
