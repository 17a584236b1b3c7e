"""RacingRule inside a run: the same log whatever comes first, no partial winner, no needless call, honest gaps."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askwell.core.errors import ConfigError, RunFailed
from askwell.core.protocols import Demand
from askwell.core.trajectory import Trajectory
from askwell.core.types import Candidate, Completion, Event, Example, Message, Prompt, Proposal, Request, Score, Split
from askwell.engine.budget import BudgetLimited, BudgetTracker, Caps
from askwell.engine.evaluator import Evaluator, Interrupted, Sampling
from askwell.engine.loop import LoopSettings, begin, run
from askwell.engine.race import RaceSettings, cut_blocks
from askwell.report.run_report import build_report
from askwell.runlog.fold import fold, read_result, read_spend
from askwell.runlog.store import MemoryStore
from askwell.runlog.writer import Journal
from askwell.tasks.task import Task
from askwell.testing.fakes import ScriptedModel
from tests.support.logs import stored

STEPS = 3
NEW = 8


def examples(split: Split, n: int) -> tuple[Example, ...]:
    return tuple(Example(id=f"{split}{i:03}", input=f"{split} {i}", target="yes") for i in range(n))


def task(dev: int = 48) -> Task:
    return Task(
        name="t",
        splits={"dev": examples("dev", dev), "test": examples("test", 6)},
        render=lambda prompt, example: (Message(role="user", content=f"{example.input}|{prompt.instruction}"),),
        metric=lambda reply, example: Score(value=float(reply)),
    )


def quality(instruction: str) -> float:
    return 0.3 if instruction == "start" else 0.1 + 0.7 * random.Random(instruction).random()


def graded(request: Request) -> str:
    """Right where the example is easier than the prompt is good; hard examples are hard for everyone."""
    question, _, instruction = request.messages[0].content.partition("|")
    dice = random.Random(f"{question}/{instruction}/{request.sample_index}")
    ease = 0.7 * random.Random(question).random() + 0.3 * dice.random()
    return "1" if ease < quality(instruction) else "0"


def continuous(request: Request) -> str:
    question, _, instruction = request.messages[0].content.partition("|")
    noise = random.Random(f"{question}/{instruction}/{request.sample_index}").gauss(0, 0.1)
    return str(min(1.0, max(0.0, quality(instruction) + 0.3 * random.Random(question).random() - 0.15 + noise)))


class Proposer:
    """Propose the same made-up prompts for a step, whatever the past; some of them twice, in different steps."""

    async def propose(self, trajectory: Trajectory, *, seed: int) -> list[Proposal]:
        step = trajectory.next_step
        names = [f"prompt {NEW * step + number - (2 if step > 1 else 0)}" for number in range(NEW)]
        return [Proposal(prompt=Prompt(instruction=name), parent=trajectory.current.prompt) for name in names]

    def demand(self, step: int) -> Demand:
        return Demand(proposals=NEW, optimizer_calls=0)


class Jittery:
    """Answer after a moment that differs from call to call and from one `seed` to the next."""

    name = "scripted"

    def __init__(self, reply: Callable[[Request], str | Completion], *, seed: int = 0, longest: int = 0) -> None:
        self.inner = ScriptedModel(reply)
        self.requests = self.inner.requests
        self._dice = random.Random(seed)
        self._longest = longest

    async def complete(self, request: Request) -> Completion:
        for _ in range(self._dice.randint(0, self._longest)):
            await asyncio.sleep(0)
        return await self.inner.complete(request)

    async def aclose(self) -> None:
        pass


RACE = RaceSettings(method="askwell")


async def play(
    store: MemoryStore,
    *,
    model: Jittery | None = None,
    racing: RaceSettings | None = RACE,
    concurrency: int = 8,
    dev: int = 48,
    draws: int = 1,
    steps: int = STEPS,
    seed: int = 0,
    stop_after: int | None = None,
    max_missing: float = 0.02,
    caps: Caps | None = None,
) -> Trajectory:
    model = model or Jittery(graded)
    budget = BudgetTracker(caps, spent=read_spend(store).values(), reserve=12) if caps else None
    async with Journal(store) as journal:
        evaluator = Evaluator(
            task=task(dev),
            target=BudgetLimited(model, budget) if budget else model,
            journal=journal,
            sampling=Sampling(repeats=draws),
            concurrency=concurrency,
            max_missing=max_missing,
            budget=budget,
        )
        await begin(journal, header={"config": {}}, task=task(dev))

        def watch(_: object) -> None:
            if stop_after is not None and len(model.requests) >= stop_after:
                evaluator.stopping = True

        return await run(
            initial=[Prompt(instruction="start")],
            optimizer=Proposer(),
            evaluator=evaluator,
            settings=LoopSettings(steps=steps, seed=seed),
            racing=racing,
            watch=watch,
        )


def played(racing: RaceSettings | None = RACE, **options: object) -> tuple[Trajectory, list[Event]]:
    store = MemoryStore()
    return asyncio.run(play(store, racing=racing, **options)), list(store.events())  # type: ignore[arg-type]


@given(jitter=st.integers(0, 1000), longest=st.sampled_from([0, 3, 40]), concurrency=st.integers(1, 64))
@settings(max_examples=15, deadline=None)
def test_the_log_does_not_depend_on_the_order_of_arrival_or_the_concurrency(
    jitter: int, longest: int, concurrency: int
) -> None:
    model = Jittery(graded, seed=jitter, longest=longest)
    assert played(model=model, concurrency=concurrency)[1] == WHOLE


@pytest.mark.parametrize("method", ["askwell", "successive-halving", "capo-paired-t"])
@pytest.mark.parametrize("lookahead", [0, 5, 1000])
def test_every_way_to_race_is_the_same_at_any_speed_and_never_asks_more_than_full_evaluation(
    method: str, lookahead: int
) -> None:
    racing = RaceSettings(method=method, lookahead=lookahead, block=5)
    history, log = played(racing, concurrency=3)
    assert played(racing, model=Jittery(graded, seed=5, longest=20), concurrency=20)[1] == log
    full_history, full_log = played(None)
    assert paid(log) <= paid(full_log)
    assert any(candidate.partial for candidate in history.candidates) == (lookahead < 1000)
    assert history.best.score >= full_history.best.score - 0.1


async def test_a_race_leaves_holes_in_the_log_of_the_full_evaluation_and_nothing_else() -> None:
    one_step, everything = MemoryStore(), MemoryStore()
    await play(one_step, steps=1)
    await play(everything, steps=1, racing=None)
    raced = {event.position: event for event in one_step.events() if event.body.get("split") == "dev"}
    full = {event.position: event for event in everything.events() if event.body.get("split") == "dev"}
    assert raced.items() <= full.items()
    assert len(raced) < len(full)


@given(st.integers(0, 400))
@settings(max_examples=25, deadline=None)
def test_stopped_at_any_call_and_resumed_the_log_is_that_of_an_unbroken_run(stop_after: int) -> None:
    store = MemoryStore()
    before, after = Jittery(graded, seed=stop_after, longest=9), Jittery(graded)
    try:
        asyncio.run(play(store, model=before, stop_after=stop_after))
    except Interrupted:
        asyncio.run(play(store, model=after, concurrency=3))
    assert list(store.events()) == WHOLE
    assert len(before.requests) + len(after.requests) == paid(WHOLE)


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_killed_anywhere_and_resumed_the_log_is_that_of_an_unbroken_run(data: st.DataObject) -> None:
    length = data.draw(st.integers(0, len(WHOLE)))
    tail = data.draw(st.sets(st.integers(max(0, length - 30), length)))
    # What a kill leaves is a prefix, with holes among the rollouts at its end: those were still in flight.
    kept = [event for index, event in enumerate(WHOLE[:length]) if index not in tail or event.kind != "rollout"]
    if any(event.kind != "rollout" for event in WHOLE[max(0, length - 30) : length]):
        kept = WHOLE[:length]
    store, model = MemoryStore(), Jittery(graded)
    store.append(kept)
    asyncio.run(play(store, model=model))
    assert list(store.events()) == WHOLE
    assert len(model.requests) == paid(WHOLE) - paid(kept)


def paid(log: list[Event]) -> int:
    return read_spend(stored(log))["target"].calls


def test_a_partial_candidate_never_becomes_best_whatever_its_mean() -> None:
    lucky = Candidate(step=1, prompt=Prompt(instruction="lucky"), score=1.0, n=6, partial=True)
    whole = Candidate(step=1, prompt=Prompt(instruction="whole"), score=0.4, n=48)
    start = Candidate(step=0, prompt=Prompt(instruction="start"), score=0.3, n=48)
    history = Trajectory(candidates=(start, lucky, whole))
    assert (history.best, history.current, history.winners) == (whole, whole, (start, whole))
    assert history.top(5) == (whole, start)
    nobody = Trajectory(candidates=(start, lucky))
    assert (nobody.best, nobody.current, nobody.winners, nobody.next_step) == (start, start, (start,), 2)


def test_what_is_expected_of_a_partial_candidate_does_not_depend_on_how_easy_its_examples_were() -> None:
    easy: Mapping[str, float] = {"a": 1.0, "b": 1.0, "c": 0.0, "d": 0.0}
    best = Candidate(step=0, prompt=Prompt(instruction="best"), score=0.5, n=4, example_scores=easy)
    some = Candidate(
        step=1, prompt=Prompt(instruction="x"), score=0.5, n=2, example_scores={"a": 1.0, "b": 0.0}, partial=True
    )
    history = Trajectory(candidates=(best, some))
    assert history.expected_score(some) == 0.0
    assert history.expected_score(best) == 0.5


def test_a_candidate_completed_later_is_found_complete() -> None:
    prompt = Prompt(instruction="x")
    partial = Candidate(step=1, prompt=prompt, score=0.9, n=6, partial=True)
    complete = Candidate(step=2, prompt=prompt, score=0.5, n=48)
    again = Candidate(step=3, prompt=prompt, score=0.5, n=48)
    assert Trajectory(candidates=(partial, complete, again)).find(prompt) is complete


def test_the_trajectory_in_the_log_tells_partial_from_complete_and_agrees_with_the_run() -> None:
    history, log = played()
    folded = fold(stored(log)).trajectory
    assert folded == history
    assert [dict(one.example_scores) for one in folded.candidates] == [
        dict(one.example_scores) for one in history.candidates
    ]
    for candidate in folded.candidates:
        assert len(candidate.example_scores) == candidate.n
        assert candidate.partial == (candidate.n < 48)
        assert candidate.score == pytest.approx(sum(candidate.example_scores.values()) / candidate.n)
    best = [point.best for point in fold(stored(log)).curve]
    assert best[-1] == history.best.score
    assert best == sorted(best)


def test_a_prompt_that_comes_again_keeps_its_cells() -> None:
    history, log = played(RaceSettings(method="askwell", incumbents=0))
    seen: dict[Prompt, list[Candidate]] = {}
    for candidate in history.candidates:
        seen.setdefault(candidate.prompt, []).append(candidate)
    repeated = [found for found in seen.values() if len(found) > 1]
    assert repeated
    for found in repeated:
        assert [one.n for one in found] == sorted(one.n for one in found)
    asked = [(event.body["prompt"], event.body["example"]) for event in log if event.kind == "rollout"]
    assert len(asked) == len(set(asked))


def test_the_report_says_what_was_saved() -> None:
    store, everything = MemoryStore(), MemoryStore()
    asyncio.run(play(store))
    asyncio.run(play(everything, racing=None))
    found, full = build_report(store), build_report(everything)
    assert found is not None
    assert full is not None
    assert found.raced is not None
    assert full.raced is None
    dev_calls = found.spend["target"].calls - 48 - 12
    assert found.raced.calls == dev_calls
    assert found.raced.full == full.spend["target"].calls - 48 - 12
    assert found.raced.saved > 0.3


def test_a_race_finds_a_winner_like_that_of_full_evaluation_at_a_fraction_of_the_calls() -> None:
    asked = full_asked = 0
    regrets: list[float] = []
    for dev in (48, 96):
        for seed in range(8):

            def reply(request: Request, seed: int = seed) -> str:
                content = f"{request.messages[0].content}{'' if '|start' in request.messages[0].content else seed}"
                return graded(Request(messages=(Message(role="user", content=content),)))

            history, log = played(model=Jittery(reply), dev=dev, steps=1)
            full, full_log = played(None, model=Jittery(reply), dev=dev, steps=1)
            asked += paid(log) - dev - 12
            full_asked += paid(full_log) - dev - 12
            regrets.append(full.best.score - history.best.score)
    assert sum(regrets) / len(regrets) <= 0.01
    assert asked <= 0.55 * full_asked


@pytest.mark.parametrize("method", ["askwell", "successive-halving", "capo-paired-t"])
def test_a_continuous_metric_and_several_draws(method: str) -> None:
    racing = RaceSettings(method=method)
    history, log = played(racing, model=Jittery(continuous), draws=3, steps=1)
    shuffled = played(racing, model=Jittery(continuous, seed=3, longest=30), draws=3, steps=1, concurrency=50)
    assert shuffled[1] == log
    assert fold(stored(log)).trajectory == history
    on_dev = [event for event in log if event.kind == "rollout" and event.body["split"] == "dev"]
    draws = {(e.body["prompt"], e.body["example"], e.body.get("sample_index", 0)) for e in on_dev}
    assert len(draws) == len(on_dev) == 3 * sum(one.n for one in history.candidates)
    full = played(None, model=Jittery(continuous), draws=3, steps=1)[0]
    assert history.best.score == pytest.approx(full.best.score, abs=0.02)


def failing(part: str, *, for_good: bool = True) -> Callable[[Request], str | Completion]:
    asked: set[str] = set()

    def reply(request: Request) -> str | Completion:
        text = request.messages[0].content
        if part in text and (for_good or text not in asked):
            asked.add(text)
            return Completion(outcome="failed", fault="server", error="500 oops")
        return graded(request)

    return reply


def test_a_call_that_fails_once_changes_nothing() -> None:
    assert played(model=Jittery(failing("dev 12", for_good=False)))[1] == WHOLE


def test_what_fails_for_good_is_missing_never_zero() -> None:
    history, log = played(model=Jittery(failing("dev 7|prompt 9")), max_missing=0.1)
    hurt = history.find(Prompt(instruction="prompt 9"))
    assert hurt is not None
    assert "dev007" not in hurt.example_scores
    assert hurt.score == pytest.approx(sum(hurt.example_scores.values()) / hurt.n)
    assert [e.body["example"] for e in log if e.kind == "rollout" and e.body["score"] is None] in ([], ["dev007"])


def test_an_example_that_nobody_can_be_asked_voids_its_block_and_the_race_goes_on() -> None:
    history, _ = played(RaceSettings(method="askwell", block=1), model=Jittery(failing("dev 7|prompt")), max_missing=1)
    assert any(candidate.partial for candidate in history.candidates)
    assert all("dev007" not in one.example_scores for one in history.candidates if one.step)
    assert all(one.n >= 47 for one in history.complete)


def test_a_prompt_without_a_single_answer_stops_the_run() -> None:
    with pytest.raises(RunFailed, match="500 oops"):
        played(model=Jittery(failing("prompt 9")), max_missing=1.0)


def test_too_many_missing_cells_stop_the_run_and_resuming_fills_them() -> None:
    store = MemoryStore()
    with pytest.raises(RunFailed, match="500 oops"):
        asyncio.run(play(store, model=Jittery(failing("dev 1"))))
    model = Jittery(graded)
    asyncio.run(play(store, model=model))
    assert list(store.events()) == WHOLE


@pytest.mark.parametrize("calls", [60, 61, 75, 100, 130, 170])
def test_a_cap_ends_the_run_in_order_with_its_best_so_far(calls: int) -> None:
    caps = Caps(max_calls=calls)
    history, log = played(caps=caps)
    final = read_result(stored(log))
    assert final is not None
    assert calls - 6 <= paid(log) <= calls  # the initial prompt is tested once where it is still the best
    assert not history.best.partial
    jittery = Jittery(graded, seed=calls, longest=15)
    assert played(caps=caps, model=jittery, concurrency=30)[1] == log


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'askwell'"):
        RaceSettings(method="askwel")
    with pytest.raises(ConfigError, match="block = 0"):
        RaceSettings(block=0)


def test_blocks_hold_every_example_once_and_the_same_ones_in_every_step() -> None:
    dev = examples("dev", 50)
    one, other = (cut_blocks(dev, 6, seed=3, order_seed=order) for order in (1, 2))
    assert sorted(example.id for block in one for example in block) == [example.id for example in dev]
    assert {tuple(e.id for e in block) for block in one} == {tuple(e.id for e in block) for block in other}
    assert one != other


WHOLE = played()[1]
