"""(prompt, example) pairs -> rollouts: every call to the target model goes through here.

A fixed prompt, a GPO candidate and a query-dependent policy are all lists of cells. Workers take cells in order (what
begins alike stands together, so a server with prefix caching can reuse its work) and each rollout is durable in the log
before anybody sees it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

from askwell.budget import Purse
from askwell.checks import at_least
from askwell.errors import BudgetExhausted, ModelError, RunFailed
from askwell.feed import Cell, Feed, Room, closed
from askwell.journal import Journal
from askwell.models.base import ChatModel, request_key
from askwell.order import prefix_friendly
from askwell.records import rollout_body
from askwell.store import ASIDE
from askwell.tasks.base import Task
from askwell.types import FINAL_FAULTS, Completion, Event, Prompt, Request, Rollout, Split


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the target model is asked."""

    temperature: float = 0.0
    max_tokens: int = 512
    """Longest reply, in tokens; the bundled model pocket is asked for 64 at most."""
    seed: int | None = None
    """Sent to the endpoint with each request, where it takes one."""
    repeats: int = 1
    """How often each example is asked; more than one only makes sense at a temperature above 0."""

    def __post_init__(self) -> None:
        at_least("temperature", self.temperature, 0)
        at_least("max_tokens", self.max_tokens, 1)
        at_least("repeats", self.repeats, 1)


class Interrupted(Exception):
    """The run was asked to stop; what was in flight has been written."""


class Evaluator:
    """Runs cells on the target model, `concurrency` in flight; the draws of one cell go together.

    Failed calls are never scores. A final fault (authentication, bad request) raises `ModelError` at once with the
    provider's words. Others leave a missing cell, tried once more at the end; when more than `max_missing` (a share of
    the cells asked for) is still missing, or all of one prompt's, `RunFailed` is raised (`ModelError` where nothing was
    ever answered and no connection held: a wrong address). Otherwise the gaps are logged aside, and a resumed run that
    comes by again may still fill them. Where the purse refuses a call, what is in flight is finished and written, and
    `BudgetExhausted` is raised.
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
        purse: Purse | None = None,
    ) -> None:
        self.task = task
        self.target = target
        self.journal = journal
        self.sampling = sampling
        self.concurrency = concurrency
        self.max_missing = max_missing
        self._purse = purse
        self.stopping = False
        """Set from the event loop's thread to stop handing out cells; calls in flight are finished first."""
        self.exhausted = ""
        """Which cap kept a call from being made; no more cells are handed out then."""
        self.done = 0
        """Cells finished since the evaluator was made, reused ones included; for progress displays."""
        self._in_flight: dict[str, asyncio.Event] = {}

    def cells(self, prompts: Sequence[Prompt], *, split: Split, step: int) -> list[Cell]:
        """Lay out prompts × the examples of a split × draws, prompt by prompt, and reserve their places in the log."""
        layout = [
            (prompt, example, draw)
            for prompt in prompts
            for example in self.task.splits.get(split, ())
            for draw in range(self.sampling.repeats)
        ]
        first = self.journal.reserve(len(layout))
        return [
            Cell(position=first + index, step=step, split=split, prompt=prompt, example=example, draw=draw)
            for index, (prompt, example, draw) in enumerate(layout)
        ]

    @property
    def refused(self) -> str:
        """Which cap the purse refused a call of either model for; empty while there is room."""
        return "" if self._purse is None else self._purse.reason

    def open_for_the_test(self) -> None:
        """Let the cells of the final test have what the purse kept back for them."""
        self.exhausted = ""
        if self._purse is not None:
            self._purse.open_for_the_test()

    async def rollouts(self, cells: Sequence[Cell]) -> AsyncGenerator[Rollout, None]:
        """Yield a rollout for each cell as it becomes durable, in order of arrival."""
        missing: list[tuple[Cell, Rollout]] = []
        answered: set[Prompt] = set()
        async with aclosing(self.arrivals(closed(prefix_friendly(cells, self.task.render)))) as arrivals:
            async for cell, rollout in arrivals:
                if rollout.score is not None:
                    answered.add(cell.prompt)
                    yield rollout
                    continue
                missing.append((cell, rollout))
                if not answered and len(missing) >= self.dead_after:
                    raise self.too_many(missing, len(cells))
        if not missing:
            return
        still_missing: list[tuple[Cell, Rollout]] = []
        if answered:
            async with aclosing(self.arrivals(closed([cell for cell, _ in missing]))) as arrivals:
                async for cell, rollout in arrivals:
                    if rollout.score is None:
                        still_missing.append((cell, rollout))
                    else:
                        answered.add(cell.prompt)
                        yield rollout
        else:
            still_missing = missing
        unscored = any(cell.prompt not in answered for cell, _ in still_missing)
        if unscored or len(still_missing) > self.max_missing * len(cells):
            raise self.too_many(still_missing, len(cells))
        for _, rollout in still_missing:
            await self.write_missing(rollout)
            yield rollout

    async def arrivals(self, feed: Feed) -> AsyncGenerator[tuple[Cell, Rollout], None]:
        """Run cells with `concurrency` workers pulling from one feed: no barrier, memory flat in their number.

        Yields each cell as its rollout is durable, or failed (`score` None; not logged, not tried again here).
        """
        arrived = _Arrivals()
        at_once = max(1, self.concurrency // self.sampling.repeats)
        if feed.most is not None:
            at_once = min(at_once, feed.most)
        # A slow reader holds the workers back, not the memory.
        room = Room(2 * max(self.concurrency, self.sampling.repeats))
        workers = [asyncio.create_task(self._work(feed, arrived, room)) for _ in range(at_once)]
        for worker in workers:
            worker.add_done_callback(arrived.put_nowait)
        running = len(workers)
        try:
            while running:
                item = await arrived.get()
                if isinstance(item, asyncio.Future):
                    running -= 1
                    item.result()  # raises what ended the worker or kept a rollout out of the log, if anything did
                else:
                    room.give()
                    self.done += 1
                    yield item
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        if self.stopping:
            raise Interrupted
        if self.exhausted:
            raise BudgetExhausted(self.exhausted)

    async def _work(
        self,
        feed: Feed,
        arrived: _Arrivals,
        room: Room,
    ) -> None:
        """Take cell after cell: the next request goes out while the last rollout is on its way to the disk."""
        written: asyncio.Future[None] | None = None
        await room.take()
        while draws := await feed.take(self.sampling.repeats):
            if self.stopping or self.exhausted:
                break
            for _ in draws[1:]:
                await room.take()
            for cell, (rollout, durable) in zip(draws, await self._together(draws), strict=True):
                if durable is not None:
                    written = durable
                    durable.add_done_callback(partial(_arrive, arrived, (cell, rollout)))
                elif rollout.completion.fault == "budget":
                    self.exhausted = rollout.completion.error
                else:
                    arrived.put_nowait((cell, rollout))
            if self.exhausted:
                break
            await room.take()
        feed.close()  # the others are not to wait for more
        if written is not None:
            await written  # and with it all before: the log is written in order

    async def _together(self, draws: Sequence[Cell]) -> list[tuple[Rollout, asyncio.Future[None] | None]]:
        """Run the draws of one cell at once, so that they may travel as one request."""
        if len(draws) == 1:
            return [await self._run(draws[0])]
        found = await asyncio.gather(*(self._run(cell) for cell in draws), return_exceptions=True)
        for one in found:
            if isinstance(one, BaseException):
                raise one
        return [one for one in found if not isinstance(one, BaseException)]

    async def _run(self, cell: Cell) -> tuple[Rollout, asyncio.Future[None] | None]:
        """Return a cell's rollout, and what is done when it is durable (None: the call failed, nothing is written)."""
        request = self._request(cell)
        key = request_key(self.target.name, request)
        while (twin := self._in_flight.get(key)) is not None:
            await twin.wait()  # the same request is being paid for: share its answer
        known = self.journal.recall(key, cell.position)
        if known is not None:
            rollout = self._judge(cell, known.completion)
            return rollout, self._write(cell, rollout, key=key, cached=known.cached)
        self._in_flight[key] = asyncio.Event()
        durable: asyncio.Future[None] | None = None
        try:
            completion = await self.target.complete(request)
            if completion.fault in FINAL_FAULTS:
                raise ModelError(f"{self.target.name}: {completion.error}")
            rollout = self._judge(cell, completion)
            if completion.outcome != "failed":
                durable = self._write(cell, rollout, key=key, cached=False)
        finally:
            if durable is None:
                self._release(key)
        if durable is not None:  # until then a twin would not find the answer in the log
            durable.add_done_callback(lambda _: self._release(key))
        return rollout, durable

    def _release(self, key: str) -> None:
        self._in_flight.pop(key).set()

    @property
    def dead_after(self) -> int:
        """How many calls may fail before the first answer until the endpoint counts as dead."""
        return max(10, self.concurrency)

    async def write_missing(self, rollout: Rollout) -> None:
        """Log a cell that failed for good, aside: its place stays free for an answer."""
        await self.journal.write(Event(position=ASIDE, kind="rollout", body=rollout_body(rollout)))

    def too_many(self, missing: Sequence[tuple[Cell, Rollout]], asked: int) -> RunFailed | ModelError:
        """Say what failed and how often, for raising."""
        faults = Counter(rollout.completion.fault or "unknown" for _, rollout in missing)
        kinds = ", ".join(f"{count} × {fault}" for fault, count in faults.most_common())
        words = Counter(rollout.completion.error for _, rollout in missing).most_common(1)[0][0]
        if set(faults) == {"connection"} and next(self.journal.store.events(kinds=["rollout"]), None) is None:
            return ModelError(f"{self.target.name} cannot be reached: {words}")
        return RunFailed(
            f"{len(missing)} of {asked} target calls failed for good ({kinds}); the server said at last: {words!r}. "
            "No score was made up for them, and what succeeded is in the log: mend the endpoint and resume"
        )

    def _request(self, cell: Cell) -> Request:
        return Request(
            messages=self.task.render(cell.prompt, cell.example),
            temperature=self.sampling.temperature if cell.temperature is None else cell.temperature,
            max_tokens=self.sampling.max_tokens,
            seed=self.sampling.seed,
            draw=cell.draw,
        )

    def _judge(self, cell: Cell, completion: Completion) -> Rollout:
        failed = completion.outcome == "failed"
        return Rollout(
            step=cell.step,
            split=cell.split,
            prompt=cell.prompt,
            example_id=cell.example.id,
            query=cell.example.input,
            completion=completion,
            score=None if failed else self.task.metric(completion.text, cell.example),
            draw=cell.draw,
        )

    def _write(self, cell: Cell, rollout: Rollout, *, key: str, cached: bool) -> asyncio.Future[None]:
        body = rollout_body(rollout, cached=cached)
        seconds = 0.0 if cached else rollout.completion.seconds
        return self.journal.put(Event(position=cell.position, kind="rollout", body=body, key=key, seconds=seconds))


_Arrivals = asyncio.Queue[tuple[Cell, Rollout] | asyncio.Future[None]]
"""Rollouts that are durable, workers that have ended, and writes that failed."""


def _arrive(arrived: _Arrivals, item: tuple[Cell, Rollout], durable: asyncio.Future[None]) -> None:
    if durable.cancelled():
        return
    arrived.put_nowait(item if durable.exception() is None else durable)


async def watched(rollouts: AsyncGenerator[Rollout, None], see: Callable[[], None]) -> AsyncGenerator[Rollout, None]:
    """Pass rollouts on, calling `see` at each."""
    async with aclosing(rollouts) as arrivals:
        async for rollout in arrivals:
            see()
            yield rollout


async def scores_by_prompt(rollouts: AsyncIterator[Rollout]) -> dict[Prompt, dict[str, float]]:
    """Fold a stream of rollouts to prompt -> example id -> mean score; missing cells are absent, never 0."""
    values: dict[Prompt, dict[str, dict[int, float]]] = {}
    async for rollout in rollouts:
        by_example = values.setdefault(rollout.prompt, {})
        if rollout.score is not None:
            by_example.setdefault(rollout.example_id, {})[rollout.draw] = rollout.score.value
    return {
        prompt: {example_id: mean_of_draws(found) for example_id, found in sorted(by_example.items())}
        for prompt, by_example in values.items()
    }


def mean_of_draws(values: Mapping[int, float]) -> float:
    """Return the mean over draws, summed in their order: the last bit must not depend on which came first."""
    return mean(value for _, value in sorted(values.items()))


def mean(values: Iterable[float]) -> float:
    """Return the arithmetic mean, summed in the order given; 0 for none."""
    found = list(values)
    return sum(found) / len(found) if found else 0.0
