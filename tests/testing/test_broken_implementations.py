"""Each contract catches an implementation that breaks it, and passes one that keeps it."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from askwell import testing
from askwell.core.errors import AskwellError
from askwell.core.protocols import ChatModel, Demand, PromptRunner
from askwell.core.trajectory import Trajectory
from askwell.core.types import (
    Completion,
    Event,
    EventKind,
    Example,
    Experience,
    Message,
    Prompt,
    Proposal,
    Request,
    Score,
)
from askwell.engine.racing import ExpectedGain, RaceLayout, Scores
from askwell.engine.racing.rules import Decision
from askwell.models.embedder import LexicalEmbedder
from askwell.policies.fixed import FixedPolicy
from askwell.policies.protocols import Pair, PromptWriter
from askwell.runlog.store import MemoryStore
from askwell.tasks.render import ChatRender
from askwell.testing.fakes import ScriptedModel
from askwell.testing.prompt_writer import experiences
from tests.support.prompt_writers import TableTrainer, TableWriter


def broken_rules(contract: type[Any], **fixtures: Any) -> set[str]:
    """Run the tests of a contract as pytest would, and return the names of those that fail."""
    failed: set[str] = set()
    for name in [name for name in dir(contract) if name.startswith("test_")]:
        test = getattr(contract(), name)
        wanted = test.__code__.co_varnames[1 : test.__code__.co_argcount]
        try:
            test(**{fixture: fixtures[fixture]() for fixture in wanted})
        except (AssertionError, AskwellError):
            failed.add(name)
    return failed


def test_every_contract_is_tried_here() -> None:
    contracts = {name for name in testing.__all__ if name.endswith("Contract")}
    here = Path(__file__).read_text(encoding="utf-8")
    assert {name for name in contracts if f"testing.{name}" not in here} == set()


class Forgetful:
    """Gives each reply to the next request."""

    name = "forgetful"

    def __init__(self) -> None:
        self.reply = ""

    async def complete(self, request: Request) -> Completion:
        reply, self.reply = self.reply, request.messages[-1].content
        return Completion(text=reply.encode("utf-8", "replace").decode())

    async def aclose(self) -> None:
        return


def test_a_chat_model_that_mixes_up_replies() -> None:
    echo = lambda: ScriptedModel(lambda request: request.messages[-1].content)  # noqa: E731
    assert broken_rules(testing.ChatModelContract, model=echo) == set()
    assert "test_concurrent_calls_get_the_replies_to_their_own_requests" in broken_rules(
        testing.ChatModelContract, model=Forgetful
    )


@dataclass
class Likelihoods:
    """Returns minus the reply's length, plus an offset."""

    offset: float = 0.0

    async def logprob(self, request: Request, reply: str) -> float:
        return self.offset - len(reply)


def test_a_likelihood_above_1() -> None:
    assert broken_rules(testing.LikelihoodModelContract, likelihood_model=Likelihoods) == set()
    assert broken_rules(testing.LikelihoodModelContract, likelihood_model=lambda: Likelihoods(50.0)) == {
        "test_a_log_probability_is_finite_and_at_most_0"
    }


class Backwards:
    """Returns the prompts in the wrong order."""

    def prompts_for(self, queries: Sequence[str]) -> list[Prompt]:
        return [Prompt(instruction=f"{len(query)}") for query in sorted(queries)]


def test_a_policy_that_loses_the_order() -> None:
    policy = FixedPolicy(prompt=Prompt(instruction="Answer."))
    assert broken_rules(testing.PolicyContract, policy=lambda: policy) == set()
    assert broken_rules(testing.PolicyContract, policy=Backwards) == {"test_prompts_are_in_the_order_of_the_queries"}


def test_a_metric_in_percent() -> None:
    def fixtures(scale: float) -> dict[str, Any]:
        def contains(reply: str, example: Example) -> Score:
            return Score(value=scale * (str(example.target) in reply))

        return {
            "metric": lambda: contains,
            "example": lambda: Example(id="e", input="How many?", target="12"),
            "good_reply": lambda: "It is 12.",
            "bad_reply": lambda: "None.",
        }

    assert broken_rules(testing.MetricContract, **fixtures(1.0)) == set()
    assert broken_rules(testing.MetricContract, **fixtures(100.0)) == {"test_any_reply_gets_a_value_in_0_to_1"}


def test_a_render_that_shows_the_target() -> None:
    def cheat(prompt: Prompt, example: Example) -> tuple[Message, ...]:
        return ChatRender()(replace(prompt, instruction=f"{prompt.instruction} Hint: {example.target}"), example)

    assert broken_rules(testing.RenderContract, render=ChatRender) == set()
    assert broken_rules(testing.RenderContract, render=lambda: cheat) == {"test_the_target_is_never_read"}


class Distances:
    """Returns how different texts are."""

    def similarities(self, text: str, others: Sequence[str]) -> list[float]:
        return [1 - value for value in LexicalEmbedder().similarities(text, others)]


def test_an_embedder_that_returns_distances() -> None:
    assert broken_rules(testing.EmbedderContract, embedder=LexicalEmbedder) == set()
    assert broken_rules(testing.EmbedderContract, embedder=Distances) >= {"test_equal_texts_get_1"}


class OverwritingStore(MemoryStore):
    """Takes whatever is written, in the order of writing."""

    def __init__(self) -> None:
        super().__init__()
        self.without_fallback: list[Event] = []

    def append(self, events: Iterable[Event]) -> None:
        self.without_fallback.extend(events)

    def events(self, *, after: int = -1, kinds: Collection[EventKind] = ()) -> Iterator[Event]:
        return (
            event for event in self.without_fallback if event.position > after and (not kinds or event.kind in kinds)
        )


def test_a_store_that_overwrites() -> None:
    assert broken_rules(testing.RunStoreContract, store=MemoryStore) == set()
    assert broken_rules(testing.RunStoreContract, store=OverwritingStore) >= {
        "test_events_come_in_order_of_position_whatever_the_order_of_writing",
        "test_a_different_event_at_a_taken_position_is_refused_and_nothing_of_its_batch_is_written",
    }


class Endless:
    """Asks for the first cell for ever."""

    def decide(self, layout: RaceLayout, scores: Scores) -> Decision:
        decision = ExpectedGain().decide(layout, {})
        return replace(decision, wanted=decision.wanted[:1])


def test_a_racing_rule_that_never_ends() -> None:
    assert broken_rules(testing.RacingRuleContract, rule=ExpectedGain) == set()
    assert "test_a_race_ends_without_a_cell_scored_twice" in broken_rules(testing.RacingRuleContract, rule=Endless)


def test_a_scorer_whose_baseline_gains() -> None:
    pytest.importorskip("sklearn")
    from askwell.policies.selection.registry import FITS, restore_scorer

    class Shifted:
        """Predicts rates, not advantages over the baseline prompt."""

        def __init__(self, inner: Any) -> None:
            self.inner = inner

        def advantages(self, queries: Sequence[str]) -> Any:
            return self.inner.advantages(queries) + 0.5

        def state(self) -> Any:
            return self.inner.state()

    def fit_shifted(table: Any, *, baseline: int, seed: int) -> Any:
        return Shifted(FITS["knn"](table, baseline=baseline, seed=seed))

    restore = {"restore": lambda: restore_scorer}
    assert broken_rules(testing.ScorerContract, fit=lambda: FITS["knn"], **restore) == set()
    assert broken_rules(testing.ScorerContract, fit=lambda: fit_shifted, **restore) >= {
        "test_each_query_has_a_row_and_the_baseline_prompt_is_0"
    }


class Restless(TableWriter):
    """Samples without the seed."""

    def write(self, queries: Sequence[str], *, samples: int = 0, seed: int = 0) -> list[list[str]]:
        return [[f"Prompt {next(_COUNT)}" for _ in range(max(1, samples))] for _ in queries]


_COUNT = itertools.count()


def test_a_writer_that_ignores_its_seed() -> None:
    writer = TableTrainer().fit(experiences(20, seed=0), [])
    assert broken_rules(testing.PromptWriterContract, writer=lambda: writer) == set()
    assert broken_rules(testing.PromptWriterContract, writer=lambda: Restless(writer.seen)) == {
        "test_the_same_seed_gives_the_same_prompts",
        "test_prompts_depend_on_their_query_alone",
    }


class Constant(TableWriter):
    """Values everything alike."""

    def value(self, pairs: Sequence[Pair]) -> list[float]:
        return [0.5] * len(pairs)


class Careless:
    """Learns nothing, and refuses nothing."""

    def fit(
        self,
        train: Sequence[Experience],
        dev: Sequence[Experience],
        *,
        start: PromptWriter | None = None,
        seed: int = 0,
    ) -> PromptWriter:
        return Constant(tuple((row.query, row.prompt, row.reward) for row in train))


def test_a_trainer_that_learns_nothing_and_checks_nothing() -> None:
    assert broken_rules(testing.TrainerContract, trainer=TableTrainer) == set()
    assert broken_rules(testing.TrainerContract, trainer=Careless) == {
        "test_the_writer_values_what_works_above_what_does_not",
        "test_nothing_to_learn_from_is_refused",
        "test_dev_queries_that_are_also_trained_on_are_refused",
    }


class Repeating:
    """Proposes one prompt twice, and states that it proposes none."""

    def __init__(self, model: ChatModel, run_prompt: PromptRunner) -> None:
        self.model = model

    async def propose(self, trajectory: Trajectory, *, seed: int) -> list[Proposal]:
        await self.model.complete(Request(messages=(Message(role="user", content=f"Write {seed}"),)))
        return [Proposal(prompt=Prompt(instruction=f"Count {seed}."), origin="test")] * 2

    def demand(self, step: int) -> Demand:
        return Demand(proposals=0, optimizer_calls=0)


def test_an_optimizer_that_repeats_a_proposal_and_pays_outside_the_log() -> None:
    assert broken_rules(testing.OptimizerContract, make_optimizer=lambda: Repeating)
