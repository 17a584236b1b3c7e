"""What the rollouts of a log come to, folded over their columns: no text is read, so a million of them take seconds.

The trajectory, every prompt's scores and the curve are one walk through the log. `views` gives the same for any events.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from types import MappingProxyType
from typing import cast

from askwell.runlog.codec import Body, CellRow, candidate_of, prompt_id, prompt_of
from askwell.runlog.store import RunStore
from askwell.trajectory import Trajectory
from askwell.types import Candidate, Event, Prompt, Split

_NO_SCORES: Mapping[str, float] = MappingProxyType({})
_END = 1 << 62

Place = tuple[str, str, str, int]
"""Split, prompt id, example id and draw: what a cell is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """Where a run stood after a step. `target_calls` is cumulative."""

    step: int
    step_best: float
    best: float
    candidates: int
    target_calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The committed steps, and all cells whether their step was committed or not."""

    trajectory: Trajectory
    curve: tuple[CurvePoint, ...]
    scores: Mapping[str, Mapping[str, Mapping[str, float]]]
    """Split -> prompt id -> example id -> mean score; missing cells are absent, not 0."""
    failed: frozenset[Place]
    """Cells whose call failed for good at least once; `missing` are those of them that were never answered."""

    def of(self, prompt: Prompt, split: Split) -> Mapping[str, float]:
        """Return a prompt's scores on a split: example id -> mean score."""
        return self.scores.get(split, {}).get(prompt_id(prompt), _NO_SCORES)


def read(store: RunStore) -> Columns:
    """Fold a whole log."""
    return fold(store.events(kinds=["prompt", "step"]), store.cells())


def fold(marks: Iterable[Event], rows: Iterable[CellRow]) -> Columns:
    """Fold the prompts and steps of a log together with its rollouts; both in ascending position.

    A candidate's scores are what the log holds before its step's event: what was written later is not in them.
    """
    prompts: dict[str, Prompt] = {}
    tally = _Tally(rows=iter(rows))
    candidates: list[Candidate] = []
    points: list[CurvePoint] = []
    best = 0.0
    for event in marks:
        if event.kind == "prompt":
            prompts[cast("str", event.body["id"])] = prompt_of(event.body)
        elif event.kind == "step":
            tally.take(before=event.position)
            step, bodies = cast("int", event.body["step"]), cast("list[Body]", event.body["candidates"])
            found = [
                candidate_of(body, step, prompts, tally.handed_out(cast("str", body["prompt"]))) for body in bodies
            ]
            candidates += found
            step_best = max((one.score for one in found if not one.partial), default=best)
            best = max(best, step_best)
            points.append(
                CurvePoint(
                    step=step, step_best=step_best, best=best, candidates=len(found), target_calls=tally.target_calls
                )
            )
    tally.take(before=_END)
    return Columns(
        trajectory=Trajectory(candidates=tuple(candidates)),
        curve=tuple(points),
        scores=tally.scores,
        failed=frozenset(tally.failed),
    )


def missing(found: Columns, rows: Iterable[CellRow]) -> frozenset[Place]:
    """Return the cells that were asked for and never answered; walks through the log again only if some call failed.

    Training examples are left out: they feed reflections, and no score lacks them.
    """
    failed = {place for place in found.failed if place[0] != "train"}
    if not failed:
        return frozenset()
    return frozenset(failed - {row[1:5] for row in rows if row[5] is not None and row[1:5] in failed})


@dataclass(slots=True)
class _Tally:
    rows: Iterator[CellRow]
    scores: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict[str, dict[str, dict[str, float]]])
    target_calls: int = 0
    failed: set[Place] = field(default_factory=set[tuple[str, str, str, int]])
    _held: tuple[CellRow, ...] = ()
    _repeats: dict[tuple[str, str, str], list[float]] = field(default_factory=dict[tuple[str, str, str], list[float]])
    _names: dict[str, str] = field(default_factory=dict[str, str])
    """One copy of each example id."""
    _handed_out: set[str] = field(default_factory=set[str])

    def take(self, *, before: int) -> None:
        """Add up the cells up to a position."""
        names = self._names
        rows, self._held = chain(self._held, self.rows), ()
        for row in rows:
            position, split, prompt, example, draw, score, cached = row
            if position >= before:
                self._held = (row,)
                return
            self.target_calls += not cached
            if score is None:
                self.failed.add((split, prompt, example, draw))
                continue
            cells = self._cells(split, prompt)
            if example in cells:
                values = self._repeats.setdefault((split, prompt, example), [cells[example]])
                values.append(score)
                cells[example] = sum(values) / len(values)
            else:
                cells[names.setdefault(example, example)] = score

    def handed_out(self, prompt: str) -> Mapping[str, float]:
        """Return a prompt's dev scores as they are now; they are copied only if they change later."""
        self._handed_out.add(prompt)
        return self.scores.get("dev", {}).get(prompt) or _NO_SCORES

    def _cells(self, split: str, prompt: str) -> dict[str, float]:
        by_prompt = self.scores.setdefault(split, {})
        cells = by_prompt.setdefault(prompt, {})
        if split == "dev" and prompt in self._handed_out:
            self._handed_out.discard(prompt)
            cells = by_prompt[prompt] = dict(cells)
        return cells
