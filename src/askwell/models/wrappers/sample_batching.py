"""Several samples of one question as one request: the prompt is sent, and paid for, once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from askwell.core.protocols import ChatModel
from askwell.core.types import Completion, Request
from askwell.models.parts import parts_of
from askwell.models.per_loop import PerLoop

_LOG = logging.getLogger(__name__)
_MOST_SAMPLES = 128  # what OpenAI takes


@dataclass(frozen=True, slots=True)
class _Draw:
    """One request that waits for company; the future holds its reply, or None: go alone."""

    request: Request
    reply: asyncio.Future[Completion | None]


@dataclass(slots=True)
class _Turn:
    """What belongs to one event loop: the draws of this turn by what they have in common, and the calls under way."""

    groups: dict[Request, list[_Draw]] = field(default_factory=dict[Request, list[_Draw]])
    calls: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])


class SampleBatching:
    """Ask for draws of one question in one request, where the model can do that.

    Requests made in one turn of the event loop that differ only in `sample_index` go on as one with `samples` set;
    each gets its own completion. Samples that a reply lacks (a server without `n`) or that failed within it are asked
    for on their own, and how many a reply holds is remembered. At temperature 0 nothing is joined: equal samples tell
    nothing (and vLLM refuses). Goes around `Retrying` and `Limited`: for them a batch is one call.
    """

    def __init__(self, model: ChatModel) -> None:
        self.inner = model
        self.parts = parts_of(model)
        self._most = _MOST_SAMPLES
        self._turns = PerLoop(_Turn)

    @property
    def name(self) -> str:
        return self.inner.name

    async def complete(self, request: Request) -> Completion:
        if request.temperature == 0 or self._most == 1:
            return await self.inner.complete(request)
        loop, turn = asyncio.get_running_loop(), self._turns.get()
        if not turn.groups:
            loop.call_soon(self._send, turn)
        draw = _Draw(request, loop.create_future())
        turn.groups.setdefault(replace(request, sample_index=0), []).append(draw)
        reply = await draw.reply
        return await self.inner.complete(request) if reply is None else reply

    async def aclose(self) -> None:
        await self.inner.aclose()

    def _send(self, turn: _Turn) -> None:
        groups, turn.groups = turn.groups, {}
        for draws in groups.values():
            self._ask(turn, draws)

    def _ask(self, turn: _Turn, draws: Sequence[_Draw]) -> None:
        waiting = [draw for draw in draws if not draw.reply.done()]
        for start in range(0, len(waiting), self._most):
            batch = waiting[start : start + self._most]
            if len(batch) == 1:
                batch[0].reply.set_result(None)
                continue
            call = asyncio.get_running_loop().create_task(self._call(turn, batch))
            turn.calls.add(call)
            call.add_done_callback(turn.calls.discard)
            for draw in batch:
                draw.reply.add_done_callback(lambda _, call=call, batch=batch: _cancel_unwanted(call, batch))

    async def _call(self, turn: _Turn, batch: Sequence[_Draw]) -> None:
        request = replace(batch[0].request, samples=len(batch))
        # gather hands exceptions back as values: each draw raises them where it was asked for.
        [answer] = await asyncio.gather(self.inner.complete(request), return_exceptions=True)
        if isinstance(answer, BaseException):
            for draw in batch:
                if not draw.reply.done():
                    draw.reply.set_exception(answer)
            return
        if answer.outcome == "failed":
            replies = [answer] * len(batch)
        else:
            replies = [replace(answer, other_samples=()), *answer.other_samples][: len(batch)]
            self._learn(len(replies), asked=len(batch))
        for draw, reply in zip(batch, replies, strict=False):
            if not draw.reply.done():
                is_lost = reply.outcome == "failed" and answer.outcome != "failed"
                draw.reply.set_result(None if is_lost else reply)
        self._ask(turn, batch[len(replies) :])

    def _learn(self, found: int, *, asked: int) -> None:
        if found < asked and found < self._most:
            self._most = found
            what = "one sample" if found == 1 else f"at most {found} samples"
            _LOG.warning("%s gives %s a request: the prompt is sent again for more", self.name, what)


def _cancel_unwanted(call: asyncio.Task[None], batch: Sequence[_Draw]) -> None:
    if all(draw.reply.cancelled() for draw in batch):
        call.cancel()
