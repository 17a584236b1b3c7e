"""CAPO's parts: crossing of demonstrations, the length penalty, and survival."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from askwell.core.errors import RunFailed
from askwell.core.trajectory import Trajectory
from askwell.core.types import Candidate, Completion, Example, Prompt, Proposal, Request, Rollout, Score
from askwell.optimizers.baselines.capo import CAPO, CAPOSettings
from askwell.optimizers.gpo.prompt_length import count_prompt_words
from askwell.testing.fakes import ScriptedModel
from tests.support.gpo_simulation import NUMBERS, q_end

SHORT = "Count."
LONG = "Count all of the even numbers that are in the list and say how many there are."


def candidate(text: str, score: float, *, step: int = 1, demos: Sequence[Example] = ()) -> Candidate:
    return Candidate(step=step, prompt=Prompt(instruction=text, demos=tuple(demos)), score=score, n=9)


async def judge(prompt: Prompt, examples: Sequence[Example], *, step: int, **_: object) -> list[Rollout]:
    """Answer every other example right, with a long reply."""
    return [
        Rollout(
            step=step, split="train", prompt=prompt, example_id=example.id, query=example.input,
            completion=Completion(text=f"Step by step: {example.target}"), score=Score(value=float(i % 2 == 0)),
        )
        for i, example in enumerate(examples)
    ]  # fmt: skip


def writer(request: Request) -> str:
    kind = "Mutant" if "Mutate the current prompt" in request.messages[0].content else "Child"
    return f"<START>{kind} {request.sample_index}.<END>"


async def proposed(
    *members: Candidate, model: ScriptedModel | None = None, seed: int = 1, ask: Any = judge, **changes: object
) -> list[Proposal]:
    settings = CAPOSettings(**changes)  # type: ignore[arg-type]
    optimizer = CAPO(
        model=model or ScriptedModel(writer), train=NUMBERS, render=q_end, run_prompt=ask, settings=settings
    )
    return await optimizer.propose(Trajectory(candidates=members), seed=seed)


async def test_the_first_population_has_wordings_with_at_most_shots_demonstrations() -> None:
    counts: set[int] = set()
    for seed in range(6):
        found = await proposed(candidate(SHORT, 0.5, step=0), seed=seed, shots=3)
        assert len(found) == 9
        counts |= {len(one.prompt.demos) for one in found}
    assert counts == {0, 1, 2, 3}


async def test_a_demonstration_shows_the_targets_own_reply_if_that_was_right() -> None:
    found = await proposed(candidate(SHORT, 0.5, step=0))
    targets = {example.id: example.target for example in NUMBERS}
    demos = [demo for one in found for demo in one.prompt.demos]
    bare = [demo for demo in demos if demo.target == targets[demo.id]]
    replied = [demo for demo in demos if demo.target == f"Step by step: {targets[demo.id]}"]
    assert len(bare) + len(replied) == len(demos)
    assert bare
    assert replied


async def test_answers_alone_are_shown_if_the_target_fails_or_is_not_called() -> None:
    async def down(prompt: Prompt, examples: Sequence[Example], *, step: int, **_: object) -> Sequence[Rollout]:
        raise RunFailed("the server is down")

    for found in (
        await proposed(candidate(SHORT, 0.5, step=0), ask=down),
        await proposed(candidate(SHORT, 0.5, step=0), ask=down, replies=False),
    ):
        demos = [demo for one in found for demo in one.prompt.demos]
        assert demos
        assert set(demos) <= set(NUMBERS)


async def test_children_are_crossed_then_mutated_and_inherit_demonstrations_of_both_parents() -> None:
    model = ScriptedModel(writer)
    parents = (candidate("A.", 0.5, demos=NUMBERS[:4]), candidate("B.", 0.6, demos=NUMBERS[4:6]))
    sizes: set[int] = set()
    for seed in range(12):
        found = await proposed(*parents, model=model, seed=seed)
        assert [one.prompt.instruction for one in found] == [f"Mutant {i}." for i in range(4)]
        for one in found:
            inherited = [demo for demo in one.prompt.demos if demo.id in {example.id for example in NUMBERS[:6]}]
            new = len(one.prompt.demos) - len(inherited)
            assert new <= 1
            sizes.add(len(one.prompt.demos))
    assert sizes == {2, 3, 4}, "the mean of four and two, one more, or one less"
    crossings = [one.messages[0].content for one in model.requests if "Cross the parent" in one.messages[0].content]
    assert all(text.count("<parent>") == 2 for text in crossings)


async def test_demonstrations_never_exceed_shots() -> None:
    full = [candidate(text, 0.5, demos=NUMBERS[:5]) for text in ("A.", "B.")]
    for seed in range(8):
        assert all(len(one.prompt.demos) <= 5 for one in await proposed(*full, seed=seed))


async def test_survival_is_by_score_minus_length_penalty() -> None:
    members = (candidate(LONG, 0.52), candidate(SHORT, 0.5), candidate("Add.", 0.5))
    model = ScriptedModel(writer)
    await proposed(*members, model=model, population=2, length_penalty=0.05)
    assert not [one for one in model.requests if LONG in one.messages[0].content]
    free = ScriptedModel(writer)
    await proposed(*members, model=free, population=2, length_penalty=0.0)
    assert [one for one in free.requests if LONG in one.messages[0].content]


async def test_the_penalty_of_a_prompt_is_relative_to_the_longest_initial_prompt() -> None:
    founders = await proposed(candidate(SHORT, 0.5, step=0), length_penalty=0.1)
    longest = max(count_prompt_words(one.prompt) for one in founders)
    for one in founders:
        assert one.penalty == pytest.approx(0.1 * count_prompt_words(one.prompt) / longest)
    assert max(one.penalty for one in founders) == pytest.approx(0.1)


async def test_a_prompt_that_was_scored_before_is_not_proposed_again() -> None:
    first = await proposed(candidate("A.", 0.5), candidate("B.", 0.5), shots=0)
    known = [Candidate(step=2, prompt=one.prompt, score=0.1, n=9) for one in first]
    assert await proposed(candidate("A.", 0.5), candidate("B.", 0.5), *known, shots=0) == []
