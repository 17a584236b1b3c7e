"""Several samples of one prompt in one request: the prompt is sent, and paid for, once."""

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
_MAX_SAMPLES = 128  # OpenAI's limit


@dataclass(frozen=True, slots=True)
class _Sample:
    """One request that waits for others; its future receives the reply, or None: send it alone."""

    request: Request
    reply: asyncio.Future[Completion | None]


@dataclass(slots=True)
class _SamplingState:
    """The state of one event loop: the samples of this iteration, grouped by their prompt, and the calls in flight."""

    groups: dict[Request, list[_Sample]] = field(default_factory=dict[Request, list[_Sample]])
    calls: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])


class SampleBatching:
    """Request several samples of one prompt at once, if the model supports it.

    Requests of one iteration of the event loop that differ only in `sample_index` become one request with `samples`
    set; each gets its own completion. Samples that the reply lacks (a server without `n`) or that failed in it are
    requested separately, and the number of samples per reply is remembered. At temperature 0 requests are sent
    separately: equal samples carry no information (and vLLM rejects them). Wrap it around `Retrying` and `Limited`:
    they see one call.
    """

    def __init__(self, model: ChatModel) -> None:
        self.inner = model
        self.parts = parts_of(model)
        self._max_samples = _MAX_SAMPLES
        self._states = PerLoop(_SamplingState)

    @property
    def name(self) -> str:
        return self.inner.name

    async def complete(self, request: Request) -> Completion:
        if request.temperature == 0 or self._max_samples == 1:
            return await self.inner.complete(request)
        loop, state = asyncio.get_running_loop(), self._states.get()
        if not state.groups:
            loop.call_soon(self._flush, state)
        sample = _Sample(request, loop.create_future())
        state.groups.setdefault(replace(request, sample_index=0), []).append(sample)
        reply = await sample.reply
        return await self.inner.complete(request) if reply is None else reply

    async def aclose(self) -> None:
        await self.inner.aclose()

    def _flush(self, state: _SamplingState) -> None:
        groups, state.groups = state.groups, {}
        for samples in groups.values():
            self._submit(state, samples)

    def _submit(self, state: _SamplingState, samples: Sequence[_Sample]) -> None:
        waiting = [sample for sample in samples if not sample.reply.done()]
        for start in range(0, len(waiting), self._max_samples):
            batch = waiting[start : start + self._max_samples]
            if len(batch) == 1:
                batch[0].reply.set_result(None)
                continue
            call = asyncio.get_running_loop().create_task(self._call(state, batch))
            state.calls.add(call)
            call.add_done_callback(state.calls.discard)
            for sample in batch:
                sample.reply.add_done_callback(lambda _, call=call, batch=batch: _cancel_if_unused(call, batch))

    async def _call(self, state: _SamplingState, batch: Sequence[_Sample]) -> None:
        request = replace(batch[0].request, samples=len(batch))
        # `gather` returns exceptions as values: every waiting request raises them.
        [answer] = await asyncio.gather(self.inner.complete(request), return_exceptions=True)
        if isinstance(answer, BaseException):
            for sample in batch:
                if not sample.reply.done():
                    sample.reply.set_exception(answer)
            return
        if answer.outcome == "failed":
            replies = [answer] * len(batch)
        else:
            replies = [replace(answer, other_samples=()), *answer.other_samples][: len(batch)]
            self._limit_samples(len(replies), requested=len(batch))
        for sample, reply in zip(batch, replies, strict=False):
            if not sample.reply.done():
                is_lost = reply.outcome == "failed" and answer.outcome != "failed"
                sample.reply.set_result(None if is_lost else reply)
        self._submit(state, batch[len(replies) :])

    def _limit_samples(self, returned: int, *, requested: int) -> None:
        if returned < requested and returned < self._max_samples:
            self._max_samples = returned
            limit = "one sample" if returned == 1 else f"at most {returned} samples"
            _LOG.warning("%s returns %s per request: the prompt is sent again for more", self.name, limit)


def _cancel_if_unused(call: asyncio.Task[None], batch: Sequence[_Sample]) -> None:
    if all(sample.reply.cancelled() for sample in batch):
        call.cancel()
