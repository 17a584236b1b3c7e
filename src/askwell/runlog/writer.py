"""Write a run's log during the run: reserve positions, commit events in groups, recall answers of earlier calls.

Hundreds of calls finish at once, and each must be durable before it counts. One thread takes all waiting events and
commits them as one batch (group commit), so the event loop never waits for the disk.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import cast

from askwell.core.errors import StoreError
from askwell.core.protocols import ChatModel
from askwell.core.types import Completion, Event, ModelRole, Prompt, Request
from askwell.models.request_key import request_key
from askwell.runlog.codec import Body, decode_completion, encode_completion, encode_prompt, encode_request, prompt_id
from askwell.runlog.reading import read_events
from askwell.runlog.store import RunStore

_Waiting = list[tuple[tuple[Event, ...], "asyncio.Future[None]"]]
"""Events passed to the thread in one turn of the event loop: they are committed together or not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """A completion from the log. `cached`: it was paid for at another position, and is reused here."""

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
        for event in read_events(self.store, kinds=["prompt"]):
            self._texts.setdefault(cast("str", event.body["id"]), event.position)
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._submit()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def reserve(self, count: int = 1) -> int:
        """Take `count` consecutive positions and return the first."""
        first = self.next_position
        self.next_position += count
        return first

    def prompt_events(self, prompts: Sequence[Prompt]) -> list[Event]:
        """Return the events with the texts of these prompts, at reserved positions; rollouts refer to them by id."""
        first = self.reserve(len(prompts))
        events = [
            Event(position=first + index, kind="prompt", body=encode_prompt(prompt))
            for index, prompt in enumerate(prompts)
        ]
        for event in events:
            self._texts.setdefault(cast("str", event.body["id"]), event.position)
        return events

    def unlogged_prompts(self, prompts: Iterable[Prompt]) -> list[Prompt]:
        """Return the distinct prompts whose text is not logged before this position.

        Texts that a killed run wrote after it do not count: the resumed run has to reserve the same positions again.
        """
        here = self.next_position
        return [prompt for prompt in dict.fromkeys(prompts) if self._texts.get(prompt_id(prompt), here) >= here]

    async def write(self, *events: Event) -> None:
        """Return when the events are durable. Raises `StoreError` if they could not be written."""
        await self.put(*events)

    def put(self, *events: Event) -> asyncio.Future[None]:
        """Queue events and return at once; the futures are done in the order of the calls, once events are durable.

        Events of one turn of the event loop are committed together or not at all, as are all that arrive during a
        commit.
        """
        if self._loop is None:
            raise StoreError("the journal is not open; use it as an async context manager")
        done: asyncio.Future[None] = self._loop.create_future()
        if not self._turn and not self._is_committing:
            self._loop.call_soon(self._submit)
        self._turn.append((events, done))
        return done

    def _submit(self) -> None:
        """Pass the thread one batch at a time: each time it wakes up, it takes the interpreter's lock."""
        turn, self._turn = self._turn, []
        self._is_committing = bool(turn)
        if turn:
            self._queue.put(turn)

    def recall(self, key: str, position: int) -> Recalled | None:
        """Return a completion paid for under this key, preferably the one at `position`; None if all failed."""
        event = self.store.find(key, position=position)
        if event is None:
            return None
        completion = decode_completion(cast("Body", event.body["completion"]))
        if completion.outcome == "failed":
            return None
        cached = event.position != position or bool(event.body.get("cached"))  # as before the kill
        return Recalled(completion=replace(completion, seconds=event.seconds), cached=cached)

    def _commit_forever(self) -> None:
        while (group := self._queue.get()) is not None:
            error: BaseException | None = None
            try:
                self.store.append([event for events, _ in group for event in events])
            except BaseException as raised:  # noqa: BLE001 - raised again in each task that waits for its event
                error = raised
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._settle, [done for _, done in group], error)

    def _settle(self, futures: Iterable[asyncio.Future[None]], error: BaseException | None) -> None:
        _settle(futures, error)
        self._submit()


def _settle(futures: Iterable[asyncio.Future[None]], error: BaseException | None) -> None:
    for future in futures:
        if future.done():  # its task was cancelled; the event is durable anyway
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)


class LoggedModel:
    """Wraps a model: each call is logged as a `call` event, and a repeated call is answered from the log."""

    def __init__(self, model: ChatModel, journal: Journal, *, role: ModelRole) -> None:
        self._model = model
        self._journal = journal
        self._role: ModelRole = role

    @property
    def name(self) -> str:
        return self._model.name

    async def complete(self, request: Request) -> Completion:
        position = self._journal.reserve()  # before the first await: positions follow the order of the calls
        key = request_key(self.name, request)
        recalled = self._journal.recall(key, position)
        completion = recalled.completion if recalled else await self._model.complete(request)
        if completion.outcome == "failed":
            return completion  # not logged: a resumed run writes its answer at this position
        body: dict[str, object] = {
            "role": self._role,
            "model": self.name,
            "request": encode_request(request),
            "completion": encode_completion(completion),
        }
        if recalled and recalled.cached:
            body["cached"] = True
        await self._journal.write(Event(position=position, kind="call", body=body, key=key, seconds=completion.seconds))
        return completion

    async def aclose(self) -> None:
        await self._model.aclose()
