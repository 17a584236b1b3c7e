"""Evaluate (prompt, example) pairs: every call to the target model goes through this module.

A baseline prompt, a GPO candidate and a query-dependent policy are all lists of slots. Workers take slots in an order
that suits a server with prefix caching, and each rollout is durable in the log before anything else sees it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

from askwell.core.errors import BudgetExhausted, ModelError
from askwell.core.protocols import ChatModel
from askwell.core.types import Completion, Event, Prompt, Request, Rollout, Split
from askwell.core.validation import check_at_least
from askwell.engine.budget import BudgetTracker, Caps, is_raised
from askwell.engine.grading import MetricFailed, grade_reply
from askwell.engine.missing import MissingCalls
from askwell.engine.prefix_order import order_for_prefix_cache
from askwell.engine.rollout_queue import Backpressure, RolloutQueue, RolloutSlot, closed_queue
from askwell.models.request_key import request_key
from askwell.runlog.codec import encode_completion, encode_request, encode_rollout
from askwell.runlog.store import UNORDERED
from askwell.runlog.writer import Journal
from askwell.tasks.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """Sampling parameters of the target model's calls."""

    temperature: float = 0.0
    max_tokens: int = 512
    """Longest reply, in tokens; requests to the bundled model pocket have at most 64."""
    seed: int | None = None
    """Sent to the endpoint with each request, if it takes one."""
    repeats: int = 1
    """Calls per (prompt, example) pair; more than one only makes sense at a temperature above 0."""

    def __post_init__(self) -> None:
        check_at_least("temperature", self.temperature, 0)
        check_at_least("max_tokens", self.max_tokens, 1)
        check_at_least("repeats", self.repeats, 1)


class Interrupted(Exception):
    """The run was stopped on request; the calls in flight have been logged."""


class Evaluator:
    """Run slots on the target model, `concurrency` calls in flight; the repeats of one pair are sent together.

    Failed calls are never scores: `engine.missing` states the rule. An authentication fault raises `ModelError` at once
    with the provider's message. If the budget refuses a call, the calls in flight are finished and logged, and
    `BudgetExhausted` is raised; likewise `MetricFailed` if the metric raises on a reply.
    """

    def __init__(
        self,
        *,
        task: Task,
        target: ChatModel,
        journal: Journal,
        sampling: Sampling,
        concurrency: int = 16,
        max_missing: float = 0.02,
        budget: BudgetTracker | None = None,
    ) -> None:
        self.task = task
        self.target = target
        self.journal = journal
        self.sampling = sampling
        self.concurrency = concurrency
        self.max_missing = max_missing
        self._budget = budget
        self.stopping = False
        """Set this from the event loop's thread to start no more calls; those in flight are finished first."""
        self.exhausted = ""
        """The cap that prevented a call, after which no more calls are started; empty if none did."""
        self.done = 0
        """Rollouts finished since the evaluator was made, including those answered from the log."""
        self._metric_failed: MetricFailed | None = None
        self._in_flight: dict[str, asyncio.Event] = {}

    def slots(self, prompts: Sequence[Prompt], *, split: Split, step: int) -> list[RolloutSlot]:
        """Lay out prompts × examples of a split × repeats, prompt by prompt, and reserve their positions in the log."""
        layout = [
            (prompt, example, sample_index)
            for prompt in prompts
            for example in self.task.splits.get(split, ())
            for sample_index in range(self.sampling.repeats)
        ]
        first = self.journal.reserve(len(layout))
        return [
            RolloutSlot(
                position=first + index,
                step=step,
                split=split,
                prompt=prompt,
                example=example,
                sample_index=sample_index,
            )
            for index, (prompt, example, sample_index) in enumerate(layout)
        ]

    @property
    def refused(self) -> str:
        """The cap for which the budget refused a call of either model; empty if none was refused."""
        return "" if self._budget is None else self._budget.reason

    def is_extended(self, ended: str) -> bool:
        """Return whether a run that ended for this reason may go on: it reached a cap that is higher now."""
        return is_raised(ended, Caps() if self._budget is None else self._budget.caps)

    def release_reserve(self) -> None:
        """Let the final test use the calls that the budget reserved for it."""
        self.exhausted = ""
        if self._budget is not None:
            self._budget.release_reserve()

    def missing_calls(self) -> MissingCalls:
        """Return the failure rule for one evaluation or race."""
        return MissingCalls(
            target=self.target.name,
            journal=self.journal,
            max_missing=self.max_missing,
            # One short outage may fail all calls in flight, so at least as many calls as that must fail.
            dead_after=max(10, self.concurrency),
        )

    async def rollouts(self, slots: Sequence[RolloutSlot]) -> AsyncGenerator[Rollout, None]:
        """Yield a rollout for each slot as it becomes durable, in order of arrival; missing ones last."""
        missing = self.missing_calls()
        retries: list[RolloutSlot] = []
        passes = (order_for_prefix_cache(slots, self.task.render), retries)
        for queued in passes:
            async with aclosing(self.arrivals(closed_queue(queued))) as arrivals:
                async for slot, rollout in arrivals:
                    if rollout.score is not None:
                        missing.record_answer(slot.prompt)
                        yield rollout
                    elif (retry := missing.record_failure(slot, rollout, requested=len(slots))) is not None:
                        retries.append(retry)
            if not retries or not missing.any_answered:
                break
        async with aclosing(missing.finish(requested=len(slots))) as unanswered:
            async for rollout in unanswered:
                yield rollout

    async def arrivals(self, queue: RolloutQueue) -> AsyncGenerator[tuple[RolloutSlot, Rollout], None]:
        """Run slots with `concurrency` workers pulling from one queue: no barrier, memory constant in their number.

        Yields each slot once its rollout is durable or has failed (`score` None; not logged, not tried again here).
        """
        arrived = _Arrivals()
        workers_needed = max(1, self.concurrency // self.sampling.repeats)
        if queue.most is not None:
            workers_needed = min(workers_needed, queue.most)
        # If the reader is slow, workers wait and memory stays bounded; the factor of two leaves slack for bursts.
        unread = Backpressure(2 * max(self.concurrency, self.sampling.repeats))
        workers = [asyncio.create_task(self._work(queue, arrived, unread)) for _ in range(workers_needed)]
        for worker in workers:
            worker.add_done_callback(arrived.put_nowait)
        running = len(workers)
        try:
            while running:
                item = await arrived.get()
                if isinstance(item, asyncio.Future):
                    running -= 1
                    item.result()  # raises what ended the worker or kept a rollout out of the log
                else:
                    unread.release()
                    self.done += 1
                    yield item
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        if self._metric_failed is not None:
            raise self._metric_failed
        if self.stopping:
            raise Interrupted
        if self.exhausted:
            raise BudgetExhausted(self.exhausted)

    async def _work(self, queue: RolloutQueue, arrived: _Arrivals, unread: Backpressure) -> None:
        """Run slot after slot: the next request is sent while the last rollout is still being written to disk."""
        last_write: asyncio.Future[None] | None = None
        await unread.acquire()
        while repeats := await queue.take(self.sampling.repeats):
            if self.stopping or self.exhausted or self._metric_failed:
                break
            for _ in repeats[1:]:
                await unread.acquire()
            try:
                results = await self._run_together(repeats)
            except MetricFailed as failed:  # the other workers finish their calls, which are paid for
                self._metric_failed = self._metric_failed or failed
                break
            for slot, (rollout, durable) in zip(repeats, results, strict=True):
                if durable is not None:
                    last_write = durable
                    durable.add_done_callback(partial(_put_when_durable, arrived, (slot, rollout)))
                elif rollout.completion.fault == "budget":
                    self.exhausted = rollout.completion.error
                else:
                    arrived.put_nowait((slot, rollout))
            if self.exhausted:
                break
            await unread.acquire()
        queue.close()  # the other workers must not wait for more
        if last_write is not None:
            await last_write  # the log is written in order, so all earlier writes are done too

    async def _run_together(self, repeats: Sequence[RolloutSlot]) -> list[tuple[Rollout, asyncio.Future[None] | None]]:
        """Run the repeats of one pair at once, so that they may be sent as one request."""
        if len(repeats) == 1:
            return [await self._run(repeats[0])]
        # All repeats finish before an error is raised: those that were paid for must be logged.
        results = await asyncio.gather(*(self._run(slot) for slot in repeats), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return [result for result in results if not isinstance(result, BaseException)]

    async def _run(self, slot: RolloutSlot) -> tuple[Rollout, asyncio.Future[None] | None]:
        """Return a slot's rollout and the future of its write to the log (None if the call failed)."""
        request = self._request(slot)
        key = request_key(self.target.name, request)
        while (identical := self._in_flight.get(key)) is not None:
            await identical.wait()  # an identical request is in flight: share its answer, do not pay twice
        logged = self.journal.recall(key, slot.position)
        if logged is not None:
            rollout = self._score(slot, logged.completion)
            return rollout, self._write(slot, rollout, key=key, cached=logged.cached)
        self._in_flight[key] = asyncio.Event()
        durable: asyncio.Future[None] | None = None
        try:
            completion = await self.target.complete(request)
            if completion.fault == "auth":
                raise ModelError(f"{self.target.name}: {completion.error}")
            try:
                rollout = self._score(slot, completion)
            except MetricFailed:
                await self._keep_reply(request, completion, key)
                raise
            if completion.outcome != "failed":
                durable = self._write(slot, rollout, key=key, cached=False)
        finally:
            if durable is None:
                self._release(key)
        if durable is not None:  # only then can an identical request read the answer from the log
            durable.add_done_callback(lambda _: self._release(key))
        return rollout, durable

    def _release(self, key: str) -> None:
        self._in_flight.pop(key).set()

    def _request(self, slot: RolloutSlot) -> Request:
        return Request(
            messages=self.task.render(slot.prompt, slot.example),
            temperature=self.sampling.temperature if slot.temperature is None else slot.temperature,
            max_tokens=self.sampling.max_tokens,
            seed=self.sampling.seed,
            sample_index=slot.sample_index,
        )

    def _score(self, slot: RolloutSlot, completion: Completion) -> Rollout:
        failed = completion.outcome == "failed"
        return Rollout(
            step=slot.step,
            split=slot.split,
            prompt=slot.prompt,
            example_id=slot.example.id,
            query=slot.example.input,
            completion=completion,
            score=None if failed else grade_reply(self.task.metric, completion.text, slot.example),
            sample_index=slot.sample_index,
        )

    async def _keep_reply(self, request: Request, completion: Completion, key: str) -> None:
        """Log a reply without a score, for the resumed run to grade."""
        body: dict[str, object] = {
            "role": "target",
            "model": self.target.name,
            "request": encode_request(request),
            "completion": encode_completion(completion),
        }
        await self.journal.write(Event(position=UNORDERED, kind="call", body=body, key=key, seconds=completion.seconds))

    def _write(self, slot: RolloutSlot, rollout: Rollout, *, key: str, cached: bool) -> asyncio.Future[None]:
        body = encode_rollout(rollout, cached=cached)
        seconds = 0.0 if cached else rollout.completion.seconds
        return self.journal.put(Event(position=slot.position, kind="rollout", body=body, key=key, seconds=seconds))


_Arrivals = asyncio.Queue[tuple[RolloutSlot, Rollout] | asyncio.Future[None]]
"""Rollouts that are durable or failed; futures of workers that have ended and of writes that failed."""


def _put_when_durable(arrived: _Arrivals, item: tuple[RolloutSlot, Rollout], durable: asyncio.Future[None]) -> None:
    if durable.cancelled():
        return
    arrived.put_nowait(item if durable.exception() is None else durable)
