"""Micro-batching: collect jobs submitted at about the same time, and run them together in one worker thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from askwell.models.per_loop import PerLoop

Job = TypeVar("Job")
Result = TypeVar("Result")

_GATHER_S = 0.003  # how long the first job waits for others: short compared with any model call


@dataclass(slots=True)
class _JobQueue(Generic[Job, Result]):
    """The jobs of one event loop that are in no batch yet, and the task that batches them."""

    jobs: list[tuple[Job, asyncio.Future[Result]]]
    dispatcher: asyncio.Task[None] | None = None


class MicroBatcher(Generic[Job, Result]):
    """Run jobs in batches: `run` receives jobs of similar size and returns one result per job, in order.

    A batch has at most `batch_size` jobs and `max_cost` of padded cost (jobs in it x the largest of them), but at
    least one job. An exception of `run` is raised in every job of its batch and in no other.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Job]], Sequence[Result]],
        cost: Callable[[Job], int],
        thread: Callable[[], ThreadPoolExecutor],
        *,
        batch_size: int,
        max_cost: int,
    ) -> None:
        self._run = run
        self._cost = cost
        self._thread = thread
        self._batch_size = batch_size
        self._max_cost = max_cost
        self._queues = PerLoop(lambda: _JobQueue[Job, Result]([]))

    async def submit(self, job: Job) -> Result:
        """Wait for the batch with this job to run; return the job's result."""
        queue = self._queues.get()
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        queue.jobs.append((job, future))
        if queue.dispatcher is None:
            queue.dispatcher = asyncio.create_task(self._dispatch(queue))
        return await future

    async def _dispatch(self, queue: _JobQueue[Job, Result]) -> None:
        try:
            await asyncio.sleep(_GATHER_S)
            while queue.jobs:
                taken = [(job, future) for job, future in queue.jobs if not future.done()]
                queue.jobs.clear()
                for batch in self._batches(taken):
                    await self._run_batch(batch)
        finally:
            queue.dispatcher = None
            for _, future in queue.jobs:  # only if the loop is closing
                future.cancel()

    async def _run_batch(self, batch: Sequence[tuple[Job, asyncio.Future[Result]]]) -> None:
        running = asyncio.get_running_loop().run_in_executor(self._thread(), self._run, [job for job, _ in batch])
        [results] = await asyncio.gather(running, return_exceptions=True)
        if isinstance(results, BaseException):
            for _, future in batch:
                if not future.done():
                    future.set_exception(results)
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)

    def _batches(
        self, taken: Sequence[tuple[Job, asyncio.Future[Result]]]
    ) -> list[list[tuple[Job, asyncio.Future[Result]]]]:
        """Sort jobs by cost, for little padding, and split them. The largest come first, to run out of memory early."""
        batches: list[list[tuple[Job, asyncio.Future[Result]]]] = []
        largest = 0
        for entry in sorted(taken, key=lambda entry: self._cost(entry[0]), reverse=True):
            if not batches or len(batches[-1]) >= min(self._batch_size, max(1, self._max_cost // max(1, largest))):
                batches.append([])
                largest = self._cost(entry[0])
            batches[-1].append(entry)
        return batches
