"""Randomised whole runs with simulated models, and whether each kept within its caps and its plan."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from askwell.api.plan import Amount, Plan, plan_job
from askwell.core.errors import BudgetExhausted, RunFailed
from askwell.core.event_loop import Stopper
from askwell.core.protocols import ChatModel
from askwell.core.types import Completion, Example, Request, Score, Split, Usage
from askwell.engine.budget import Caps
from askwell.engine.evaluator import Sampling
from askwell.engine.jobs import OptimizeJob, TargetSetup, encode_header
from askwell.engine.loop import LoopSettings
from askwell.engine.race import RaceSettings
from askwell.models.wrappers.retry import Retrying
from askwell.optimizers.presets import PRESETS, configure
from askwell.runlog.fold import read_result
from askwell.runlog.store import MemoryStore
from askwell.tasks.demos import Demos
from askwell.tasks.render import PLACEMENTS, ChatRender
from askwell.tasks.task import Task
from askwell.testing.fakes import FlakyModel

WORDS = ("add", "count", "carefully", "only", "the", "number", "überprüfe", "答え", "please", "step")


class SimulatedModel:
    """Answers from the request alone, in tokens of `bytes_per_token` bytes; as long as `max_tokens` now and then."""

    def __init__(self, name: str, write: Callable[[Request, random.Random], str], *, bytes_per_token: int) -> None:
        self.name = name
        self._write = write
        self._bytes_per_token = bytes_per_token

    async def complete(self, request: Request) -> Completion:
        rng = random.Random(f"{self.name}/{request}")
        await asyncio.sleep(rng.choice((0, 0, 0.0005)))
        text = self._write(request, rng).encode()[: request.max_tokens * self._bytes_per_token].decode(errors="ignore")
        prompt = sum(self._tokens(message.content) + 4 for message in request.messages)
        completion = self._tokens(text)
        usage = Usage(prompt_tokens=prompt, completion_tokens=completion, cost_usd=self.price(prompt, 0, completion))
        return Completion(text=text, usage=usage)

    def price(self, prompt: int, _cached: int, completion: int, /) -> float:
        return 1e-6 * prompt + 4e-6 * completion

    async def aclose(self) -> None:
        return

    def _tokens(self, text: str) -> int:
        return -(-len(text.encode()) // self._bytes_per_token)


class Watched:
    """Remembers how many calls were in flight at once, how large one was at the most, and when they began."""

    def __init__(self, inner: ChatModel) -> None:
        self.inner = inner
        self.name = inner.name
        self.in_flight = self.most_in_flight = self.calls = self.prompt_tokens = self.completion_tokens = 0
        self.largest_tokens, self.largest_usd, self.usd = 0, 0.0, 0.0
        self.begun: list[float] = []

    def price(self, prompt: int, cached: int, completion: int, /) -> float:
        return SimulatedModel.price(self, prompt, cached, completion)  # type: ignore[arg-type]

    async def complete(self, request: Request) -> Completion:
        self.begun.append(time.monotonic())
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        completion = await self.inner.complete(request)
        self.in_flight -= 1
        if completion.outcome != "failed":
            usage = completion.usage
            self.calls += 1
            self.prompt_tokens += usage.prompt_tokens
            self.completion_tokens += usage.completion_tokens
            self.usd += usage.cost_usd or 0.0
            self.largest_tokens = max(self.largest_tokens, usage.prompt_tokens + usage.completion_tokens)
            self.largest_usd = max(self.largest_usd, usage.cost_usd or 0.0)
        return completion

    async def aclose(self) -> None:
        await self.inner.aclose()


@dataclass(frozen=True, kw_only=True)
class CappedRun:
    """One run, what its plan said, and what it broke (nothing, one hopes)."""

    what: str
    plan: Plan
    target: Watched
    optimizer: Watched
    caps: Caps
    ended: str
    reason: str
    """What the log says about why it ended."""
    broken: list[str] = field(default_factory=list[str])


def capped_run(seed: int) -> CappedRun:
    """Make up a run from a seed, plan it, run it, and hold it to its caps and its plan."""
    rng = random.Random(seed)
    job, target, optimizer, what = _made_up(rng)
    reckoned = plan_job(job)
    job = _with_caps(job, _caps(rng, reckoned, job))
    store = MemoryStore()
    try:
        asyncio.run(asyncio.wait_for(job.execute(store, Stopper(), lambda _: None), timeout=120))
        ended = "finished"
    except BudgetExhausted:
        ended = "nothing scored before a cap"
    except RunFailed:
        ended = "too many failures"
    final = read_result(store)
    run = CappedRun(
        what=f"seed {seed}: {what}",
        plan=reckoned,
        target=target,
        optimizer=optimizer,
        caps=job.caps,
        ended=ended,
        reason=str(final["reason"]) if final else "",
    )
    run.broken.extend([*_over_caps(run), *_over_plan(run)])
    return run


def _made_up(rng: random.Random) -> tuple[OptimizeJob, Watched, Watched, str]:
    # a peer's own package needs a model that answers in its form, which this one does not
    name = rng.choice(sorted(name for name, preset in PRESETS.items() if preset.max_steps is None))
    steps, draws, rate = rng.randint(0, 4), rng.choice((1, 1, 2, 3)), rng.choice((0.0, 0.1, 0.4))
    drawn: dict[str, object] = {
        "candidates": rng.randint(1, 5),
        "total_steps": max(1, steps),
        "batch": rng.randint(1, 6),
        "max_tokens": rng.choice((16, 64, 256)),
        "trajectory_size": rng.randint(0, 7),
        "exemplars": rng.randint(0, 3),
        "budget_mode": rng.choice(("ask", "enforce")),
    }
    chosen = configure(name, {}, defaults=drawn)
    task = _task(rng)
    demos = Demos(choice=rng.choice(("none", "none", "nearest", "random")), count=rng.randint(1, 3))
    width = rng.randint(2, 3)
    target, optimizer = (
        Watched(
            Retrying(
                FlakyModel(SimulatedModel(who, write, bytes_per_token=width * rng.choice((1, 2))), seed=1, rate=rate),
                base_s=0.0005,
                cap_s=0.002,
                max_attempts=6,
            )
        )
        for who, write in (("target", _reply), ("optimizer", _suggest))
    )

    job = OptimizeJob(
        header=encode_header({}, seed=0, settings=None),
        initial=[demos.initial_prompt(" ".join(rng.choices(WORDS, k=rng.randint(0, 12))), task.splits["train"])],
        target_setup=TargetSetup(
            task=replace(task, render=demos.wrap(task.render, task.splits["train"])),
            model=target,
            sampling=Sampling(repeats=draws, temperature=0.5, max_tokens=rng.choice((4, 32, 128))),
            concurrency=rng.choice((1, 4, 16, 40)),
            max_missing=1.0,
        ),
        optimizer_model=optimizer,
        make_optimizer=chosen.factory(task),
        settings=LoopSettings(
            steps=steps,
            seed=rng.randint(0, 9),
        ),
        racing=rng.choice((None, chosen.racing, RaceSettings(method="askwell", block=3))),
    )
    return job, target, optimizer, f"{name}, {steps} steps, {draws} draws, faults {rate}"


def _task(rng: random.Random) -> Task:
    def some(split: Split, least: int) -> tuple[Example, ...]:
        return tuple(
            Example(
                id=f"{split}{i}", input=f"{i} {' '.join(rng.choices(WORDS, k=rng.randint(1, 30)))}", target=str(i % 3)
            )
            for i in range(rng.randint(least, 12))
        )

    return Task(
        name="made up",
        splits={"train": some("train", 1), "dev": some("dev", 1), "test": some("test", 0)},
        render=ChatRender(placement=rng.choice(sorted(PLACEMENTS)), labels=rng.random() < 0.5),
        metric=lambda reply, example: Score(value=float(str(example.target) in reply)),
    )


def _reply(request: Request, rng: random.Random) -> str:
    return " ".join(rng.choices((*WORDS, "0", "1", "2"), k=rng.choice((1, 5, 400))))


def _suggest(request: Request, rng: random.Random) -> str:
    return f"<START>{' '.join(rng.choices(WORDS, k=rng.choice((0, 5, 20, 400))))}<END>"


def _caps(rng: random.Random, reckoned: Plan, job: OptimizeJob) -> Caps:
    """Draw caps from far too small to never reached; one, several or none."""
    least = len(job.target_setup.task.splits["dev"]) * job.target_setup.sampling.repeats + job.target_setup.test_calls
    calls, tokens, usd = _totals(reckoned)
    share = rng.uniform(0.02, 1.2)
    return Caps(
        max_calls=max(least, round(share * calls), 1) if rng.random() < 0.4 else None,
        max_tokens=max(1, round(share * tokens / 8)) if rng.random() < 0.4 else None,
        max_usd=max(1e-7, share * usd / 8) if rng.random() < 0.3 else None,
        max_minutes=rng.uniform(0.0005, 0.01) if rng.random() < 0.15 else None,
    )


def _with_caps(job: OptimizeJob, caps: Caps) -> OptimizeJob:
    return OptimizeJob(
        header=job.header,
        initial=job.initial,
        target_setup=job.target_setup,
        optimizer_model=job.optimizer_model,
        make_optimizer=job.make_optimizer,
        settings=job.settings,
        caps=caps,
    )


def _totals(reckoned: Plan) -> tuple[int, int, float]:
    worst = [one.worst for one in reckoned.models]
    return sum(one.calls for one in worst), sum(one.tokens for one in worst), reckoned.worst_usd or 0.0


def _over_caps(run: CappedRun) -> list[str]:
    """Calls: never more than the cap. Tokens and money: by no more than the calls in flight. Minutes: no call later."""
    both: Sequence[Watched] = (run.target, run.optimizer)
    in_flight = sum(one.most_in_flight for one in both)
    used = {
        "calls": (sum(one.calls for one in both), run.caps.max_calls, 0.0),
        "tokens": (
            sum(one.prompt_tokens + one.completion_tokens for one in both),
            run.caps.max_tokens,
            in_flight * max(one.largest_tokens for one in both),
        ),
        "dollars": (sum(one.usd for one in both), run.caps.max_usd, in_flight * max(one.largest_usd for one in both)),
    }
    begun = sorted(run.target.begun + run.optimizer.begun)
    if begun and run.caps.max_minutes is not None:
        used["minutes"] = ((begun[-1] - begun[0]) / 60, run.caps.max_minutes, 0.0)
    return [
        f"{name}: {amount} used, cap {cap}, {slack} in flight"
        for name, (amount, cap, slack) in used.items()
        if cap is not None and amount > cap + slack + 1e-9
    ]


def _over_plan(run: CappedRun) -> list[str]:
    found: list[str] = []
    for row, seen in zip(run.plan.models, (run.target, run.optimizer), strict=True):
        used = Amount(
            calls=seen.calls,
            prompt_tokens=seen.prompt_tokens,
            completion_tokens=seen.completion_tokens,
            cost_usd=seen.usd,
        )
        found += [
            f"{row.role} {name}: {getattr(used, name)} used, at worst {getattr(row.worst, name)} planned"
            for name in ("calls", "prompt_tokens", "completion_tokens", "cost_usd")
            if getattr(used, name) > getattr(row.worst, name) + 1e-9
        ]
    return found
