"""Estimate what a run will cost before any call is paid for: calls, tokens, money and time, expected and at most.

The plan adds up the first scoring, `Optimizer.demand` over the steps, and the final test, in that order. Like the caps,
it counts answered calls only: a failed call is retried and not counted, although some providers bill for it. A resumed
run pays only for missing calls, so it never costs more than planned.

The worst case is a bound: no prompt is dropped as a duplicate, every reply has its maximum length, and a token is one
byte. It assumes that the server honours `max_tokens`, that a text of n tokens of one model has at most 2n tokens of the
other, and that a prompt shows the question once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from askwell.api.plan_sizes import Sizes, Stage, stages
from askwell.core.types import ModelRole
from askwell.engine.budget import Caps
from askwell.engine.jobs import OptimizeJob
from askwell.engine.preflight import list_unpriced
from askwell.models.parts import parts_of
from askwell.models.providers.prices import PriceFunction

ROLES: tuple[ModelRole, ModelRole] = ("target", "optimizer")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRate:
    """The rate limits and latency of a model's calls."""

    concurrency: int = 16
    """Most requests in flight."""
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    latency_s: float = 2.0
    """Typical seconds per call: an assumption, unless measured."""
    timeout_s: float | None = None
    """Timeout of a call in seconds; without it the worst time is unknown."""
    batch_s: float | None = None
    """Typical seconds per provider batch, which has all calls of a step; None for direct calls."""
    slowest_batch_s: float | None = None
    """Most seconds per provider batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """Calls of one model, and what they use. `cost_usd` is None if the price is unknown."""

    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPlan:
    """The calls of one model."""

    role: ModelRole
    model: str
    expected: Amount
    high: Amount
    """Hardly exceeded: every candidate is scored on the whole split, and replies are long."""
    worst: Amount
    is_priced: bool
    """Whether its price is known, or its calls cost nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapEffect:
    """The effect of one cap on the run."""

    cap: str
    """calls, tokens, dollars or minutes."""
    limit: float
    expected: float
    """Expected use without the cap."""
    worst: float | None
    last_step: int | None
    """The last step that is expected to finish, with the final test reserved; None if all do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The estimated cost of a run. Times are in seconds."""

    steps: int
    models: tuple[ModelPlan, ModelPlan]
    """The target model, then the optimizer model."""
    expected_seconds: float
    worst_seconds: float | None
    """Every call takes almost its timeout and none is retried; None if a model has no timeout."""
    cuts: tuple[CapEffect, ...]
    """One per cap that is set."""

    def __repr__(self) -> str:
        calls = " + ".join(f"{model.expected.calls:,}" for model in self.models)
        cost = "price unknown" if self.expected_usd is None else f"${self.expected_usd:.2f}"
        return f"<Plan of about {calls} calls, {cost}, {self.expected_seconds:,.0f} s>"

    @property
    def expected_usd(self) -> float | None:
        """None if the price of a model that is called is unknown: the sum of the others would mislead."""
        return None if self.unpriced else _sum_known([model.expected.cost_usd for model in self.models])

    @property
    def high_usd(self) -> float | None:
        return None if self.unpriced else _sum_known([model.high.cost_usd for model in self.models])

    @property
    def worst_usd(self) -> float | None:
        return None if self.unpriced else _sum_known([model.worst.cost_usd for model in self.models])

    @property
    def unpriced(self) -> list[str]:
        """The models that are called and whose price is unknown."""
        return [model.model for model in self.models if not model.is_priced and model.worst.calls]


def plan_job(job: OptimizeJob, *, target: CallRate | None = None, optimizer: CallRate | None = None) -> Plan:
    """Estimate the cost of a job; calls no model, reads no clock, writes nothing.

    Without a rate, a call is assumed to take 2 seconds, with as many in flight as the job allows.
    """
    rates = (target or CallRate(concurrency=job.target_setup.concurrency), optimizer or CallRate())
    models = (job.target_setup.model, job.optimizer_model)
    usual = tuple(parts_of(model).price for model in models)
    dearest = tuple(
        parts_of(model).direct_price for model in models
    )  # a step with too few calls for a batch calls directly
    all_stages = list(stages(job))
    expected, high, worst = ([getattr(stage, case) for stage in all_stages] for case in ("usual", "high", "most"))
    unpriced = {role for role, _ in list_unpriced(list(zip(ROLES, models, strict=True)))}
    rows = tuple(
        ModelPlan(
            role=role,
            model=model.name,
            expected=_amount([sizes[index] for sizes in expected], usual[index]),
            high=_amount([sizes[index] for sizes in high], usual[index]),
            worst=_amount([sizes[index] for sizes in worst], dearest[index]),
            is_priced=role not in unpriced,
        )
        for index, (role, model) in enumerate(zip(ROLES, models, strict=True))
    )
    levels = [_StageUsage.of(stage, stage.usual, usual, _seconds(stage.usual, rates)) for stage in all_stages]
    timed = all(rate.timeout_s is not None for rate in rates)
    slowest = [_StageUsage.of(stage, stage.most, dearest, _slowest_seconds(stage.most, rates)) for stage in all_stages]
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
            last, spent = 0, test  # the budget reserves the final test
            for level, share in zip(usual, working, strict=False):
                spent += share
                if spent > limit:
                    break
                last = level.step or 0
        worst = sum(float(getattr(level, name)) for level in most)
        has_worst = timed or name != "minutes"
        yield CapEffect(cap=name, limit=limit, expected=sum(wanted), worst=worst if has_worst else None, last_step=last)


def _seconds(sizes: Sequence[Sizes], rates: Sequence[CallRate]) -> float:
    """Return the duration of a stage: its models are called one after the other, each at its slowest limit."""
    total = 0.0
    for size, rate in zip(sizes, rates, strict=True):
        waves = math.ceil(size.calls / rate.concurrency) * rate.latency_s
        by_requests = 60 * size.calls / rate.requests_per_minute if rate.requests_per_minute else 0.0
        by_tokens = 60 * size.tokens / rate.tokens_per_minute if rate.tokens_per_minute else 0.0
        direct = max(waves, by_requests, by_tokens)
        total += direct if rate.batch_s is None or not size.calls else rate.batch_s
    return total


def _slowest_seconds(sizes: Sequence[Sizes], rates: Sequence[CallRate]) -> float:
    slow = [
        replace(
            rate,
            latency_s=rate.latency_s if rate.timeout_s is None else rate.timeout_s,
            batch_s=rate.slowest_batch_s,
        )
        for rate in rates
    ]
    return _seconds(sizes, slow)


def _amount(sizes: Sequence[Sizes], price: PriceFunction) -> Amount:
    calls = math.ceil(sum(size.calls for size in sizes))
    prompt = math.ceil(sum(size.prompt_tokens for size in sizes))
    completion = math.ceil(sum(size.completion_tokens for size in sizes))
    cost: float | None = 0.0
    if calls:  # the mean call is priced, because some prices rise with the length of the prompt
        each = price(math.ceil(prompt / calls), 0, math.ceil(completion / calls))
        cost = None if each is None else each * calls
    return Amount(calls=calls, prompt_tokens=prompt, completion_tokens=completion, cost_usd=cost)


def _sum_known(costs: Sequence[float | None]) -> float | None:
    known_costs = [cost for cost in costs if cost is not None]
    return sum(known_costs) if known_costs else None
