"""The multi-loop on a small world with known truth: gains, budget, resuming, and what it must not do."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from askwell.core.errors import DataError
from askwell.core.types import Completion, Example, Experience, Prompt, Request, Split, Usage
from askwell.engine.budget import BudgetLimited, BudgetTracker, Caps
from askwell.engine.evaluator import Evaluator, Interrupted, Sampling
from askwell.engine.loop import begin
from askwell.policies.acquisition import select_pairs
from askwell.policies.checkpoints import WriterCheckpoints
from askwell.policies.data.outcomes import OutcomeRow, PairOutcomes, convert_rollouts, merge
from askwell.policies.data.subsample import thin_experiences
from askwell.policies.fallback_policy import FallbackPolicy
from askwell.policies.fixed import FixedPolicy
from askwell.policies.loop_records import read_chosen, read_loops
from askwell.policies.multi_loop import LoopsResult, MultiLoop
from askwell.policies.protocols import Trainer
from askwell.policies.query_splits import QuerySplits, split_queries
from askwell.policies.selector_writer import SelectorWriter
from askwell.policies.settings import LoopsSettings
from askwell.runlog.fold import read_rollouts, read_spend
from askwell.runlog.store import MemoryStore, RunStore
from askwell.runlog.writer import Journal
from askwell.tasks.metrics import metric
from askwell.tasks.questions import normalize_question
from askwell.tasks.render import ChatRender
from askwell.tasks.task import Task
from askwell.testing.fakes import ScriptedModel
from tests.support.policy_worlds import PROMPTS, phrased
from tests.support.prompt_writers import TableTrainer, read_table

BASELINE = Prompt(instruction=PROMPTS[0])


def examples(n: int, *, seed: int, split: Split) -> tuple[Example, ...]:
    queries, _ = phrased(n, seed=seed)
    return tuple(Example(id=f"{split}-{index}", input=text, target="right") for index, text in enumerate(queries))


@dataclass
class World:
    """A target that answers right if the prompt suits the query's kind; records its calls."""

    suits: bool = True
    asked: list[str] = field(default_factory=list[str])

    def answer(self, request: Request) -> Completion:
        query, _, prompt = request.messages[-1].content.rpartition("\n")
        self.asked.append(f"{query}|{prompt}")
        puzzle = query.startswith("Suppose")
        right = prompt == (PROMPTS[1] if puzzle and self.suits else PROMPTS[0])
        return Completion(text="right" if right else "wrong", usage=Usage(prompt_tokens=5, completion_tokens=1))

    def model(self) -> ScriptedModel:
        return ScriptedModel(self.answer)

    def logged(self, queries: tuple[Example, ...]) -> PairOutcomes:
        rows: list[OutcomeRow] = []
        for example in queries:
            for prompt in PROMPTS:
                puzzle = example.input.startswith("Suppose")
                right = prompt == (PROMPTS[1] if puzzle and self.suits else PROMPTS[0])
                rows.append(OutcomeRow(query=example.input, prompt=prompt, total=float(right)))
        return merge(rows)


TASK = Task(
    name="phrased",
    splits={
        "train": examples(80, seed=11, split="train"),
        "dev": examples(40, seed=12, split="dev"),
        "test": examples(60, seed=13, split="test"),
    },
    render=ChatRender(placement="Q_end"),
    metric=metric("exact"),
)


def split_world(world: World) -> QuerySplits:
    return split_queries(world.logged(TASK.splits["dev"]), TASK.splits, seed=0)


async def multi(
    world: World,
    store: RunStore,
    *,
    trainer: Trainer | None = None,
    settings: LoopsSettings | None = None,
    caps: Caps | None = None,
    checkpoints: WriterCheckpoints | None = None,
    stop_after: float = math.inf,
) -> LoopsResult:
    async with Journal(store) as journal:
        spent = read_spend(store)
        budget = BudgetTracker(caps or Caps(), spent=spent.values(), reserve=120)
        evaluator = Evaluator(
            task=TASK, target=BudgetLimited(world.model(), budget), journal=journal, sampling=Sampling(), budget=budget
        )
        await begin(journal, header={"config": {"name": "x"}}, task=TASK)

        def show(stage: str, done: int, total: int) -> None:
            del stage, done, total
            if len(world.asked) >= stop_after:
                evaluator.stopping = True

        max_calls = budget.caps.max_calls
        return await MultiLoop(
            splits=split_world(world),
            baseline=BASELINE,
            trainer=trainer or TableTrainer(),
            evaluator=evaluator,
            settings=settings or LoopsSettings(loops=2, acquire=60, selector_first=False),
            checkpoints=checkpoints or WriterCheckpoints(),
            calls_left=lambda: math.inf if max_calls is None else max_calls - budget.calls - budget.reserve,
            show=show,
        ).run()


def run(world: World, store: RunStore | None = None, **more: object) -> LoopsResult:
    return asyncio.run(multi(world, store or MemoryStore(), **more))  # type: ignore[arg-type]


def test_the_policy_beats_the_baseline_prompt_and_each_loop_logs_its_results() -> None:
    store = MemoryStore()
    result = run(World(), store)
    assert isinstance(result.policy, FallbackPolicy)
    assert [loop.loop for loop in result.loops] == [1, 2]
    assert result.loops[0].acquired == 0
    assert 0 < result.loops[1].acquired <= 80
    assert result.loops[1].trained_on > result.loops[0].trained_on
    assert all(loop.with_fallback.low > 0 for loop in result.loops)
    assert result.tested is not None
    assert result.tested.gain.low > 0
    assert result.tested.policy.estimate == pytest.approx(result.tested.baseline.estimate + result.tested.gain.estimate)
    assert read_loops(store) == list(result.loops)


def test_without_a_gain_the_baseline_prompt_is_kept_and_no_test_call_is_paid() -> None:
    world = World(suits=False)
    result = run(world)
    assert result.policy == FixedPolicy(prompt=BASELINE)
    assert result.tested is None
    assert len(result.loops) == 2
    assert result.reason == "loop 2 brought nothing"
    tests = {normalize_question(example.input) for example in TASK.splits["test"]}
    assert not any(normalize_question(line.partition("|")[0]) in tests for line in world.asked)


def test_test_queries_are_asked_after_all_loops_and_never_trained_on() -> None:
    store = MemoryStore()
    run(World(), store)
    splits = [str(event.body["split"]) for event in store.events(kinds=["rollout"])]
    assert splits[splits.index("test") :] == ["test"] * splits.count("test")
    tests = {example.input for example in TASK.splits["test"]}
    assert not {row.query for row in convert_rollouts(read_rollouts(store))} & tests


def test_no_pair_is_labelled_twice() -> None:
    world = World()
    run(world, settings=LoopsSettings(loops=3, acquire=40, selector_first=False))
    assert len(world.asked) == len(set(world.asked))


def test_a_stopped_run_resumes_to_the_same_log_and_pays_no_call_twice(tmp_path: Path) -> None:
    whole, whole_store = World(), MemoryStore()
    expected = run(whole, whole_store)
    for stop_after in (5, 70):
        world, store, trainer = World(), MemoryStore(), TableTrainer()
        checkpoints = WriterCheckpoints(folder=tmp_path / str(stop_after), read_writer=read_table)
        with pytest.raises(Interrupted):
            run(world, store, stop_after=stop_after, checkpoints=checkpoints, trainer=trainer)
        before = len(world.asked)
        assert before < len(whole.asked)
        result = run(world, store, checkpoints=checkpoints, trainer=trainer)
        assert sorted(world.asked) == sorted(whole.asked)
        assert list(store.events()) == list(whole_store.events())
        assert result.loops == expected.loops
        assert trainer.fits == 2, "a loop that was trained before the kill is not trained again"


def test_a_cap_ends_the_loops_in_order_and_leaves_enough_for_the_test() -> None:
    world = World()
    dev = len(split_world(world).dev_examples)
    result = run(world, caps=Caps(max_calls=120 + 2 * dev + 20))
    assert result.tested is not None
    assert len(world.asked) <= 120 + 2 * dev + 20
    assert result.loops[-1].acquired <= 20


def test_a_cap_that_allows_no_second_loop_says_so() -> None:
    world = World()
    dev = len(split_world(world).dev_examples)
    result = run(world, caps=Caps(max_calls=120 + 2 * dev))
    assert len(result.loops) == 1
    assert "no target calls left" in result.reason
    assert result.tested is not None


def test_loop_0_is_a_selector_and_a_writer_that_adds_nothing_is_not_deployed() -> None:
    store = MemoryStore()
    result = run(World(), store, settings=LoopsSettings(loops=2, acquire=60))
    assert [loop.loop for loop in result.loops][:2] == [0, 1]
    assert result.loops[0].acquired == 0
    assert result.loops[0].with_fallback.low > 0
    assert read_loops(store) == list(result.loops)
    assert result.best_loop == 0
    assert isinstance(result.policy, FallbackPolicy)
    assert isinstance(result.policy.writer, SelectorWriter)
    assert result.tested is not None
    assert result.tested.gain.low > 0


def test_patience_is_the_number_of_loops_without_a_gain() -> None:
    settings = LoopsSettings(loops=4, acquire=20, selector_first=False)
    for patience, most in ((1, 2), (2, 3), (0, 4)):
        result = run(World(suits=False), settings=replace(settings, patience=patience))
        assert len(result.loops) == most


def test_a_cap_is_spread_evenly_over_the_loops_that_are_left() -> None:
    world = World()
    dev = len(split_world(world).dev_examples)
    settings = LoopsSettings(loops=3, acquire=1_000, selector_first=False, patience=0)
    result = run(world, settings=settings, caps=Caps(max_calls=120 + 4 * dev + 60))
    assert len(result.loops) == 3
    assert 20 <= result.loops[1].acquired <= 30 + dev
    assert result.loops[2].acquired >= 20
    assert len(world.asked) <= 120 + 4 * dev + 60


def test_with_the_papers_settings_every_generated_prompt_is_sent() -> None:
    paper = LoopsSettings(
        loops=1,
        samples=0,
        fallback=False,
        prompts=1,
        label_baseline=False,
        most_prompts=0,
        selector_first=False,
    )
    result = run(World(), settings=paper)
    assert result.loops[0].without_fallback == result.loops[0].with_fallback
    assert result.tested is not None


def test_parts_share_no_query_and_logged_queries_are_in_train_and_dev() -> None:
    splits = split_world(World())
    groups = [
        set(splits.train.queries),
        {example.input for example in splits.dev_examples},
        {example.input for example in splits.collection},
        {example.input for example in splits.test},
    ]
    names = [{normalize_question(query) for query in group} for group in groups]
    assert sum(map(len, names)) == len(set[str]().union(*names))
    assert set(splits.dev.queries) <= {example.input for example in splits.dev_examples}
    assert 0 < len(splits.dev.queries) < len(splits.dev_examples)
    assert len(splits.collection) > 40


def test_without_other_queries_some_logged_ones_are_collection_queries() -> None:
    world = World()
    splits = split_queries(world.logged(TASK.splits["dev"]), {"dev": TASK.splits["dev"]}, seed=0)
    assert len(splits.collection) == 10
    assert not {example.input for example in splits.collection} & set(splits.train.queries)


def test_logged_test_queries_are_refused() -> None:
    world = World()
    leaked = world.logged((*TASK.splits["dev"], replace(TASK.splits["test"][0], id="x")))
    with pytest.raises(DataError, match="test questions of the task are among the logged"):
        split_queries(leaked, TASK.splits)
    with pytest.raises(DataError, match="name the task"):
        split_queries(world.logged(examples(30, seed=99, split="dev")), TASK.splits)


def test_uncertainty_prefers_pairs_whose_outcome_is_open() -> None:
    @dataclass(frozen=True, slots=True)
    class Sure:
        def write(self, queries: object, *, samples: int = 0, seed: int = 0) -> list[list[str]]:
            return [["a", "b", "c"][:samples] for _ in range(len(queries))]  # type: ignore[arg-type]

        def value(self, pairs: object) -> list[float]:
            return [{"a": 0.0, "b": 0.45, "c": 1.0}[prompt] for _, prompt in pairs]  # type: ignore[attr-defined]

        def save(self, folder: Path) -> None: ...

    def select(labelled: set[tuple[str, str]]) -> list[tuple[Example, str]]:
        examples = TASK.splits["train"]
        return select_pairs(Sure(), examples, pairs=10, prompts=1, acquisition="uncertainty", labelled=labelled, seed=0)

    pairs = select(set())
    assert [text for _, text in pairs] == ["b"] * 10
    assert len({example.id for example, _ in pairs}) == 10
    labelled = {(example.input, "b") for example in TASK.splits["train"]}
    assert "b" not in {text for _, text in select(labelled)}


def test_thinning_keeps_the_best_some_failures_and_the_baseline_prompt() -> None:
    many = [Experience(query=f"q{q}", prompt=f"p{p}", reward=float(p % 5 == 0)) for q in range(3) for p in range(50)]
    kept = thin_experiences(many, most=12, always="p1", seed=0)
    assert len(kept) == 36
    for query in ("q0", "q1", "q2"):
        own = [one for one in kept if one.query == query]
        assert sum(one.reward for one in own) >= 5
        assert sum(one.reward == 0 for one in own) >= 2
        assert "p1" in {one.prompt for one in own}
    assert thin_experiences(many, most=0) == many
    assert [one for one in many if one in kept] == kept


def test_chosen_pairs_are_decoded_from_the_log() -> None:
    store = MemoryStore()
    run(World(), store)
    decoded = read_chosen(store)
    assert [purpose for _, purpose in decoded] == ["dev", "collect", "dev", "test"]
    assert all(len(chosen.advantages) == len(chosen.pairs) for key, chosen in decoded.items() if key[1] == "dev")
