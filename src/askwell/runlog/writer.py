"""The writing side of a run log while a run is on: places in order, durable writes in groups, answers seen before.

Hundreds of calls finish at once and each must be durable before it counts. One thread takes whatever is waiting and
commits it as one batch (group commit), so the event loop never waits for the disk.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import cast

from askwell.errors import StoreError
from askwell.models.base import ChatModel, request_key
from askwell.runlog.codec import Body, decode_completion, encode_completion, encode_prompt, encode_request, prompt_id
from askwell.runlog.store import RunStore
from askwell.types import Completion, Event, ModelRole, Prompt, Request

_Waiting = list[tuple[tuple[Event, ...], "asyncio.Future[None]"]]
"""Events handed over in one turn of the event loop: committed together or not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """A completion found in the log. `cached` says whether it was paid for at another place, and is only used here."""

    completion: Completion
    cached: bool


class Journal:
    """Reserve positions, write events, recall completions. Use as an async context manager on one event loop.

    Positions are reserved in program order before the work is done, so the log of a run does not depend on which call
    answers first, or on where the run was killed.
    """

    def __init__(self, store: RunStore, *, next_position: int = 0) -> None:
        self.store = store
        self.next_position = next_position
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._commit_forever, name="askwell-log", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._texts: dict[str, int] = {}
        self._turn: _Waiting = []
        self._is_committing = False

    async def __aenter__(self) -> Journal:
        self._loop = asyncio.get_running_loop()
        for event in self.store.events(kinds=["prompt"]):
            self._texts.setdefault(cast("str", event.body["id"]), event.position)
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._hand_over()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def reserve(self, count: int = 1) -> int:
        """Take `count` consecutive positions and return the first."""
        first = self.next_position
        self.next_position += count
        return first

    def prompt_events(self, prompts: Sequence[Prompt]) -> list[Event]:
        """Return the events, in their places, that hold the texts which the coming rollouts refer to by id."""
        first = self.reserve(len(prompts))
        found = [
            Event(position=first + index, kind="prompt", body=encode_prompt(prompt))
            for index, prompt in enumerate(prompts)
        ]
        for event in found:
            self._texts.setdefault(cast("str", event.body["id"]), event.position)
        return found

    def unlogged_prompts(self, prompts: Iterable[Prompt]) -> list[Prompt]:
        """Return the prompts whose text stands nowhere before this place in the log, each once.

        What a killed run wrote further on does not count: the resumed one has to reserve the same places again.
        """
        different = dict.fromkeys(prompts)
        return [one for one in different if self._texts.get(prompt_id(one), self.next_position) >= self.next_position]

    async def write(self, *events: Event) -> None:
        """Return when the events are durable. Raises `StoreError` where they could not be written."""
        await self.put(*events)

    def put(self, *events: Event) -> asyncio.Future[None]:
        """Hand events over and return at once; the future is done, in the order of the calls, when they are durable.

        What is handed over in one turn of the event loop is committed together or not at all, and so is all that comes
        while the disk is busy.
        """
        if self._loop is None:
            raise StoreError("the journal is not open; use it as an async context manager")
        done: asyncio.Future[None] = self._loop.create_future()
        if not self._turn and not self._is_committing:
            self._loop.call_soon(self._hand_over)
        self._turn.append((events, done))
        return done

    def _hand_over(self) -> None:
        """Give the other thread one batch at a time: each time it wakes up, it disturbs the event loop."""
        turn, self._turn = self._turn, []
        self._is_committing = bool(turn)
        if turn:
            self._queue.put(turn)

    def recall(self, key: str, position: int) -> Recalled | None:
        """Return the completion already paid for under this key, the one at `position` first; None if all failed."""
        event = self.store.find(key, position=position)
        if event is None:
            return None
        completion = decode_completion(cast("Body", event.body["completion"]))
        if completion.outcome == "failed":
            return None
        cached = event.position != position or bool(event.body.get("cached"))  # a resumed run comes by what it reused
        return Recalled(completion=replace(completion, seconds=event.seconds), cached=cached)

    def _commit_forever(self) -> None:
        while (group := self._queue.get()) is not None:
            error: BaseException | None = None
            try:
                self.store.append([event for events, _ in group for event in events])
            except BaseException as raised:  # noqa: BLE001 - raised again where each event was to be written
                error = raised
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._settle, [done for _, done in group], error)

    def _settle(self, futures: Iterable[asyncio.Future[None]], error: BaseException | None) -> None:
        _settle(futures, error)
        self._hand_over()


def _settle(futures: Iterable[asyncio.Future[None]], error: BaseException | None) -> None:
    for future in futures:
        if future.done():  # its task was cancelled meanwhile; the event is durable all the same
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)


class Journaled:
    """A model whose every call is written to the log as a `call` event and answered from there the second time."""

    def __init__(self, model: ChatModel, journal: Journal, *, role: ModelRole) -> None:
        self._model = model
        self._journal = journal
        self._role: ModelRole = role

    @property
    def name(self) -> str:
        return self._model.name

    async def complete(self, request: Request) -> Completion:
        position = self._journal.reserve()  # before the first await: places follow the order of the calls
        key = request_key(self.name, request)
        known = self._journal.recall(key, position)
        completion = known.completion if known else await self._model.complete(request)
        if completion.outcome == "failed":
            return completion  # not written: its place stays free for the answer that a resumed run will get
        body: dict[str, object] = {
            "role": self._role,
            "model": self.name,
            "request": encode_request(request),
            "completion": encode_completion(completion),
        }
        if known and known.cached:
            body["cached"] = True
        await self._journal.write(Event(position=position, kind="call", body=body, key=key, seconds=completion.seconds))
        return completion

    async def aclose(self) -> None:
        await self._model.aclose()
