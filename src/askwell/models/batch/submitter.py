"""Submit, poll and resume provider batches."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field

from askwell.core.types import FINAL_FAULTS, Completion
from askwell.models.batch.endpoint import BatchApi, BatchStatus
from askwell.models.batch.ledger import Ledger, Submission
from askwell.models.http.client import HttpResponse, failed_completion
from askwell.models.providers.quirks import Body

BatchResult = HttpResponse | Completion
"""The response to one request of a batch, or why there is none."""

_DELIVERY_S = 5.0  # a submission may reach the provider this long after its process was killed
_QUEUE_FULL_MARKS = ("token_limit_exceeded", "enqueued token")
_FETCH_ATTEMPTS = 20  # results are paid for: with the usual poll_s, outages of ten minutes are waited out
_DRAIN_TIMEOUT_S = 60.0
_SUBMITTING, _POLLING = "submitting", "polling"


@dataclass(slots=True)
class BatchSubmitter:
    """The batches of one event loop. `notify` receives a line of text for each change of a batch."""

    api: BatchApi
    ledger: Ledger
    poll_s: float
    notify: Callable[[str], None]
    max_requests: int = 0
    """Most requests per batch, once the provider has rejected a larger one; 0 means the API's own limit."""
    waiters: dict[str, asyncio.Future[BatchResult]] = field(default_factory=dict[str, "asyncio.Future[BatchResult]"])
    """Request key -> the future of the call that waits for its result."""
    submitted: dict[str, str] = field(default_factory=dict[str, str])
    """Request key -> tag or id of the open batch that holds it."""
    unclaimed: dict[str, HttpResponse] = field(default_factory=dict[str, HttpResponse])
    """Request key -> a result that no call waits for yet."""
    open_batches: list[str] = field(default_factory=list[str])
    """Ids of the batches that have not ended."""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _turn_lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def submit(self, bodies: Mapping[str, Body]) -> None:
        """Submit requests as one batch, in the background; their `waiters` receive the results."""
        tag = secrets.token_hex(8)
        self.submitted.update(dict.fromkeys(bodies, tag))
        self._spawn(self._submit(tag, bodies), _SUBMITTING)

    async def resume(self) -> Completion | None:
        """Resume the batches of an earlier process; return the failure that prevents it, if any."""
        for submission in self.ledger.submissions():
            keys = [key for key in submission.keys if not self.ledger.is_answered(key) and key not in self.submitted]
            problem = await self._resume_submission(submission, keys) if keys else None
            if problem is not None:
                return problem
        return None

    async def drain(self) -> None:
        """Finish the submissions under way, so that a later process can resume them; stop polling."""
        submitting = [task for task in self._tasks if task.get_name() == _SUBMITTING]
        if submitting:
            await asyncio.wait(submitting, timeout=_DRAIN_TIMEOUT_S)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _submit(self, tag: str, bodies: Mapping[str, Body]) -> None:
        if self.max_requests:
            # The provider's queue is full: one batch at a time.
            async with self._turn_lock:
                batch = await self._send_batch(tag, bodies)
                if batch:
                    await self._poll_batch(batch, list(bodies))
            return
        batch = await self._send_batch(tag, bodies)
        if batch:
            self._spawn(self._poll_batch(batch, list(bodies)), _POLLING)

    async def _send_batch(self, tag: str, bodies: Mapping[str, Body]) -> str:
        """Return the id of the batch; empty if the provider did not accept it."""
        since = time.time()
        # Before the submission: if this process is killed in between, the next one looks for the batch by its tag.
        await self.ledger.write({"tag": tag, "keys": list(bodies)})
        batch: str | Completion | None = await self.api.submit(bodies, tag)
        if isinstance(batch, Completion) and batch.fault not in FINAL_FAULTS:
            # The response was lost; the batch may exist all the same, and must not be paid for twice.
            existing = await self._find_batch(tag, size=len(bodies), since=since)
            batch = existing if isinstance(existing, str) else batch
        if isinstance(batch, Completion):
            self._resolve(bodies, {}, otherwise=batch)
            return ""
        await self.ledger.write({"tag": tag, "id": batch})
        self.notify(f"batch {batch}: {len(bodies):,} requests submitted")
        return batch

    async def _find_batch(self, tag: str, *, size: int, since: float) -> str | Completion | None:
        batch = await self.api.find(tag, size=size, since=since)
        if batch is None and (wait := since + _DELIVERY_S - time.time()) > 0:
            await asyncio.sleep(wait)
            batch = await self.api.find(tag, size=size, since=since)
        return batch

    async def _resume_submission(self, submission: Submission, keys: Sequence[str]) -> Completion | None:
        batch = submission.id or await self._find_batch(submission.tag, size=len(submission.keys), since=submission.at)
        if batch is None:
            return None  # it never reached the provider
        if isinstance(batch, Completion):
            return batch
        if not submission.id:
            await self.ledger.write({"tag": submission.tag, "id": batch})
        return await self._resume_batch(batch, keys)

    async def _resume_batch(self, batch: str, keys: Sequence[str]) -> Completion | None:
        status = await self.api.get_status(batch)
        if isinstance(status, Completion):
            return failed_completion(status.fault, f"the run's batch {batch} can't be looked up: {status.error}")
        if not status.end:
            self.notify(f"batch {batch} of an earlier process: {status.done:,} of {status.total:,} done")
            self.submitted.update(dict.fromkeys(keys, batch))
            self._spawn(self._poll_batch(batch, keys), _POLLING)
            return None
        results: Mapping[str, BatchResult] | Completion = {}
        if status.results:
            results = await self.api.fetch_results(status)
        if isinstance(results, Completion):
            return results
        # Failed requests are not kept: the run asks for them again.
        for key in keys:
            result = results.get(key)
            if isinstance(result, HttpResponse) and result.status == 200:
                self.unclaimed[key] = result
        return None

    async def _poll_batch(self, batch: str, keys: Sequence[str]) -> None:
        self.open_batches.append(batch)
        try:
            status = await self._wait_for_end(batch)
            if isinstance(status, Completion):
                self._resolve(keys, {}, otherwise=status)
                return
            results = await self._fetch_results(status)
        finally:
            self.open_batches.remove(batch)
        if isinstance(results, Completion):
            self._resolve(keys, {}, otherwise=results)
            return
        self.notify(f"batch {batch} {status.end}: {len(results):,} of {len(keys):,} answers")
        self._resolve(keys, results, otherwise=self._explain_missing(status, len(keys)))

    async def _wait_for_end(self, batch: str) -> BatchStatus | Completion:
        last_done = -1
        while True:
            await asyncio.sleep(self.poll_s)
            status = await self.api.get_status(batch)
            if isinstance(status, Completion):
                if status.fault in FINAL_FAULTS:
                    return failed_completion(status.fault, f"batch {batch} can't be looked up: {status.error}")
                continue
            if status.end:
                return status
            if status.done != last_done:
                last_done = status.done
                self.notify(f"batch {batch}: {status.done:,} of {status.total:,} done")

    async def _fetch_results(self, status: BatchStatus) -> Mapping[str, BatchResult] | Completion:
        results: Mapping[str, BatchResult] | Completion = {}
        for _ in range(_FETCH_ATTEMPTS if status.results else 0):
            results = await self.api.fetch_results(status)
            if not isinstance(results, Completion) or results.fault in FINAL_FAULTS:
                break
            await asyncio.sleep(self.poll_s)
        return results

    def _explain_missing(self, status: BatchStatus, size: int) -> Completion:
        """Return the failure of those requests that an ended batch has no result for."""
        batch = f"batch {status.id}"
        if status.end == "expired":
            return failed_completion("timeout", f"{batch} expired before this request's turn")
        if status.end == "cancelled":
            error = f"{batch} was cancelled at the provider; resume the run to submit the missing requests again"
            return failed_completion("bad_request", error)
        if status.end == "failed" and any(mark in status.reason for mark in _QUEUE_FULL_MARKS):
            self.max_requests = max(1, size // 2)
            self.notify(
                f"{batch} was too large ({status.reason}): continuing with {self.max_requests:,} requests at a time"
            )
            # Paced: the next batch waits for its turn anyway, so a retry needs no delay of its own.
            return Completion(outcome="failed", fault="rate_limit", error=status.reason, retry_immediately=size > 1)
        if status.end == "failed":
            return failed_completion("bad_request", f"{batch} was rejected: {status.reason or 'no reason given'}")
        return failed_completion("server", f"{batch} has no answer to this request")

    def _resolve(self, keys: Collection[str], results: Mapping[str, BatchResult], *, otherwise: Completion) -> None:
        """Give each request its result; `otherwise` goes to those without one."""
        for key in keys:
            self.submitted.pop(key, None)
            result = results.get(key, otherwise)
            waiter = self.waiters.pop(key, None)
            if waiter is not None and not waiter.done():
                waiter.set_result(result)
            elif isinstance(result, HttpResponse) and result.status == 200:
                self.unclaimed[key] = result

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._on_task_done)

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        """Raise a task's exception (a log that can't be written) in every waiting call: nobody awaits the task."""
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            for waiter in self.waiters.values():
                if not waiter.done():
                    waiter.set_exception(error)
