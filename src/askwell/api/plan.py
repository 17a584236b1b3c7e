"""What a run will cost, before a call of it is paid: calls, tokens, money and time, expected and at the worst.

Adds up `Optimizer.demand` over the steps, the first scoring and the final test, in the order in which they run. Calls
are counted as the caps count them: answered ones. A call that failed is tried again and is no call; whether a provider
bills for some failures is its own affair. A resumed run pays for what is missing only, so it never pays more.

The worst case is a bound: no prompt is dropped as a duplicate, every reply is as long as it may be, a token is as short
as a byte. It rests on three assumptions: the server honours `max_tokens`, a text of n tokens of one model is at most 2n
tokens of the other, and a prompt shows the question once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from askwell.api.plan_sizes import Sizes, Stage, stages
from askwell.core.types import ModelRole
from askwell.engine.budget import Caps
from askwell.engine.jobs import OptimizeJob
from askwell.models.parts import parts_of
from askwell.models.providers.prices import PriceFunction

ROLES: tuple[ModelRole, ModelRole] = ("target", "optimizer")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRate:
    """How fast a model may be asked."""

    concurrency: int = 16
    """Most requests in flight."""
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    latency_s: float = 2.0
    """Seconds that a call usually takes: an assumption, unless measured."""
    timeout_s: float | None = None
    """Seconds after which a call has failed; without it the worst time is unknown."""
    batch_s: float | None = None
    """Seconds that a batch usually takes, where the calls of a step are one; None where they are asked directly."""
    slowest_batch_s: float | None = None
    """Seconds that it takes at the most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """So many calls of one model, and what they use. `cost_usd` is None where its price is unknown."""

    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPlan:
    """What one model will be asked to do."""

    role: ModelRole
    model: str
    expected: Amount
    worst: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class CapEffect:
    """What one cap does to the run."""

    cap: str
    """calls, tokens, dollars or minutes."""
    limit: float
    expected: float
    """What the run is expected to want of it."""
    worst: float | None
    last_step: int | None
    """The last step that is expected to be finished, the final test kept back; None where all are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run will cost. Times are seconds."""

    steps: int
    models: tuple[ModelPlan, ModelPlan]
    """The target model, then the optimizer model."""
    expected_seconds: float
    worst_seconds: float | None
    """Every call just within its time-out and none tried twice; None where a model has no time-out."""
    cuts: tuple[CapEffect, ...]
    """One for each cap that is set."""

    @property
    def expected_usd(self) -> float | None:
        return _sum_known([one.expected.cost_usd for one in self.models])

    @property
    def worst_usd(self) -> float | None:
        return _sum_known([one.worst.cost_usd for one in self.models])


def plan_job(job: OptimizeJob, *, target: CallRate | None = None, optimizer: CallRate | None = None) -> Plan:
    """Estimate what a job will cost; asks no model, reads no clock, writes nothing.

    Without a pace a model is taken to answer in 2 seconds, as many at once as the job allows.
    """
    paces = (target or CallRate(concurrency=job.target_setup.concurrency), optimizer or CallRate())
    models = (job.target_setup.model, job.optimizer_model)
    usual = tuple(parts_of(model).price for model in models)
    dearest = tuple(parts_of(model).direct_price for model in models)  # of batches: what is too little for one
    found = list(stages(job))
    expected, worst = ([stage.usual for stage in found], [stage.most for stage in found])
    rows = tuple(
        ModelPlan(
            role=role,
            model=model.name,
            expected=_amount([sizes[index] for sizes in expected], usual[index]),
            worst=_amount([sizes[index] for sizes in worst], dearest[index]),
        )
        for index, (role, model) in enumerate(zip(ROLES, models, strict=True))
    )
    levels = [_StageUsage.of(stage, stage.usual, usual, _seconds(stage.usual, paces)) for stage in found]
    timed = all(pace.timeout_s is not None for pace in paces)
    slowest = [_StageUsage.of(stage, stage.most, dearest, _slowest_seconds(stage.most, paces)) for stage in found]
    return Plan(
        steps=job.settings.steps,
        models=(rows[0], rows[1]),
        expected_seconds=sum(level.minutes for level in levels) * 60,
        worst_seconds=sum(level.minutes for level in slowest) * 60 if timed else None,
        cuts=tuple(_cap_effects(job.caps, levels, slowest, timed=timed)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _StageUsage:
    """What one stage of a run uses of each cap."""

    step: int | None
    calls: float
    tokens: float
    dollars: float
    minutes: float

    @classmethod
    def of(cls, stage: Stage, sizes: Sequence[Sizes], prices: Sequence[PriceFunction], seconds: float) -> _StageUsage:
        amounts = [_amount([size], price) for size, price in zip(sizes, prices, strict=True)]
        return cls(
            step=stage.step,
            calls=sum(amount.calls for amount in amounts),
            tokens=sum(amount.tokens for amount in amounts),
            dollars=_sum_known([amount.cost_usd for amount in amounts]) or 0.0,
            minutes=seconds / 60,
        )


def _cap_effects(
    caps: Caps, usual: Sequence[_StageUsage], most: Sequence[_StageUsage], *, timed: bool
) -> Iterator[CapEffect]:
    limits = {
        "calls": caps.max_calls, "tokens": caps.max_tokens, "dollars": caps.max_usd, "minutes": caps.max_minutes,
    }  # fmt: skip
    for name, limit in limits.items():
        if limit is None:
            continue
        wanted = [float(getattr(level, name)) for level in usual]
        *working, test = wanted
        last: int | None = None
        if sum(wanted) > limit:
            last, spent = 0, test  # enough is kept back for the test
            for level, share in zip(usual, working, strict=False):
                spent += share
                if spent > limit:
                    break
                last = level.step or 0
        worst = sum(float(getattr(level, name)) for level in most)
        known = timed or name != "minutes"
        yield CapEffect(cap=name, limit=limit, expected=sum(wanted), worst=worst if known else None, last_step=last)


def _seconds(sizes: Sequence[Sizes], paces: Sequence[CallRate]) -> float:
    """The models of a stage are asked one after the other; each is held by its slowest limit."""
    total = 0.0
    for size, pace in zip(sizes, paces, strict=True):
        waves = math.ceil(size.calls / pace.concurrency) * pace.latency_s
        by_requests = 60 * size.calls / pace.requests_per_minute if pace.requests_per_minute else 0.0
        by_tokens = 60 * size.tokens / pace.tokens_per_minute if pace.tokens_per_minute else 0.0
        direct = max(waves, by_requests, by_tokens)
        total += direct if pace.batch_s is None or not size.calls else pace.batch_s
    return total


def _slowest_seconds(sizes: Sequence[Sizes], paces: Sequence[CallRate]) -> float:
    slow = [
        replace(
            pace,
            latency_s=pace.latency_s if pace.timeout_s is None else pace.timeout_s,
            batch_s=pace.slowest_batch_s,
        )
        for pace in paces
    ]
    return _seconds(sizes, slow)


def _amount(sizes: Sequence[Sizes], price: PriceFunction) -> Amount:
    calls = math.ceil(sum(size.calls for size in sizes))
    prompt = math.ceil(sum(size.prompt_tokens for size in sizes))
    completion = math.ceil(sum(size.completion_tokens for size in sizes))
    cost: float | None = 0.0
    if calls:  # a call at a time: some prices rise with the length of the prompt
        each = price(math.ceil(prompt / calls), 0, math.ceil(completion / calls))
        cost = None if each is None else each * calls
    return Amount(calls=calls, prompt_tokens=prompt, completion_tokens=completion, cost_usd=cost)


def _sum_known(costs: Sequence[float | None]) -> float | None:
    known = [cost for cost in costs if cost is not None]
    return sum(known) if known else None
