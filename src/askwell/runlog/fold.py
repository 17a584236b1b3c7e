"""Fold a run log into values: everything about a run is computed here from its events.

`fold` walks once through the rollouts and returns the trajectory, the curve and all scores. It reads no texts, so a
million rollouts take seconds. The other functions each answer one smaller question and read only the events they need.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from types import MappingProxyType
from typing import Any, NamedTuple, cast

from pydantic import TypeAdapter

from askwell.core.errors import StoreError
from askwell.core.trajectory import Trajectory
from askwell.core.types import Candidate, Example, ModelRole, Prompt, Proposal, Rollout, Split
from askwell.runlog.bodies import BODIES
from askwell.runlog.codec import (
    Body,
    decode_candidate,
    decode_example,
    decode_prompt,
    decode_proposal,
    decode_rollout,
    prompt_id,
)
from askwell.runlog.reading import ById, check_shape, located, read_events
from askwell.runlog.rows import RolloutRow, UsageRow
from askwell.runlog.store import BEFORE_UNORDERED, RunStore

_NO_SCORES: Mapping[str, float] = MappingProxyType({})
_END = 1 << 62
"""Greater than any position of a log."""


class SlotKey(NamedTuple):
    """Which call a rollout answers; the prompt and the example by their ids."""

    split: str
    prompt: str
    example: str
    sample_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """The best dev scores after a step. `target_calls` is cumulative."""

    step: int
    step_best: float
    best: float
    candidates: int
    target_calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFold:
    """The committed steps of a run, and the scores of all its rollouts, in committed steps or not."""

    trajectory: Trajectory
    """Candidates of the committed steps; a step that was cut off is not in it."""
    curve: tuple[CurvePoint, ...]
    """One point per committed step."""
    scores: Mapping[str, Mapping[str, Mapping[str, float]]]
    """Split -> prompt id -> example id -> mean score; examples without an answer are absent, not 0."""
    failed: frozenset[SlotKey]
    """Slots whose call failed permanently at least once. `missing_slots` returns those that have no answer at all."""

    def scores_of(self, prompt: Prompt, split: Split) -> Mapping[str, float]:
        """Return a prompt's scores on a split: example id -> mean score."""
        return self.scores.get(split, {}).get(prompt_id(prompt), _NO_SCORES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """What the calls of one model used. Calls answered from the log are not counted: they cost nothing."""

    calls: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = None
    """None if no call had a known price."""
    seconds: float = 0.0
    """Sum of the calls' wall times; calls overlap, so this is not how long the run took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceSavings:
    """What racing saved: calls on the dev split; repeats count one by one."""

    calls: int
    """Calls that the races made, including those answered from the log."""
    full: int
    """Calls that scoring the same prompts on the whole dev split would have made."""

    @property
    def saved(self) -> float:
        """Share of the full evaluation that was not needed."""
        return 1 - self.calls / self.full if self.full else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumePoint:
    """Where a run continues: the next free position, and the logged proposals that are not all scored yet."""

    position: int
    proposals: tuple[Proposal, ...] = ()
    ended: str = ""
    """Why the run ended, if nothing was logged after its result; empty for an unfinished run."""


def fold(store: RunStore) -> RunFold:
    """Fold a whole log.

    A candidate's scores are those logged before its step's event; later ones (of a retry, say) are not in them.
    """
    prompts = ById[Prompt]("prompt")
    tally = _Tally(rows=store.rollout_rows())
    candidates: list[Candidate] = []
    points: list[CurvePoint] = []
    for event in read_events(store, kinds=["prompt", "step"]):
        if event.kind == "prompt":
            prompts[cast("str", event.body["id"])] = decode_prompt(event.body)
            continue
        tally.add_rows(before=event.position)
        step, bodies = cast("int", event.body["step"]), cast("list[Body]", event.body["candidates"])
        with located(store, event.position):
            made = [
                decode_candidate(body, step, prompts, tally.freeze_scores(cast("str", body["prompt"])))
                for body in bodies
            ]
        candidates += made
        points.append(_curve_point(step, made, points[-1].best if points else 0.0, tally.target_calls))
    tally.add_rows(before=_END)
    return RunFold(
        trajectory=Trajectory(candidates=tuple(candidates)),
        curve=tuple(points),
        scores=tally.scores,
        failed=frozenset(tally.failed),
    )


def missing_slots(store: RunStore, folded: RunFold) -> frozenset[SlotKey]:
    """Return the slots whose call was made and never answered; reads the log again only if some call failed.

    Training examples are left out: they are used for reflection, so no score lacks them.
    """
    failed = {slot for slot in folded.failed if slot.split != "train"}
    if not failed:
        return frozenset()
    # An answer may be logged before the failure: a resumed run fills its fixed position, failures are at the end.
    return frozenset(failed.difference(row[1:5] for row in store.rollout_rows() if row.score is not None))


def read_header(store: RunStore) -> Body:
    """Return the body of the first event: settings, seed, versions. Raises `StoreError` for an empty log."""
    for event in read_events(store, kinds=["run"]):
        return event.body
    name = f"of the run {store.name!r} " if store.name else ""
    raise StoreError(f"the log {name}is empty: its first event (the run's settings) was never written")


def read_examples(store: RunStore) -> dict[Split, tuple[Example, ...]]:
    """Return the run's examples by split, in the order in which they were logged."""
    splits: dict[Split, list[Example]] = {}
    for event in read_events(store, kinds=["example"]):
        splits.setdefault(cast("Split", event.body["split"]), []).append(decode_example(event.body))
    return {split: tuple(members) for split, members in splits.items()}


def examples_by_id(splits: Mapping[Split, Iterable[Example]]) -> Mapping[str, Example]:
    """Return the examples of all splits by id; an unknown id is a `StoreError`."""
    examples = ById[Example]("example")
    examples.update((example.id, example) for members in splits.values() for example in members)
    return examples


def read_prompts(store: RunStore) -> Mapping[str, Prompt]:
    """Return every prompt whose text was logged, by id; an unknown id is a `StoreError`."""
    prompts = ById[Prompt]("prompt")
    for event in read_events(store, kinds=["prompt"]):
        prompts[cast("str", event.body["id"])] = decode_prompt(event.body)
    return prompts


def read_rollouts(store: RunStore, *, split: Split | None = None) -> Iterator[Rollout]:
    """Yield the log's rollouts in order, failed ones (`score is None`) included."""
    prompts = ById[Prompt]("prompt")
    queries = ById[str]("example")
    for event in read_events(store, kinds=["prompt", "example", "rollout"]):
        if event.kind == "prompt":
            prompts[cast("str", event.body["id"])] = decode_prompt(event.body)
        elif event.kind == "example":
            queries[cast("str", event.body["id"])] = cast("str", event.body["input"])
        elif split is None or event.body["split"] == split:
            with located(store, event.position):
                rollout = decode_rollout(event.body, prompts, queries)
            yield rollout


def read_result(store: RunStore, shape: TypeAdapter[Any] | None = None) -> Body | None:
    """Return the body of the last `result` event, or None while the run is not finished.

    Raises `StoreError` if it has not this shape, of an optimization's or a training's result.
    """
    last: Body | None = None
    for event in read_events(store, kinds=["result"]):
        with located(store, event.position):
            check_shape(event.body, shape or BODIES["result"])
        last = event.body
    return last


def read_spend(store: RunStore) -> dict[ModelRole, Spend]:
    """Sum calls, tokens and cost of each model over all calls that were paid for."""
    total: dict[ModelRole, Spend] = {"target": Spend(), "optimizer": Spend()}
    for row in store.usage():
        if row.role not in total:
            raise StoreError(
                f"a call of the model role {row.role!r}; expected one of {sorted(total)}; the log is damaged"
            )
        total[row.role] = _add_usage(total[row.role], row)
    return total


def read_race_savings(store: RunStore) -> RaceSavings | None:
    """Sum the calls of the committed steps' races; None if there was no race."""
    races = [
        cast("dict[str, int]", event.body["race"])
        for event in read_events(store, kinds=["step"])
        if event.body.get("race")
    ]
    if not races:
        return None
    return RaceSavings(calls=sum(race["calls"] for race in races), full=sum(race["full"] for race in races))


def find_resume_point(store: RunStore) -> ResumePoint:
    """Find the end of the last committed step, or of the last logged proposals or result if those are later.

    The proposals of a step that a cap cut off are still to be scored after the result.
    """
    prompts = ById[Prompt]("prompt")
    point = ResumePoint(position=0)
    for event in read_events(store, kinds=["run", "example", "prompt", "proposals", "step", "result"]):
        if event.kind == "prompt":
            prompts[cast("str", event.body["id"])] = decode_prompt(event.body)
            continue
        if event.position > BEFORE_UNORDERED:  # a result that a retry corrected
            break
        if event.kind == "result":
            reason = cast("str", event.body["reason"])
            point = ResumePoint(position=event.position + 1, proposals=point.proposals, ended=reason)
            continue
        bodies = cast("list[Body]", event.body["proposals"]) if event.kind == "proposals" else []
        with located(store, event.position):
            proposals = tuple(decode_proposal(body, prompts) for body in bodies)
        point = ResumePoint(position=event.position + 1, proposals=proposals)
    return point


def _curve_point(step: int, candidates: list[Candidate], best_before: float, target_calls: int) -> CurvePoint:
    step_best = max((candidate.score for candidate in candidates if not candidate.partial), default=best_before)
    return CurvePoint(
        step=step,
        step_best=step_best,
        best=max(best_before, step_best),
        candidates=len(candidates),
        target_calls=target_calls,
    )


def _add_usage(before: Spend, row: UsageRow) -> Spend:
    return Spend(
        calls=before.calls + row.calls,
        failed=before.failed + row.is_failed * row.calls,
        prompt_tokens=before.prompt_tokens + row.prompt_tokens,
        completion_tokens=before.completion_tokens + row.completion_tokens,
        cost_usd=before.cost_usd if row.cost_usd is None else (before.cost_usd or 0.0) + row.cost_usd,
        seconds=before.seconds + row.seconds,
    )


@dataclass(slots=True)
class _Tally:
    """Running means of the scores, up to some position of the log."""

    rows: Iterator[RolloutRow]
    scores: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict[str, dict[str, dict[str, float]]])
    target_calls: int = 0
    failed: set[SlotKey] = field(default_factory=set[SlotKey])
    _held: tuple[RolloutRow, ...] = ()
    """The row that the last call read too far."""
    _repeats: dict[tuple[str, str, str], list[float]] = field(default_factory=dict[tuple[str, str, str], list[float]])
    _names: dict[str, str] = field(default_factory=dict[str, str])
    """One copy of each example id: every row brings its own, and a million copies would be most of the memory."""
    _frozen: set[str] = field(default_factory=set[str])
    """Prompts whose dev scores a candidate holds: they are copied before the next change."""

    def add_rows(self, *, before: int) -> None:
        """Add the rollouts up to a position."""
        names, scores, current = self._names, dict[str, float](), ("", "")
        rows, self._held = chain(self._held, self.rows), ()
        for row in rows:
            position, split, prompt, example, sample_index, score, is_cached = row
            if position >= before:
                self._held = (row,)
                return
            self.target_calls += not is_cached
            if score is None:
                self.failed.add(SlotKey(split, prompt, example, sample_index))
                continue
            if (split, prompt) != current:  # a run scores prompt by prompt, so most rows need no look-up
                scores, current = self._scores_to_change(split, prompt), (split, prompt)
            if example in scores:
                values = self._repeats.setdefault((split, prompt, example), [scores[example]])
                values.append(score)
                scores[example] = sum(values) / len(values)
            else:
                scores[names.setdefault(example, example)] = score

    def freeze_scores(self, prompt: str) -> Mapping[str, float]:
        """Return a prompt's dev scores as they are now; they are copied only if they change later."""
        self._frozen.add(prompt)
        return self.scores.get("dev", {}).get(prompt) or _NO_SCORES

    def _scores_to_change(self, split: str, prompt: str) -> dict[str, float]:
        by_prompt = self.scores.setdefault(split, {})
        scores = by_prompt.setdefault(prompt, {})
        if split == "dev" and prompt in self._frozen:
            self._frozen.discard(prompt)
            scores = by_prompt[prompt] = dict(scores)
        return scores
