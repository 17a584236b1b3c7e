"""Several keys or servers of one model as one: each call goes where it is expected to be answered soonest."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from askwell.errors import ConfigError
from askwell.models.base import ChatModel
from askwell.models.limit import Limited
from askwell.models.parts import ModelParts, parts_of
from askwell.models.perloop import PerLoop
from askwell.models.pool_member import MISPLACED, Member
from askwell.models.totals import MemberTotals
from askwell.types import Completion, Request

_LOG = logging.getLogger(__name__)
_ENDPOINT = re.compile(r"@https?://.*$", re.DOTALL)
_PREFIX_CHARS = 256  # a shorter common beginning is not worth a server's cache
_AT_HOME = 0.75  # how much sooner a server is taken to answer what begins as something it knows
_SOONEST_S = 0.0005
_LOOK_AGAIN_S = 0.1  # another model of the same server may have made room
_REMEMBERED = 10_000


@dataclass(slots=True, eq=False)
class _Call:
    request: Request
    tried: set[Member]
    turn: asyncio.Future[Member]


@dataclass(slots=True)
class _Waiting:
    """What belongs to one event loop: the calls that no member has room for, and when to look again."""

    calls: deque[_Call] = field(default_factory=deque["_Call"])
    timer: asyncio.TimerHandle | None = None
    wakes_at: float = 0.0
    """When the timer goes off, by the loop's clock (a handle of uvloop can't always tell)."""


class Pool:
    """Spread calls over `members`: the same model behind other addresses, or with other keys.

    A call waits in no member's queue but here, until some member has room: limits are learnt and kept by each member on
    its own (a `Limited`; one that is none gets `max_concurrency` and a rate limit of its own). Of those with room the
    one expected to answer soonest is asked; a request that begins like an earlier one stays with that one's member (its
    server has the beginning in its cache) as long as the loads are about level.

    A call that a member refused or could not be reached for goes on to another at once; one that failed later goes
    elsewhere when it is tried again (`Retrying(Pool(…))`). A member with a bad key or without a connection is left out
    for a while, told once in the log, then tried with one call. Only when no member can answer the call fails.

    `name` is what the run log knows the model by, whatever the members; by default the members' own, without their
    addresses. Raises `ConfigError` where that is not one name.
    """

    def __init__(
        self,
        members: Sequence[ChatModel],
        *,
        name: str | None = None,
        labels: Sequence[str] | None = None,
        max_concurrency: int = 16,
    ) -> None:
        if not members:
            raise ConfigError("a pool without members; give at least one model")
        self._name = name or _common_name(members)
        limited = [
            one if isinstance(one, Limited) else Limited(one, max_concurrency=max_concurrency) for one in members
        ]
        labels = labels or [f"{number} ({one.name})" for number, one in enumerate(members, 1)]
        self._members = [Member(one, label=label) for one, label in zip(limited, labels, strict=True)]
        self._waiting = PerLoop(_Waiting)
        self._failed_at: dict[Request, set[Member]] = {}
        parts = [parts_of(member.model) for member in self._members]
        self.parts = ModelParts(
            negotiating=tuple(model for each in parts for model in each.negotiating),
            members=lambda: self.totals,
            price=parts[0].price,  # all members are the same model
            direct_price=parts[0].direct_price,
        )

    @property
    def name(self) -> str:
        return self._name

    @property
    def totals(self) -> list[MemberTotals]:
        """What has gone through each member so far, attempts that failed included."""
        return [MemberTotals(label=one.label, totals=one.model.totals) for one in self._members]

    async def complete(self, request: Request) -> Completion:
        tried_before = self._failed_at.get(request, set()) if self._failed_at else set[Member]()
        tried = set[Member]()
        failures: list[tuple[Member, Completion]] = []
        while True:
            member = await self._turn(request, tried | tried_before)
            completion = await self._ask(member, request)
            if completion.outcome != "failed":
                self._failed_at.pop(request, None)
                self._blame(failures)
                return completion
            failures.append((member, completion))
            is_second_time = member in tried
            tried.add(member)
            if is_second_time or completion.fault not in MISPLACED or not self._others(tried):
                break
        self._remember(request, tried | tried_before)
        return self._together(failures)

    async def aclose(self) -> None:
        for member in self._members:
            await member.model.aclose()
        for one in self.totals:
            if one.totals.calls:
                _LOG.info("%s: %d calls at %s, %d failed", self.name, one.totals.calls, one.label, one.totals.failed)

    async def _ask(self, member: Member, request: Request) -> Completion:
        """Send a call to the member that has a place booked for it."""
        started = time.monotonic()
        try:
            completion = await member.model.complete(request)
        finally:
            member.in_flight -= 1
            self._pump()
        now = time.monotonic()
        if completion.outcome != "failed":
            member.answered(now, now - started)
        elif completion.fault != "bad_request":  # whose fault that is shows when another member answers it
            self._book_failure(member, completion, now)
        return completion

    def _book_failure(self, member: Member, completion: Completion, now: float) -> None:
        if member.failed(now, completion) and len(self._members) > 1:
            level = logging.ERROR if member.refuses else logging.WARNING
            _LOG.log(level, "%s: %s is left out for a while: %s", self.name, member.label, completion.error)

    def _blame(self, failures: Sequence[tuple[Member, Completion]]) -> None:
        """Book what a member called a bad request and another one answered."""
        for member, completion in failures:
            if completion.fault == "bad_request":
                self._book_failure(member, completion, time.monotonic())

    def _others(self, tried: set[Member]) -> bool:
        now = time.monotonic()
        return any(one not in tried and not one.is_out(now) for one in self._members)

    def _remember(self, request: Request, tried: set[Member]) -> None:
        """Note where a request failed, so that its next try goes elsewhere; nowhere is left out for ever."""
        self._failed_at.pop(request, None)
        if len(tried) < len(self._members):
            self._failed_at[request] = tried
            if len(self._failed_at) > _REMEMBERED:
                del self._failed_at[next(iter(self._failed_at))]

    def _together(self, failures: Sequence[tuple[Member, Completion]]) -> Completion:
        """Return the failure that says most: one that may pass before one that will not."""
        member, worst = min(failures, key=lambda one: one[1].fault in ("auth", "bad_request"))
        now = time.monotonic()
        out = [one.label for one in self._members if one is not member and one.is_out(now)]
        if len(self._members) == 1:
            return worst
        more = f"; left out for now: {', '.join(out)}" if out else ""
        return replace(worst, error=f"{worst.error} (at {member.label}{more})")

    # --- whose turn it is ---------------------------------------------------------------------------------------------

    async def _turn(self, request: Request, tried: set[Member]) -> Member:
        """Return a member with room and book a place there, waiting for one if need be."""
        waiting = self._waiting.get()
        if not waiting.calls:
            member = self._choice(request, tried, self._members, time.monotonic())
            if member is not None:
                member.in_flight += 1
                return member
        call = _Call(request, tried, asyncio.get_running_loop().create_future())
        waiting.calls.append(call)
        self._look_again(waiting)
        try:
            return await call.turn
        except asyncio.CancelledError:
            if call.turn.done() and not call.turn.cancelled():  # given a place in the same moment
                call.turn.result().in_flight -= 1
                self._pump()
            raise

    def _choice(self, request: Request, tried: set[Member], able: Sequence[Member], now: float) -> Member | None:
        """Return which of the members with room to ask; None to wait for one."""
        alive = [one for one in self._members if not one.is_out(now)]
        if not alive:  # somebody has to be asked: who may have come back first
            alive = [min(self._members, key=lambda one: (one.refuses, one.out_until))]
        untried = [one for one in alive if one not in tried]
        wanted = alive if all(one.is_shut() for one in untried) else untried
        free = [one for one in wanted if one in able and one.wait_s() <= 0]
        if len(free) < 2:
            return free[0] if free else None
        known = [one.seconds for one in self._members if one.seconds is not None]
        usual, home = min(known, default=1.0), self._home(request, alive)
        return min(free, key=lambda one: one.expected_s(now, usual) * (_AT_HOME if one is home else 1.0))

    def _home(self, request: Request, alive: Sequence[Member]) -> Member:
        """Return the member for what begins like this (rendezvous hashing: one that leaves moves only its own)."""
        first = request.messages[0].content[:_PREFIX_CHARS] if request.messages else ""
        start = hashlib.blake2b(first.encode("utf-8", "surrogatepass"), digest_size=8)

        def weight(member: Member) -> bytes:
            mixed = start.copy()
            mixed.update(member.label.encode())
            return mixed.digest()

        return max(alive, key=weight)

    def _pump(self) -> None:
        """Hand waiting calls to members with room: one a member in each turn of the loop, so that it books it first."""
        waiting = self._waiting.get()
        if not waiting.calls:
            return
        now, able, kept = time.monotonic(), list(self._members), deque[_Call]()
        while waiting.calls and able:
            call = waiting.calls.popleft()
            if call.turn.done():
                continue
            member = self._choice(call.request, call.tried, able, now)
            if member is None:
                kept.append(call)
                if not any(one.wait_s() <= 0 for one in able):
                    break
                continue
            member.in_flight += 1
            able.remove(member)
            call.turn.set_result(member)
        is_handed_over = len(able) < len(self._members)
        waiting.calls.extendleft(reversed(kept))
        if waiting.calls:
            self._look_again(waiting, at_once=is_handed_over)

    def _look_again(self, waiting: _Waiting, *, at_once: bool = False) -> None:
        loop = asyncio.get_running_loop()
        if at_once:
            loop.call_soon(self._pump)
            return
        wait = min([_LOOK_AGAIN_S, *(one.wait_s() for one in self._members)])
        moment = loop.time() + max(wait, _SOONEST_S)
        if waiting.timer is not None and waiting.wakes_at > moment + _SOONEST_S:
            waiting.timer.cancel()
            waiting.timer = None
        if waiting.timer is None:
            waiting.wakes_at = moment
            waiting.timer = loop.call_at(moment, self._on_timer, waiting)

    def _on_timer(self, waiting: _Waiting) -> None:
        waiting.timer = None
        self._pump()


def _common_name(members: Sequence[ChatModel]) -> str:
    names = sorted({_ENDPOINT.sub("", one.name) for one in members})
    if len(names) > 1:
        raise ConfigError(
            f"the members of a pool are called {names}: expected one model behind several addresses or keys; give "
            "name=… where they are one model all the same"
        )
    return names[0]
