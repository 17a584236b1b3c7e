"""The batches that are on: handed in, watched until they end, taken up again where an earlier process left them."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field

from askwell.core.types import FINAL_FAULTS, Completion
from askwell.models.batch.endpoint import BatchApi, BatchState
from askwell.models.batch.ledger import Ledger
from askwell.models.http.client import HttpAnswer, failed
from askwell.models.providers.quirks import Body

Answer = HttpAnswer | Completion
_ON_ITS_WAY_S = 5.0  # a submission may reach the provider a little after its sender has died
_TOO_MUCH_AT_ONCE = ("token_limit_exceeded", "enqueued token")
_ASK_AGAIN = 20


@dataclass(slots=True)
class BatchSubmitter:
    """Batches on one event loop. `say` is told of every change."""

    api: BatchApi
    ledger: Ledger
    poll_s: float
    say: Callable[[str], None]
    most: int = 0
    """Most requests a batch, once a provider said that a batch was too large; 0 is the API's own limit."""
    waiting: dict[str, asyncio.Future[Answer]] = field(default_factory=dict[str, "asyncio.Future[Answer]"])
    """Requests somebody waits for, by key."""
    underway: dict[str, str] = field(default_factory=dict[str, str])
    """Requests in a batch that is on -> its tag or id."""
    kept: dict[str, HttpAnswer] = field(default_factory=dict[str, HttpAnswer])
    """Answers that came before they were asked for."""
    open: list[str] = field(default_factory=list[str])
    """Ids of the batches that are on."""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _in_turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def hand_in(self, bodies: Mapping[str, Body]) -> None:
        """Submit requests as one batch, in the background; `waiting` gets what becomes of them."""
        tag = secrets.token_hex(8)
        self.underway.update(dict.fromkeys(bodies, tag))
        self._start(self._submit(tag, bodies))

    async def take_up(self) -> Completion | None:
        """Find the batches that an earlier process left; return why that is impossible, if it is."""
        for one in self.ledger.submissions():
            keys = [key for key in one.keys if not self.ledger.is_answered(key) and key not in self.underway]
            if not keys:
                continue
            batch = one.id or await self._found(one.tag, size=len(one.keys), since=one.at)
            if isinstance(batch, Completion):
                return batch
            if batch is None:
                continue  # it was never handed in
            if not one.id:
                await self.ledger.write({"tag": one.tag, "id": batch})
            problem = await self._take_up(batch, keys)
            if problem is not None:
                return problem
        return None

    async def settle(self) -> None:
        """Finish handing in what is being handed in, so that it can be taken up; wait for nothing else."""
        handing_in = [task for task in self._tasks if task.get_name() == "handing in"]
        if handing_in:
            await asyncio.wait(handing_in, timeout=60)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _submit(self, tag: str, bodies: Mapping[str, Body]) -> None:
        if self.most:
            async with self._in_turn:
                batch = await self._hand_over(tag, bodies)
                if batch:
                    await self._watch(batch, list(bodies))
            return
        batch = await self._hand_over(tag, bodies)
        if batch:
            self._start(self._watch(batch, list(bodies)), "watching")

    async def _hand_over(self, tag: str, bodies: Mapping[str, Body]) -> str:
        """Return the id of the batch, empty where it was not taken."""
        since = time.time()
        await self.ledger.write({"tag": tag, "keys": list(bodies)})
        batch: str | Completion | None = await self.api.submit(bodies, tag)
        if isinstance(batch, Completion) and batch.fault not in FINAL_FAULTS:
            found = await self._found(tag, size=len(bodies), since=since)  # the answer was lost, perhaps not the batch
            batch = found if isinstance(found, str) else batch
        if isinstance(batch, Completion):
            self._close(bodies, {}, otherwise=batch)
            return ""
        await self.ledger.write({"tag": tag, "id": batch})
        self.say(f"batch {batch}: {len(bodies):,} requests handed in")
        return batch

    async def _found(self, tag: str, *, size: int, since: float) -> str | Completion | None:
        found = await self.api.find(tag, size=size, since=since)
        if found is None and (wait := since + _ON_ITS_WAY_S - time.time()) > 0:
            await asyncio.sleep(wait)
            found = await self.api.find(tag, size=size, since=since)
        return found

    async def _take_up(self, batch: str, keys: Sequence[str]) -> Completion | None:
        state = await self.api.state(batch)
        if isinstance(state, Completion):
            return failed(state.fault, f"the run's batch {batch} can't be looked up: {state.error}")
        if not state.end:
            self.say(f"batch {batch} of before goes on: {state.done:,} of {state.total:,} done")
            self.underway.update(dict.fromkeys(keys, batch))
            self._start(self._watch(batch, keys), "watching")
            return None
        answers: Mapping[str, Answer] | Completion = {}
        if state.results:
            answers = await self.api.answers(state)
        if isinstance(answers, Completion):
            return answers
        wanted = {key: answers[key] for key in keys if key in answers}
        self.kept |= {key: one for key, one in wanted.items() if isinstance(one, HttpAnswer) and one.status == 200}
        return None

    async def _watch(self, batch: str, keys: Sequence[str]) -> None:
        self.open.append(batch)
        try:
            state = await self._ended(batch)
            if isinstance(state, Completion):
                self._close(keys, {}, otherwise=state)
                return
            answers = await self._answers(state)
        finally:
            self.open.remove(batch)
        if isinstance(answers, Completion):
            self._close(keys, {}, otherwise=answers)
            return
        self.say(f"batch {batch} {state.end}: {len(answers):,} of {len(keys):,} answers")
        self._close(keys, answers, otherwise=self._unanswered(state, len(keys)))

    async def _ended(self, batch: str) -> BatchState | Completion:
        said = -1
        while True:
            await asyncio.sleep(self.poll_s)
            state = await self.api.state(batch)
            if isinstance(state, Completion):
                if state.fault in FINAL_FAULTS:
                    return failed(state.fault, f"batch {batch} can't be looked up: {state.error}")
                continue
            if state.end:
                return state
            if state.done != said:
                said = state.done
                self.say(f"batch {batch}: {state.done:,} of {state.total:,} done")

    async def _answers(self, state: BatchState) -> Mapping[str, Answer] | Completion:
        answers: Mapping[str, Answer] | Completion = {}
        for _ in range(_ASK_AGAIN if state.results else 0):
            answers = await self.api.answers(state)
            if not isinstance(answers, Completion) or answers.fault in FINAL_FAULTS:
                break
            await asyncio.sleep(self.poll_s)
        return answers

    def _unanswered(self, state: BatchState, size: int) -> Completion:
        """Say what became of the requests that a batch gives no answer to."""
        batch = f"batch {state.id}"
        if state.end == "expired":
            return failed("timeout", f"{batch} expired before this request's turn")
        if state.end == "cancelled":
            return failed("bad_request", f"{batch} was cancelled at the provider; resume to hand in what is missing")
        if state.end == "failed" and any(word in state.words for word in _TOO_MUCH_AT_ONCE):
            self.most = max(1, size // 2)
            self.say(f"{batch} was too large ({state.words}): going on with {self.most:,} requests at a time")
            return Completion(outcome="failed", fault="rate_limit", error=state.words, retry_immediately=size > 1)
        if state.end == "failed":
            return failed("bad_request", f"{batch} was turned down: {state.words or 'no reason given'}")
        return failed("server", f"{batch} has no answer to this request")

    def _close(self, keys: Collection[str], answers: Mapping[str, Answer], *, otherwise: Completion) -> None:
        for key in keys:
            self.underway.pop(key, None)
            answer = answers.get(key, otherwise)
            waiter = self.waiting.pop(key, None)
            if waiter is not None and not waiter.done():
                waiter.set_result(answer)
            elif isinstance(answer, HttpAnswer) and answer.status == 200:
                self.kept[key] = answer

    def _start(self, work: Coroutine[None, None, None], name: str = "handing in") -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended_task)

    def _ended_task(self, task: asyncio.Task[None]) -> None:
        """Hand on what ended a task (a log that can't be written) to whoever waits."""
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            for waiter in self.waiting.values():
                if not waiter.done():
                    waiter.set_exception(error)
