"""ProTeGi's parts: errors, criticisms, edits, variations, the beam, and its cost."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from askwell.core.errors import ConfigError
from askwell.core.trajectory import Trajectory
from askwell.core.types import Candidate, Completion, Example, Prompt, Request, Rollout, Score
from askwell.optimizers.baselines.protegi import ProTeGi, ProTeGiSettings
from askwell.testing.fakes import ScriptedModel
from tests.support.gpo_simulation import NUMBERS, q_end

BEAM = ("Think.", "Count.")


def history(*last: str) -> Trajectory:
    first = Candidate(step=0, prompt=Prompt(instruction="Old."), score=0.1, n=9)
    beam = [Candidate(step=1, prompt=Prompt(instruction=text), score=0.5, n=9) for text in last]
    return Trajectory(candidates=(first, *beam))


class FakeRunner:
    """Scores each prompt by its own share of right answers; records its runs."""

    def __init__(self, worth: dict[str, float], otherwise: float = 0.0) -> None:
        self.worth, self.otherwise = worth, otherwise
        self.tried: list[tuple[str, int]] = []

    async def __call__(self, prompt: Prompt, examples: Sequence[Example], *, step: int, **_: object) -> list[Rollout]:
        self.tried.append((prompt.instruction, len(examples)))
        worth = self.worth.get(prompt.instruction, self.otherwise)
        return [
            Rollout(
                step=step, split="train", prompt=prompt, example_id=example.id, query=example.input,
                completion=Completion(text=f"reply {example.id}"),
                score=Score(value=float(int(example.id) < worth * len(NUMBERS))),
            )
            for example in examples
        ]  # fmt: skip


def writer(request: Request) -> str:
    """Criticize if the request asks for that, else write a prompt that names its origin."""
    text = request.messages[0].content
    if "<START>" not in text:
        return f"Criticism {request.sample_index}"
    kind = "Variation" if "another wording" in text else "Edit"
    return f"<START>{kind} {request.sample_index}.<END>"


def asked(model: ScriptedModel, words: str) -> list[str]:
    return [one.messages[0].content for one in model.requests if words in one.messages[0].content]


async def beam(model: ScriptedModel, runner: FakeRunner, *last: str, seed: int = 1, **changes: int | str) -> list[str]:
    settings = ProTeGiSettings(**{"batch": 12, **changes})  # type: ignore[arg-type]
    optimizer = ProTeGi(model=model, train=NUMBERS, render=q_end, run_prompt=runner, settings=settings)
    found = await optimizer.propose(history(*last), seed=seed)
    demand = optimizer.demand(2)
    assert len(model.requests) <= demand.optimizer_calls
    assert sum(count for _, count in runner.tried) <= demand.train_calls
    return [one.prompt.instruction for one in found]


async def test_each_prompt_of_the_beam_is_criticized_on_its_own_errors_and_edited_along_each_criticism() -> None:
    model, runner = ScriptedModel(writer), FakeRunner({"Think.": 0.5, "Count.": 0.25})
    await beam(model, runner, *BEAM, gradients=3, group=2)
    criticisms = asked(model, "were judged wrong")
    assert len(criticisms) == 2 * 3
    assert all(text.count("<reply>") == 2 for text in criticisms)
    right = [f"<reply>\nreply {i}\n</reply>" for i in range(6)]
    assert not [text for text in criticisms if "<prompt>Think.</prompt>" in text and any(r in text for r in right)]
    edits = asked(model, "Modify the current prompt")
    assert len(edits) == 2 * 3
    assert [f"Criticism {sample_index}" in text for sample_index, text in enumerate(edits)] == [True] * 6


async def test_edits_and_parents_are_varied_and_the_best_become_the_next_beam() -> None:
    model = ScriptedModel(writer)
    runner = FakeRunner({"Think.": 0.5, "Edit 1.": 0.9, "Variation 2.": 0.8}, otherwise=0.1)
    found = await beam(model, runner, "Think.", gradients=2, variations=1, candidates=3, calls_per_arm=12)
    assert len(asked(model, "another wording")) == 2 + 1
    assert found == ["Edit 1.", "Variation 2.", "Think."]


async def test_a_prompt_without_errors_gets_variations_only() -> None:
    model = ScriptedModel(writer)
    found = await beam(model, FakeRunner({}, otherwise=1.0), "Think.")
    assert not asked(model, "were judged wrong")
    assert len(asked(model, "another wording")) == 2
    assert set(found) == {"Think.", "Variation 0.", "Variation 1."}


async def test_a_parent_has_at_most_successors_prompts_in_the_selection() -> None:
    runner = FakeRunner({}, otherwise=0.5)
    await beam(ScriptedModel(writer), runner, *BEAM, successors=3, calls_per_arm=4, selection="uniform")
    assert len({text for text, _ in runner.tried[2:]}) == 2 + 2 * 3


async def test_the_beam_is_the_last_step_limited_to_its_width() -> None:
    runner = FakeRunner({}, otherwise=0.5)
    await beam(ScriptedModel(writer), runner, "A.", "B.", "C.", candidates=2)
    assert [text for text, _ in runner.tried[:2]] == ["A.", "B."]


def test_it_needs_training_examples_and_known_names() -> None:
    with pytest.raises(ConfigError, match="train split"):
        ProTeGi(model=ScriptedModel(()), train=(), render=q_end, run_prompt=FakeRunner({}))
    with pytest.raises(ConfigError, match="did you mean 'ucb'"):
        ProTeGiSettings(selection="ucbb")
