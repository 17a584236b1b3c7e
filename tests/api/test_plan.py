"""What a plan says, and that runs keep to it: the worst case is a bound, the usual case is what a plain run takes."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

import pytest

from askwell.api.plan import CallRate, plan_job
from askwell.api.plan_sizes import most_tokens, usual_tokens
from askwell.core.event_loop import Stopper
from askwell.core.protocols import ChatModel, Optimizer, PromptRunner
from askwell.core.types import Message, Prompt
from askwell.engine.budget import Caps
from askwell.engine.evaluator import Sampling
from askwell.engine.jobs import OptimizeJob, TargetSetup, encode_header
from askwell.engine.loop import LoopSettings
from askwell.models.providers.openai import OpenAIModel
from askwell.models.wrappers.meter import Metered
from askwell.models.wrappers.renamed import Renamed
from askwell.optimizers.gpo.optimizer import GPO
from askwell.optimizers.gpo.presets import preset_settings
from askwell.runlog.fold import read_spend
from askwell.runlog.store import MemoryStore
from askwell.testing.fakes import ScriptedModel
from tests.support.capped_runs import capped_run
from tests.support.gpo_steps import REFLECTING
from tests.support.loop_runs import TASK, answer


def job(
    *,
    target: ChatModel | None = None,
    optimizer: ChatModel | None = None,
    reflecting: bool = False,
    steps: int = 3,
    candidates: int = 4,
    draws: int = 1,
    caps: Caps | None = None,
) -> OptimizeJob:
    settings = preset_settings(
        "gpo", candidates=candidates, total_steps=max(1, steps), **(REFLECTING if reflecting else {})
    )
    numbers = itertools.count()

    def make(model: ChatModel, run_prompt: PromptRunner) -> Optimizer:
        return GPO(
            model=model, train=TASK.splits["train"], render=TASK.render, settings=settings, run_prompt=run_prompt
        )

    return OptimizeJob(
        header=encode_header({}, seed=0, settings=None),
        initial=[Prompt(instruction="think")],
        target_setup=TargetSetup(
            task=TASK,
            model=target or ScriptedModel(answer),
            sampling=Sampling(max_tokens=64, repeats=draws),
            concurrency=4,
        ),
        optimizer_model=optimizer or ScriptedModel(lambda _: f"<START>add {next(numbers)}<END>"),
        make_optimizer=make,
        settings=LoopSettings(steps=steps),
        caps=caps or Caps(),
    )


def run(planned: OptimizeJob) -> MemoryStore:
    store = MemoryStore()
    asyncio.run(planned.execute(store, Stopper(), lambda _: None))
    return store


@pytest.mark.parametrize("draws", [1, 2])
@pytest.mark.parametrize("reflecting", [False, True])
def test_a_run_that_writes_no_prompt_twice_takes_the_calls_that_were_planned(reflecting: bool, draws: int) -> None:
    """Dev cells once, test cells once, one request a candidate."""
    planned = job(reflecting=reflecting, draws=draws)
    target, optimizer = plan_job(planned).models
    spent = read_spend(run(planned))
    scoring = draws * (10 + 3 * 4 * 10 + 2 * 12)
    train = 3 * 4 if reflecting else 0  # the batch of eight is all four training examples
    assert target.expected.calls == target.worst.calls == scoring + train
    reused = 4 if reflecting else 0  # the parent of the third step was reflected on before
    assert spent["target"].calls == scoring + train - reused
    assert spent["optimizer"].calls == optimizer.expected.calls


def test_a_steps_candidates_are_one_question_drawn_several_times() -> None:
    """Issue of cost: one optimizer request per batch, so one meta-prompt a step, however many candidates."""
    calls = [event for event in run(job()).events() if event.kind == "call"]
    asked = [str(event.body["request"]["messages"]) for event in calls]  # type: ignore[index]
    assert [len(list(group)) for _, group in itertools.groupby(asked)] == [4, 4, 4]


@pytest.mark.parametrize("seed", range(40))
def test_no_run_exceeds_a_cap_or_its_plan(seed: int) -> None:
    """Two hundred of them: `python -m bench.engine.caps`."""
    assert capped_run(seed).broken == []


def test_a_plan_asks_nobody() -> None:
    target, optimizer = ScriptedModel(answer), ScriptedModel([])
    plan_job(job(target=target, optimizer=optimizer, reflecting=True))
    assert target.requests == optimizer.requests == []


def test_money_comes_from_the_price_table_and_is_unknown_where_it_has_no_price() -> None:
    pytest.importorskip("genai_prices")
    known = Metered(Renamed(OpenAIModel("gpt-4.1-mini", api_key="sk-test"), name="openai:gpt-4.1-mini"))
    found = plan_job(job(target=known))
    target, optimizer = found.models
    assert target.worst.cost_usd == pytest.approx(  # $0.40 and $1.60 a million tokens
        0.4e-6 * target.worst.prompt_tokens + 1.6e-6 * target.worst.completion_tokens, rel=0.01
    )
    assert optimizer.worst.cost_usd is None
    assert found.unpriced == [optimizer.model]
    assert found.expected_usd is found.high_usd is found.worst_usd is None  # a sum without it would mislead


def test_own_prices_win() -> None:
    priced = OpenAIModel("x", api_key="k" * 9, prices={"input_per_mtok": 0, "output_per_mtok": 1_000_000})
    [_, optimizer] = plan_job(job(optimizer=priced, steps=2, candidates=1)).models
    assert optimizer.worst.cost_usd == optimizer.worst.completion_tokens == 2 * 512


def test_time_is_held_by_whichever_limit_is_slowest() -> None:
    free = plan_job(
        job(), target=CallRate(concurrency=4, latency_s=1.0), optimizer=CallRate(concurrency=4, latency_s=0.0)
    )
    assert free.expected_seconds == pytest.approx(3 + 3 * 10 + 6)  # ⌈10/4⌉, three times ⌈40/4⌉, ⌈24/4⌉
    assert free.worst_seconds is None
    slow = plan_job(job(), target=CallRate(requests_per_minute=10), optimizer=CallRate(latency_s=0.0))
    assert slow.expected_seconds == pytest.approx(6 * (10 + 120 + 24))
    bounded = plan_job(job(), target=CallRate(concurrency=4, timeout_s=60.0), optimizer=CallRate(timeout_s=30.0))
    assert bounded.worst_seconds == pytest.approx(60 * (3 + 30 + 6) + 30 * 3)


def test_cuts_say_how_far_a_cap_lets_the_run_get() -> None:
    assert plan_job(job()).cuts == ()
    [cut] = plan_job(job(caps=Caps(max_calls=100))).cuts
    assert (cut.cap, cut.limit, cut.expected, cut.worst) == ("calls", 100, 166, 166)
    assert cut.last_step == 1  # 10 + 44 + 44 calls and 24 kept back are too many
    [wide] = plan_job(job(caps=Caps(max_calls=166))).cuts
    assert wide.last_step is None
    assert [one.cap for one in plan_job(job(caps=Caps(max_tokens=10, max_usd=1.0, max_minutes=5))).cuts] == [
        "tokens",
        "dollars",
        "minutes",
    ]


def test_a_longer_initial_prompt_and_a_longer_reply_cost_more() -> None:
    plain = job()
    long = replace(plain, initial=[Prompt(instruction="think " * 3000)])
    assert plan_job(long).models[0].worst.prompt_tokens > plan_job(plain).models[0].worst.prompt_tokens
    wordy = replace(plain, target_setup=replace(plain.target_setup, sampling=Sampling(max_tokens=65)))
    assert plan_job(wordy).models[0].worst.completion_tokens == 65 * 154


@pytest.mark.parametrize("text", ["", "plain English words", "naïve — ≤ 🙂", "答えだけを書いてください", "\ud800"])
def test_tokens_are_estimated_between_nothing_and_bytes(text: str) -> None:
    messages = (Message(role="user", content=text),)
    assert 0 < usual_tokens(messages) <= most_tokens(messages)
    assert most_tokens(messages) >= len(text.encode("utf-8", "surrogatepass"))
