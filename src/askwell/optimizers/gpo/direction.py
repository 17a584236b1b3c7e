"""The update direction: what a meta-prompt says about the current prompt and about past prompts.

Each part is a small function, chosen by name from a table.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from askwell.core.protocols import Render
from askwell.core.trajectory import Trajectory
from askwell.core.types import Candidate, Example, Prompt, Rollout
from askwell.models.embedder import Embedder
from askwell.optimizers.gpo.contrastive import Contrast, count_delta, format_contrast_request
from askwell.optimizers.gpo.metaprompt import Memory, format_reflection_request, format_summary_request, make_exemplar
from askwell.optimizers.gpo.retrieve import RETRIEVERS, Retriever

Ask = Callable[[str], Awaitable[str]]
"""Send one request to the optimizer model at temperature 0; raises if there is no answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallContext:
    """The state of a run from which a memory of past prompts is made."""

    trajectory: Trajectory
    pool: Sequence[Candidate]
    """The past prompts that count, in order of time; the current one may be among them."""
    current: Candidate
    k: int
    """Most past prompts to return."""
    embedder: Embedder
    seed: int
    ask: Ask
    deltas: bool = False
    """Whether to compare each past prompt with the current one, example by example."""


Recall = Callable[[RecallContext], Awaitable[Memory]]


async def _recall_nothing(_context: RecallContext) -> Memory:
    return Memory()


async def _recall_summary(context: RecallContext) -> Memory:
    """Fold the winners into a summary, one request per winner: s_t = M_O(s_{t-1}, winner_t).

    All but the last request were made in the previous step, so the run log answers them at no cost.
    """
    summary = ""
    for winner in context.trajectory.winners:
        summary = await context.ask(format_summary_request(summary, winner))
    return Memory(summary=summary)


def _recall_by(retriever: Retriever) -> Recall:
    async def recall(context: RecallContext) -> Memory:
        past = drop_repeats(context.pool, context.current.prompt)
        entries = retriever.retrieve(past, context.current, context.k, context.embedder, context.seed)
        deltas = [count_delta(entry, context.current) for entry in entries] if context.deltas else []
        counts = tuple((delta.fixes, delta.breaks) for delta in deltas)
        return Memory(entries=tuple(entries), order=retriever.order, deltas=counts)

    return recall


MOMENTA: Mapping[str, Recall] = MappingProxyType(
    {"none": _recall_nothing, "summarization": _recall_summary}
    | {name: _recall_by(retriever) for name, retriever in RETRIEVERS.items()}
)
"""Momentum by name. Add a retriever in `retrieve.py`, anything else here."""


def _all_candidates(trajectory: Trajectory) -> Sequence[Candidate]:
    """Return every candidate; one that lost a race early has its expected score."""
    return [replace(candidate, score=trajectory.expected_score(candidate)) for candidate in trajectory.candidates]


POOLS: Mapping[str, Callable[[Trajectory], Sequence[Candidate]]] = MappingProxyType(
    {"winners": lambda trajectory: trajectory.winners, "all": _all_candidates}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Direction:
    """What a meta-prompt says about the current prompt besides its text."""

    score: bool
    """Whether it states the score."""
    reflection: Literal["", "wrong", "contrast"] = ""
    """Feedback on wrong training examples ("wrong"), on those where another prompt scores differently, or none ("")."""


DIRECTIONS: Mapping[str, Direction] = MappingProxyType(
    {
        "P": Direction(score=False),
        "P+M": Direction(score=True),
        "P+M+R": Direction(score=True, reflection="wrong"),
        "P+M+C": Direction(score=True, reflection="contrast"),
    }
)


def drop_repeats(pool: Sequence[Candidate], current: Prompt) -> list[Candidate]:
    """Return each prompt once, at its latest position, without the current one (which has its own section)."""
    latest = {candidate.prompt: index for index, candidate in enumerate(pool)}
    return [c for index, c in enumerate(pool) if latest[c.prompt] == index and c.prompt != current]


ScoredExamples = Sequence[tuple[Example, Rollout]]
"""Training examples with a prompt's rollouts on them."""


async def reflect(current: Prompt, scored: ScoredExamples, most: int, render: Render, ask: Ask) -> str:
    """Request feedback on the `most` worst examples, of equals the earliest; "" without a request if all are right.

    Failed calls are left out: they say nothing about the prompt.
    """
    wrong = [(r.score.value, e, r) for e, r in scored if r.score is not None and r.score.value < 1]
    if not wrong:
        return ""
    worst = sorted(wrong, key=lambda item: item[0])[:most]
    return await ask(
        format_reflection_request(current.instruction, [(make_exemplar(e, render), r) for _, e, r in worst])
    )


async def contrast(
    current: Prompt, ours: ScoredExamples, rival: Prompt, theirs: ScoredExamples, most: int, render: Render, ask: Ask
) -> str:
    """Request feedback on at most `most` examples per side on which two prompts differ, largest differences first.

    If the two prompts agree on every example, this is `reflect`. Failed calls are left out.
    """
    others = {rollout.example_id: rollout.score for _, rollout in theirs}
    gaps: list[tuple[float, Example, Rollout]] = []
    for example, rollout in ours:
        other = others.get(example.id)
        if rollout.score is not None and other is not None and rollout.score.value != other.value:
            gaps.append((other.value - rollout.score.value, example, rollout))
    if not gaps:
        return await reflect(current, ours, most, render, ask)
    gaps.sort(key=lambda item: -abs(item[0]))
    gained = [(make_exemplar(e, render), r) for gap, e, r in gaps if gap > 0][:most]
    lost = [(make_exemplar(e, render), r) for gap, e, r in gaps if gap < 0][:most]
    return await ask(
        format_contrast_request(current.instruction, rival.instruction, Contrast(gained=gained, lost=lost))
    )
