"""Optimizers of other packages run on our engine, within our budget, and no failure becomes a score."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from askwell.core.errors import ConfigError, ModelError, RunFailed
from askwell.core.event_loop import Stopper
from askwell.core.protocols import ChatModel, PromptRunner
from askwell.core.trajectory import Trajectory
from askwell.core.types import Candidate, Completion, Example, Message, Prompt, Request
from askwell.engine.budget import Caps
from askwell.engine.jobs import OptimizeJob, TargetSetup, encode_header
from askwell.engine.loop import LoopSettings
from askwell.models.bundled.editor import EditorModel
from askwell.models.bundled.pocket import pocket_model
from askwell.optimizers.baselines.bridge import Bridge, ExternalSettings, SearchEnded
from askwell.optimizers.baselines.dspy_optimizers import run_mipro, run_simba
from askwell.optimizers.baselines.external import ExternalOptimizer, ExternalSearch, SearchTask
from askwell.optimizers.baselines.gepa_optimizer import run_gepa
from askwell.report.run_report import build_report
from askwell.runlog.fold import read_rollouts
from askwell.runlog.store import MemoryStore
from askwell.tasks import bundled
from askwell.tasks.metrics import metric
from askwell.tasks.render import ChatRender
from askwell.testing.fakes import ScriptedModel
from tests.support.loop_runs import TASK, Spent, answer

START = Prompt(instruction="think")


def words_search(bridge: Bridge, task: SearchTask) -> Prompt:
    """Request six instructions, then score the best on training examples on dev."""
    best, most = task.initial, -1.0
    for _ in range(6):
        text = bridge.ask([Message(role="user", content="another")], temperature=1.0)
        prompt = Prompt(instruction=text)
        right = sum(one.score.value for one in bridge.score(prompt, task.train, split="train") if one.score)
        if right > most:
            best, most = prompt, right
    bridge.score(best, task.dev, split="dev")
    return best


def job(
    search: ExternalSearch,
    *,
    target: Callable[[Request], str | Completion] = answer,
    caps: Caps | None = None,
    settings: ExternalSettings | None = None,
) -> tuple[OptimizeJob, ScriptedModel, ScriptedModel]:
    words = ["count", "add", "banana", "add count", "even", "add count banana"]
    target_model = ScriptedModel(target)
    optimizer_model = ScriptedModel(lambda request: words[request.sample_index % len(words)])

    def make(model: ChatModel, run_prompt: PromptRunner) -> ExternalOptimizer:
        splits = TASK.splits
        return ExternalOptimizer(
            search=search,
            origin="peer",
            model=model,
            run_prompt=run_prompt,
            train=splits["train"],
            dev=splits["dev"],
            settings=settings or ExternalSettings(),
        )

    made = OptimizeJob(
        header=encode_header({}, seed=0, settings=None),
        initial=[START],
        target_setup=TargetSetup(task=TASK, model=target_model, concurrency=4, max_missing=0.0),
        optimizer_model=optimizer_model,
        make_optimizer=make,
        settings=LoopSettings(steps=1),
        caps=caps or Caps(),
    )
    return made, target_model, optimizer_model


def execute(made: OptimizeJob, store: MemoryStore) -> Trajectory:
    return asyncio.run(made.execute(store, Stopper(), lambda _: None))


def test_a_search_of_another_package_is_one_step_of_a_run() -> None:
    store = MemoryStore()
    made, target, optimizer = job(words_search)
    history = execute(made, store)
    assert history.best.prompt.instruction == "add count"
    assert [candidate.parent for candidate in history.steps[1]] == [START]
    assert len(optimizer.requests) == 6
    texts = [request.messages[0].content for request in target.requests]
    assert len(texts) == len(set(texts)), "what the search scored on dev was paid for again by the loop"
    found = build_report(store)
    assert found is not None
    assert found.finished


def test_a_stopped_search_resumes_without_paying_twice() -> None:
    answered: list[str] = []

    def breaking(request: Request) -> str:
        if len(answered) == 27:
            raise Spent
        answered.append(request.messages[0].content)
        return answer(request)

    store = MemoryStore()
    first, _, optimizer = job(words_search, target=breaking)
    with pytest.raises(Spent):
        execute(first, store)
    again, target_again, optimizer_again = job(words_search)
    history = execute(again, store)
    whole = MemoryStore()
    assert execute(job(words_search)[0], whole) == history
    assert list(whole.events()) == list(store.events())
    asked = [request.messages[0].content for request in target_again.requests]
    assert len(asked) == len(set(asked))
    assert not set(asked) & set(answered)
    assert len(optimizer.requests) + len(optimizer_again.requests) == 6


def test_the_budget_ends_a_search_with_the_best_prompt_scored_on_all_of_dev() -> None:
    def greedy(bridge: Bridge, task: SearchTask) -> Prompt:
        for text in ("count", "add count", "add count banana", "even"):
            bridge.score(Prompt(instruction=text), task.dev, split="dev")
        raise AssertionError("the budget did not hold")

    made, target, _ = job(greedy, settings=ExternalSettings(target_calls=25))
    history = execute(made, MemoryStore())
    assert history.best.prompt.instruction == "add count"
    assert len(target.requests) == 10 + 20 + 24


def test_a_failed_call_ends_the_run_even_if_the_search_would_continue() -> None:
    def stubborn(bridge: Bridge, task: SearchTask) -> Prompt:
        for example in task.train:
            try:
                bridge.score(Prompt(instruction="broken"), [example], split="train")
            except Exception:  # noqa: BLE001 - what such packages do
                continue
        return Prompt(instruction="made up")

    def breaking(request: Request) -> str | Completion:
        if "broken" in request.messages[0].content:
            return Completion(outcome="failed", fault="server", error="502")
        return answer(request)

    store = MemoryStore()
    made, _, _ = job(stubborn, target=breaking)
    with pytest.raises(RunFailed, match="502"):
        execute(made, store)
    assert all(rollout.prompt != Prompt(instruction="made up") for rollout in read_rollouts(store))


async def test_a_refusal_by_the_optimizer_model_is_a_model_error() -> None:
    def asking(bridge: Bridge, task: SearchTask) -> Prompt:
        bridge.ask([Message(role="user", content="hello")], temperature=0.0)
        raise AssertionError

    async def run_prompt(*_: Any, **__: Any) -> Any:
        raise AssertionError

    model = ScriptedModel(lambda _: Completion(outcome="failed", fault="auth", error="no such key"))
    peer = ExternalOptimizer(search=asking, origin="peer", model=model, run_prompt=run_prompt, train=(), dev=())
    with pytest.raises(ModelError, match="no such key"):
        await peer.propose(Trajectory(candidates=(Candidate(step=0, prompt=START, score=0.0, n=1),)), seed=1)


def test_an_error_of_the_other_package_ends_the_run_with_a_message() -> None:
    def confused(bridge: Bridge, task: SearchTask) -> Prompt:
        raise KeyError("proposed_instruction")

    made, _, _ = job(confused)
    with pytest.raises(RunFailed, match="'peer' broke with KeyError: 'proposed_instruction'"):
        execute(made, MemoryStore())


def test_invalid_external_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="target_calls is 0"):
        ExternalSettings(target_calls=0)
    with pytest.raises(ConfigError, match="demos is -1"):
        ExternalSettings(demos=-1)


def test_search_ended_is_not_an_exception_that_packages_catch() -> None:
    assert not issubclass(SearchEnded, Exception)


def search_bundled_task(search: ExternalSearch, *, target_calls: int) -> tuple[float, float, MemoryStore]:
    """Return the dev scores of the initial prompt and of the search's prompt on a bundled task, and the log."""
    name = "numbers_max"
    splits = {part: tuple(bundled.examples(name, part, 16)) for part in ("train", "dev", "test")}
    made, _, _ = job(search, settings=ExternalSettings(target_calls=target_calls))
    task = replace(TASK, name=name, splits=splits, render=ChatRender(), metric=metric("number"))

    def make(model: ChatModel, run_prompt: PromptRunner) -> ExternalOptimizer:
        settings = ExternalSettings(target_calls=target_calls)
        train, dev = splits["train"], splits["dev"]
        return ExternalOptimizer(
            search=search, origin="peer", model=model, run_prompt=run_prompt, train=train, dev=dev, settings=settings
        )

    made = replace(
        made,
        initial=[Prompt(instruction=bundled.initial_prompt(name))],
        target_setup=replace(made.target_setup, task=task, model=pocket_model(batch_size=16)),
        optimizer_model=EditorModel(),
        make_optimizer=make,
    )
    store = MemoryStore()
    history = execute(made, store)
    return history.candidates[0].score, history.best.score, store


def split_calls(store: MemoryStore, *splits: str) -> int:
    return len({(r.prompt, r.example_id, r.sample_index) for r in read_rollouts(store) if r.split in splits})


def optimizer_texts(store: MemoryStore) -> str:
    return "\n".join(str(event.body["request"]) for event in store.events(kinds=["call"]))


def unseen(store: MemoryStore, examples: Sequence[Example]) -> bool:
    texts = optimizer_texts(store)
    return not any(example.input in texts for example in examples)


@pytest.mark.slow
def test_gepa_finds_a_better_prompt_within_its_budget() -> None:
    pytest.importorskip("gepa", reason="needs the gepa extra")
    first, best, store = search_bundled_task(run_gepa, target_calls=150)
    assert best > first + 0.3
    assert split_calls(store, "train", "dev") <= 150 + 16
    assert unseen(store, bundled.examples("numbers_max", "dev", 16))


@pytest.mark.long
@pytest.mark.parametrize("search", [run_mipro, run_simba], ids=["mipro", "simba"])
def test_dspys_optimizers_find_a_better_prompt_within_their_budget(search: ExternalSearch) -> None:
    pytest.importorskip("dspy", reason="needs the dspy extra")
    pytest.importorskip("optuna", reason="needs the dspy extra")
    first, best, store = search_bundled_task(search, target_calls=400)
    assert best > first + 0.3
    assert split_calls(store, "train", "dev") <= 400 + 16
    assert unseen(store, bundled.examples("numbers_max", "dev", 16))
