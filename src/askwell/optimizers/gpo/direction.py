"""The update direction: what the optimizer model learns about the current prompt and about the past.

Each part is a small function with one verb, chosen by name through one table.
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
from askwell.optimizers.gpo.contrastive import Contrast, contrast_request, delta
from askwell.optimizers.gpo.metaprompt import Memory, exemplar, reflection_request, summary_request
from askwell.optimizers.gpo.retrieve import RETRIEVERS, Retriever

Ask = Callable[[str], Awaitable[str]]
"""Put one question to the optimizer model at temperature 0; raises where there is no answer to be had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Where a run stands when it looks back."""

    trajectory: Trajectory
    pool: Sequence[Candidate]
    """Every prompt that counts, in order of time; the current one may be among them."""
    current: Candidate
    k: int
    embedder: Embedder
    seed: int
    ask: Ask
    deltas: bool = False
    """Whether to tell how each entry does against the current prompt, example for example."""


Recall = Callable[[Moment], Awaitable[Memory]]


async def _nothing(_moment: Moment) -> Memory:
    return Memory()


async def _summarized(moment: Moment) -> Memory:
    """Fold the winners into a summary, one request each: s_t = M_O(s_{t-1}, winner_t).

    All but the last request are those of the step before, so the run log answers them at no cost.
    """
    summary = ""
    for winner in moment.trajectory.winners:
        summary = await moment.ask(summary_request(summary, winner))
    return Memory(summary=summary)


def _retrieved(retriever: Retriever) -> Recall:
    async def recall(moment: Moment) -> Memory:
        past = without_repeats(moment.pool, moment.current.prompt)
        entries = retriever.retrieve(past, moment.current, moment.k, moment.embedder, moment.seed)
        deltas = [delta(entry, moment.current) for entry in entries] if moment.deltas else []
        told = tuple((one.fixes, one.breaks) for one in deltas)
        return Memory(entries=tuple(entries), order=retriever.order, deltas=told)

    return recall


MOMENTA: Mapping[str, Recall] = MappingProxyType(
    {"none": _nothing, "summarization": _summarized}
    | {name: _retrieved(retriever) for name, retriever in RETRIEVERS.items()}
)
"""What is told of the past. Add a retriever in `retrieve.py`, anything else here."""


def _everybody(trajectory: Trajectory) -> Sequence[Candidate]:
    """Every candidate; those that lost a race early with the score that is expected of them."""
    return [replace(candidate, score=trajectory.expected_score(candidate)) for candidate in trajectory.candidates]


POOLS: Mapping[str, Callable[[Trajectory], Sequence[Candidate]]] = MappingProxyType(
    {"winners": lambda trajectory: trajectory.winners, "all": _everybody}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Direction:
    """What is told of the current prompt beside its text."""

    score: bool
    reflection: Literal["", "wrong", "contrast"] = ""
    """Feedback on wrong training examples, on those that another prompt answers otherwise, or none."""


DIRECTIONS: Mapping[str, Direction] = MappingProxyType(
    {
        "P": Direction(score=False),
        "P+M": Direction(score=True),
        "P+M+R": Direction(score=True, reflection="wrong"),
        "P+M+C": Direction(score=True, reflection="contrast"),
    }
)


def without_repeats(pool: Sequence[Candidate], current: Prompt) -> list[Candidate]:
    """Keep each prompt once, where it was last scored, and leave the current one out: it has its own section."""
    latest = {candidate.prompt: place for place, candidate in enumerate(pool)}
    return [c for place, c in enumerate(pool) if latest[c.prompt] == place and c.prompt != current]


Judged = Sequence[tuple[Example, Rollout]]
"""Training examples with a prompt's rollouts on them."""


async def reflect(current: Prompt, judged: Judged, most: int, render: Render, ask: Ask) -> str:
    """Ask what goes wrong on the `most` worst examples, of equals the earliest; "" without a request if all are right.

    Missing cells (failed calls) say nothing about the prompt.
    """
    wrong = [(r.score.value, e, r) for e, r in judged if r.score is not None and r.score.value < 1]
    if not wrong:
        return ""
    worst = sorted(wrong, key=lambda item: item[0])[:most]
    return await ask(reflection_request(current.instruction, [(exemplar(e, render), r) for _, e, r in worst]))


async def contrast(
    current: Prompt, ours: Judged, rival: Prompt, theirs: Judged, most: int, render: Render, ask: Ask
) -> str:
    """Ask what makes the difference on at most `most` examples either way, the largest differences first.

    Where the two prompts agree on every example this is `reflect`. Missing cells say nothing.
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
    gained = [(exemplar(e, render), r) for gap, e, r in gaps if gap > 0][:most]
    lost = [(exemplar(e, render), r) for gap, e, r in gaps if gap < 0][:most]
    return await ask(contrast_request(current.instruction, rival.instruction, Contrast(gained=gained, lost=lost)))
