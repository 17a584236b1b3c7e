"""Several keys or servers of one model as one model: each call goes to the one expected to answer soonest."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from askwell.core.errors import ConfigError
from askwell.core.protocols import ChatModel
from askwell.core.types import Completion, Request
from askwell.models.parts import ModelParts, parts_of
from askwell.models.per_loop import PerLoop
from askwell.models.totals import MemberTotals
from askwell.models.wrappers.limited import Limited
from askwell.models.wrappers.pool_member import REROUTABLE_FAULTS, PoolMember

_LOG = logging.getLogger(__name__)
_ENDPOINT = re.compile(r"@https?://.*$", re.DOTALL)
_PREFIX_CHARS = 256  # a shorter common prefix gains nothing from a server's prefix cache
_CACHE_DISCOUNT = (
    0.75  # of the expected latency, at the member that has the prefix cached: locality never outweighs load
)
_MIN_DELAY_S = 0.0005  # of a timer: a shorter one would only spin
_POLL_S = 0.1  # another model of the same server may have freed its capacity, which nothing reports
_MAX_REMEMBERED = 10_000  # failed requests: a bound on memory only


@dataclass(slots=True, eq=False)
class _PendingCall:
    """A call that waits for a member with capacity."""

    request: Request
    tried: set[PoolMember]
    turn: asyncio.Future[PoolMember]


@dataclass(slots=True)
class _PendingCalls:
    """The state of one event loop: the calls that no member has capacity for, and the timer of the next attempt."""

    calls: deque[_PendingCall] = field(default_factory=deque["_PendingCall"])
    timer: asyncio.TimerHandle | None = None
    wakes_at: float = 0.0
    """When the timer fires, by the loop's clock: a timer handle of uvloop does not always know."""


class Pool:
    """Spread calls over `members`: one model at several addresses, or with several keys.

    A call waits in the pool, not in a member's queue, until a member has capacity. Each member learns and keeps its own
    limits (a `Limited`; any other model is wrapped in one with `max_concurrency`). Among the members with capacity, the
    one expected to answer soonest gets the call. Requests with a common prefix go to the same member (its server has
    the prefix in its cache) as long as the loads are about equal.

    A call that a member rejected before working on it goes to another member at once. A call that failed later goes to
    another member when it is retried (`Retrying(Pool(…))`). A member with a bad key or without a connection is
    suspended for a while, logged once, then tried with one call. The call fails only if no member can answer it.

    `name` is the model's name in the run log; by default the members' common name without their addresses. Raises
    `ConfigError` if they have no common name.
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
            model if isinstance(model, Limited) else Limited(model, max_concurrency=max_concurrency)
            for model in members
        ]
        labels = labels or [f"{number} ({model.name})" for number, model in enumerate(members, 1)]
        self._members = [PoolMember(model, label=label) for model, label in zip(limited, labels, strict=True)]
        self._pending = PerLoop(_PendingCalls)
        self._failed_at: dict[Request, set[PoolMember]] = {}
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
        """Return the totals of each member so far, failed attempts included."""
        return [MemberTotals(label=member.label, totals=member.model.totals) for member in self._members]

    async def complete(self, request: Request) -> Completion:
        tried_before = self._failed_at.get(request, set()) if self._failed_at else set[PoolMember]()
        tried = set[PoolMember]()
        failures: list[tuple[PoolMember, Completion]] = []
        while True:
            member = await self._acquire_member(request, tried | tried_before)
            completion = await self._call_member(member, request)
            if completion.outcome != "failed":
                self._failed_at.pop(request, None)
                self._record_bad_requests(failures)
                return completion
            failures.append((member, completion))
            is_second_time = member in tried
            tried.add(member)
            if is_second_time or completion.fault not in REROUTABLE_FAULTS or not self._has_alternative(tried):
                break
        self._record_tried(request, tried | tried_before)
        return self._combine_failures(failures)

    async def aclose(self) -> None:
        for member in self._members:
            await member.model.aclose()
        for each in self.totals:
            if each.totals.calls:
                _LOG.info("%s: %d calls at %s, %d failed", self.name, each.totals.calls, each.label, each.totals.failed)

    async def _call_member(self, member: PoolMember, request: Request) -> Completion:
        """Send a call to a member whose capacity it has already reserved."""
        started = time.monotonic()
        try:
            completion = await member.model.complete(request)
        finally:
            member.in_flight -= 1
            self._dispatch()
        now = time.monotonic()
        if completion.outcome != "failed":
            member.record_success(now, now - started)
        elif completion.fault != "bad_request":  # the request's fault, unless another member answers it
            self._record_failure(member, completion, now)
        return completion

    def _record_failure(self, member: PoolMember, completion: Completion, now: float) -> None:
        if member.record_failure(now, completion) and len(self._members) > 1:
            level = logging.ERROR if member.is_misconfigured else logging.WARNING
            _LOG.log(level, "%s: %s is left out for a while: %s", self.name, member.label, completion.error)

    def _record_bad_requests(self, failures: Sequence[tuple[PoolMember, Completion]]) -> None:
        """Record as the members' failures the bad requests that another member answered."""
        for member, completion in failures:
            if completion.fault == "bad_request":
                self._record_failure(member, completion, time.monotonic())

    def _has_alternative(self, tried: set[PoolMember]) -> bool:
        now = time.monotonic()
        return any(member not in tried and not member.is_suspended(now) for member in self._members)

    def _record_tried(self, request: Request, tried: set[PoolMember]) -> None:
        """Record where a request failed, so that its retry goes to another member; forget it once all have failed."""
        self._failed_at.pop(request, None)
        if len(tried) < len(self._members):
            self._failed_at[request] = tried
            if len(self._failed_at) > _MAX_REMEMBERED:
                del self._failed_at[next(iter(self._failed_at))]

    def _combine_failures(self, failures: Sequence[tuple[PoolMember, Completion]]) -> Completion:
        """Return the most useful failure: a transient one if there is any, as it permits a retry."""
        member, worst = min(failures, key=lambda failure: failure[1].fault in ("auth", "bad_request"))
        now = time.monotonic()
        suspended = [other.label for other in self._members if other is not member and other.is_suspended(now)]
        if len(self._members) == 1:
            return worst
        more = f"; left out for now: {', '.join(suspended)}" if suspended else ""
        return replace(worst, error=f"{worst.error} (at {member.label}{more})")

    # --- choosing a member --------------------------------------------------------------------------------------------

    async def _acquire_member(self, request: Request, tried: set[PoolMember]) -> PoolMember:
        """Wait for a member with capacity, reserve a slot there, and return it."""
        pending = self._pending.get()
        if not pending.calls:
            member = self._choose_member(request, tried, self._members, time.monotonic())
            if member is not None:
                member.in_flight += 1
                return member
        call = _PendingCall(request, tried, asyncio.get_running_loop().create_future())
        pending.calls.append(call)
        self._schedule_dispatch(pending)
        try:
            return await call.turn
        except asyncio.CancelledError:
            if call.turn.done() and not call.turn.cancelled():  # reserved in the same iteration of the loop
                call.turn.result().in_flight -= 1
                self._dispatch()
            raise

    def _choose_member(
        self, request: Request, tried: set[PoolMember], available: Sequence[PoolMember], now: float
    ) -> PoolMember | None:
        """Return the member to call; None to wait for capacity."""
        active = [member for member in self._members if not member.is_suspended(now)]
        if not active:  # one must be called: the one whose suspension ends first
            active = [min(self._members, key=lambda member: (member.is_misconfigured, member.suspended_until))]
        untried = [member for member in active if member not in tried]
        # A retry prefers members it has not tried, but does not wait long for them.
        wanted = active if all(member.is_rate_limited() for member in untried) else untried
        free = [member for member in wanted if member in available and member.wait_s() <= 0]
        if len(free) < 2:
            return free[0] if free else None
        latencies = [member.latency_s for member in self._members if member.latency_s is not None]
        usual, cache_member = min(latencies, default=1.0), self._cache_member(request, active)
        return min(
            free,
            key=lambda member: (
                member.expected_latency_s(now, usual) * (_CACHE_DISCOUNT if member is cache_member else 1.0)
            ),
        )

    def _cache_member(self, request: Request, active: Sequence[PoolMember]) -> PoolMember:
        """Return the member for this prefix by rendezvous hashing: a suspended member moves only its own prefixes."""
        first = request.messages[0].content[:_PREFIX_CHARS] if request.messages else ""
        start = hashlib.blake2b(first.encode("utf-8", "surrogatepass"), digest_size=8)

        def weight(member: PoolMember) -> bytes:
            mixed = start.copy()
            mixed.update(member.label.encode())
            return mixed.digest()

        return max(active, key=weight)

    def _dispatch(self) -> None:
        """Give waiting calls to members with capacity: one per member and loop iteration.

        A member counts the call only once its task has run, so a second call might exceed its limit.
        """
        pending = self._pending.get()
        if not pending.calls:
            return
        now, available, kept = time.monotonic(), list(self._members), deque[_PendingCall]()
        while pending.calls and available:
            call = pending.calls.popleft()
            if call.turn.done():
                continue
            member = self._choose_member(call.request, call.tried, available, now)
            if member is None:
                kept.append(call)
                if not any(member.wait_s() <= 0 for member in available):
                    break
                continue
            member.in_flight += 1
            available.remove(member)
            call.turn.set_result(member)
        has_dispatched = len(available) < len(self._members)
        pending.calls.extendleft(reversed(kept))
        if pending.calls:
            self._schedule_dispatch(pending, at_once=has_dispatched)

    def _schedule_dispatch(self, pending: _PendingCalls, *, at_once: bool = False) -> None:
        loop = asyncio.get_running_loop()
        if at_once:
            loop.call_soon(self._dispatch)
            return
        wait = min([_POLL_S, *(member.wait_s() for member in self._members)])
        moment = loop.time() + max(wait, _MIN_DELAY_S)
        if pending.timer is not None and pending.wakes_at > moment + _MIN_DELAY_S:
            pending.timer.cancel()
            pending.timer = None
        if pending.timer is None:
            pending.wakes_at = moment
            pending.timer = loop.call_at(moment, self._on_timer, pending)

    def _on_timer(self, pending: _PendingCalls) -> None:
        pending.timer = None
        self._dispatch()


def _common_name(members: Sequence[ChatModel]) -> str:
    names = sorted({_ENDPOINT.sub("", member.name) for member in members})
    if len(names) > 1:
        raise ConfigError(
            f"the members of a pool are called {names}; expected one model behind several addresses or keys: give "
            "name=… if they are the same model"
        )
    return names[0]
