"""A model asked in batches: half the price, answers within a day (the providers' batch APIs)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from askwell.core.errors import ConfigError, nearest
from askwell.core.protocols import ChatModel
from askwell.core.types import FINAL_FAULTS, Completion, Request
from askwell.models.batch.anthropic import AnthropicBatches
from askwell.models.batch.endpoint import BatchApi
from askwell.models.batch.ledger import Ledger, NoLedger
from askwell.models.batch.openai import OpenAIBatches, boundary
from askwell.models.batch.submitter import Answer, BatchSubmitter
from askwell.models.http.json_codec import dumps
from askwell.models.parts import ModelParts
from askwell.models.per_loop import PerLoop
from askwell.models.providers.http_model import HttpModel
from askwell.models.providers.quirks import Body
from askwell.models.request_key import request_key

_LOG = logging.getLogger(__name__)
_TRANSFER_S = 600.0
_QUIET_S = 1.0
LEAST = 20
"""Fewer requests than this are not worth waiting hours for."""
WITH_BATCHES = ("openai", "anthropic")
"""Formats of providers whose batches are known."""


@dataclass(frozen=True, slots=True)
class _Line:
    body: Body
    answer: asyncio.Future[Answer]


@dataclass(slots=True)
class _Gathering:
    """What belongs to one event loop."""

    desk: BatchSubmitter
    lines: dict[str, _Line] = field(default_factory=dict[str, _Line])
    """Requests that wait for company, by key."""
    timer: asyncio.TimerHandle | None = None
    opening: asyncio.Task[Completion | None] | None = None
    flushing: set[asyncio.Task[None]] = field(default_factory=set["asyncio.Task[None]"])
    is_proven: bool = False
    proof: asyncio.Future[Completion] | None = None
    proving: str = ""
    stopped: Completion | None = None


class _AskDirectlyError(Exception):
    """The request is to be asked by itself."""


class Batched:
    """Gather the requests of a while (a step's cells) and hand them in as batches.

    A batch goes off when no request came for `min(poll_s, 1)` seconds, or at the provider's limit. Its answers are
    what the model would have said directly; what a batch did not answer is a failed call, to be asked again in the next
    (`Retrying(Batched(…))`). Fewer than `least` requests are asked directly, at the full price, and so is the first of
    all: a bad key or an unknown model is told in seconds, and what the server does not take is learnt before hundreds
    of requests fail of it. Goes without `Limited` and `Coalesced`: all that is wanted at once should wait here.

    `ledger` remembers which requests are in which batch: written before a batch is handed in, looked at when the first
    request comes. So a batch of a process that was killed is taken up, and nothing is paid twice.
    """

    def __init__(
        self,
        model: HttpModel,
        *,
        api: BatchApi | None = None,
        direct: ChatModel | None = None,
        name: str | None = None,
        poll_s: float = 30.0,
        least: int = LEAST,
    ) -> None:
        if poll_s <= 0:
            raise ConfigError(f"poll_s={poll_s!r} must be above 0")
        self.inner = model
        self.api = api or batches_of(model)
        self.ledger: Ledger = NoLedger()
        self.say: Callable[[str], object] = _LOG.info
        """Told of what happens to batches; at most once in `poll_s` for each."""
        self._direct = direct or model
        self._name = name or model.name
        self._poll_s, self._least = poll_s, least
        self._gatherings = PerLoop(self._gathering)
        self.parts = ModelParts(negotiating=(model,), batches=self, price=self.price, direct_price=model.price)

    @property
    def name(self) -> str:
        return self._name

    def price(self, prompt: int, cached: int, completion: int) -> float | None:
        """Return what a call in a batch costs in dollars, where that is known."""
        usual = self.inner.price(prompt, cached, completion)
        return None if usual is None else usual * self.api.price_share

    async def complete(self, request: Request) -> Completion:
        gathering = self._gatherings.get()
        key = request_key(self.name, request)
        problem = await self._opened(gathering)
        if problem is not None:
            return problem
        try:
            completion = await self.inner.complete_by(request, partial(self._send, gathering, key))
        except _AskDirectlyError:
            return await self._ask_directly(gathering, key, request)
        return replace(_at_share(completion, self.api.price_share), seconds=0.0)

    def stop(self) -> None:
        """Let nobody wait any longer: batches go on at the provider, to be taken up by a later process."""
        gathering = self._gatherings.get()
        on = ", ".join(gathering.desk.open)
        gathering.stopped = Completion(
            outcome="failed", fault="budget", error=f"stopped; batch {on} goes on at the provider" if on else "stopped"
        )
        waiters = [*gathering.desk.waiting.values(), *(line.answer for line in gathering.lines.values())]
        gathering.lines.clear()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(gathering.stopped)

    async def settle(self) -> None:
        """Finish what is being handed in and watch no batch any longer; before the ledger is closed."""
        gathering = self._gatherings.get()
        if gathering.timer is not None:
            gathering.timer.cancel()
        if gathering.flushing:
            await asyncio.wait(gathering.flushing, timeout=_QUIET_S)
        await gathering.desk.settle()
        self._gatherings.pop()

    async def aclose(self) -> None:
        await self.settle()
        await self.api.aclose()
        await self._direct.aclose()
        await self.inner.aclose()

    def _gathering(self) -> _Gathering:
        return _Gathering(
            BatchSubmitter(
                api=self.api,
                ledger=self.ledger,
                poll_s=self._poll_s,
                say=self._said,
            )
        )

    def _said(self, text: str) -> None:
        self.say(text)

    async def _opened(self, gathering: _Gathering) -> Completion | None:
        """Take up what an earlier process left, once; return why nothing can be asked, if so."""
        if gathering.opening is None:
            gathering.opening = asyncio.get_running_loop().create_task(self._take_up(gathering))
        opening = gathering.opening
        problem = await asyncio.shield(opening)
        if problem is not None and problem.fault not in FINAL_FAULTS and gathering.opening is opening:
            gathering.opening = None  # it may pass
        return gathering.stopped or problem

    async def _take_up(self, gathering: _Gathering) -> Completion | None:
        before = self.ledger.submissions()
        gathering.proving = self.ledger.probe()
        gathering.is_proven = bool(before) or (bool(gathering.proving) and self.ledger.is_answered(gathering.proving))
        return await gathering.desk.take_up()

    async def _send(self, gathering: _Gathering, key: str, body: Body) -> Answer:
        """Return what a batch answers to this request: one that is on, or one that it is gathered for."""
        desk = gathering.desk
        if gathering.stopped is not None:
            return gathering.stopped
        if key in desk.kept:
            return desk.kept.pop(key)
        loop = asyncio.get_running_loop()
        if key in desk.underway:
            return await asyncio.shield(desk.waiting.setdefault(key, loop.create_future()))
        line = gathering.lines.setdefault(key, _Line(body, loop.create_future()))
        if gathering.timer is not None:
            gathering.timer.cancel()
        gathering.timer = loop.call_later(min(self._poll_s, _QUIET_S), self._go_off, gathering)
        return await asyncio.shield(line.answer)

    def _go_off(self, gathering: _Gathering) -> None:
        gathering.timer = None
        lines, gathering.lines = gathering.lines, {}
        task = asyncio.get_running_loop().create_task(self._dispatch(gathering, lines))
        gathering.flushing.add(task)
        task.add_done_callback(gathering.flushing.discard)

    async def _dispatch(self, gathering: _Gathering, lines: dict[str, _Line]) -> None:
        if len(lines) < self._least:
            for line in lines.values():
                line.answer.set_exception(_AskDirectlyError())
            return
        if not gathering.is_proven:
            failure = await self._prove(gathering, lines)
            if failure is not None:
                for line in lines.values():
                    line.answer.set_result(failure)
                return
        if gathering.stopped is not None:
            return
        bodies: dict[str, Body] = {}
        size = 0
        most = min(gathering.desk.most or self.api.most_requests, self.api.most_requests)
        for key, line in lines.items():
            body = self.inner.negotiation.adapted(line.body)
            length = len(dumps(body)) + 200
            if bodies and (len(bodies) >= most or size + length > self.api.most_bytes):
                gathering.desk.hand_in(bodies)
                bodies, size = {}, 0
            gathering.desk.waiting[key] = line.answer
            bodies[key], size = body, size + length
        gathering.desk.hand_in(bodies)

    async def _prove(self, gathering: _Gathering, lines: dict[str, _Line]) -> Completion | None:
        """Ask one request directly before the first batch (always the same one); return a failure that is all's."""
        key = gathering.proving if gathering.proving in lines else next(iter(lines))
        gathering.proving, gathering.is_proven = key, True
        gathering.proof = asyncio.get_running_loop().create_future()
        await self.ledger.write({"probe": key})
        lines.pop(key).answer.set_exception(_AskDirectlyError())
        completion = await gathering.proof
        gathering.is_proven = completion.fault not in FINAL_FAULTS
        return None if gathering.is_proven else completion

    async def _ask_directly(self, gathering: _Gathering, key: str, request: Request) -> Completion:
        completion = Completion(outcome="failed", fault="budget", error="cancelled")
        try:
            completion = await self._direct.complete(request)
        finally:
            if key == gathering.proving and gathering.proof is not None and not gathering.proof.done():
                gathering.proof.set_result(completion)
        return completion


def batches_of(model: HttpModel) -> BatchApi:
    """Return the batch endpoints of a model's provider. Raises `ConfigError` where none are known."""
    client = model.client(timeout_s=_TRANSFER_S)
    if model.format == "anthropic":
        return AnthropicBatches(model.endpoint, client)
    if model.format == "openai":
        mark = boundary()
        headers = {"Content-Type": f"multipart/form-data; boundary={mark}"}
        upload = model.client(timeout_s=_TRANSFER_S, headers=headers)
        return OpenAIBatches(model.endpoint, client, upload, boundary=mark)
    raise ConfigError(f"no batches for {model.name!r}; {nearest(model.format, WITH_BATCHES)}, or leave batch out")


def _at_share(completion: Completion, share: float) -> Completion:
    cost = completion.usage.cost_usd
    return completion if cost is None else replace(completion, usage=replace(completion.usage, cost_usd=cost * share))
