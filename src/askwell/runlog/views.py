"""Pure folds of the run log: everything that is known about a run is one of these over its events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

from askwell.errors import StoreError
from askwell.runlog.codec import (
    Body,
    CellRow,
    UsageRow,
    cell_row,
    example_of,
    prompt_of,
    proposal_of,
    rollout_of,
    usage_rows,
)
from askwell.runlog.fold import Columns, CurvePoint, fold
from askwell.trajectory import Trajectory
from askwell.types import Event, EventKind, Example, Experience, ModelRole, Prompt, Proposal, Rollout, Split


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """What one model was asked to do in a run. Calls answered from the log are not counted: they cost nothing."""

    calls: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = None
    """None where not one call had a known price."""
    seconds: float = 0.0
    """Sum of the calls' wall times; calls overlap, so this is not how long the run took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Raced:
    """What racing saved: calls on the dev split, draws counted one by one."""

    calls: int
    """Asked for in races, answers from the log included."""
    full: int
    """What scoring the same prompts on the whole dev split would have asked for."""

    @property
    def saved(self) -> float:
        """Share of the full evaluation that was not needed."""
        return 1 - self.calls / self.full if self.full else 0.0


@dataclass(slots=True)
class _Names:
    """The texts that later events refer to by id, gathered as the log goes by."""

    prompts: dict[str, Prompt] = field(default_factory=dict[str, Prompt])
    queries: dict[str, str] = field(default_factory=dict[str, str])

    def learn(self, event: Event) -> None:
        if event.kind == "prompt":
            self.prompts[cast("str", event.body["id"])] = prompt_of(event.body)
        elif event.kind == "example":
            self.queries[cast("str", event.body["id"])] = cast("str", event.body["input"])


def header(events: Iterable[Event]) -> Body:
    """Return the body of the first event: resolved config, seed, versions."""
    for event in events:
        if event.kind == "run":
            return event.body
    raise StoreError("the run log is empty: its first event (the run's settings) was never written")


def examples(events: Iterable[Event]) -> dict[Split, tuple[Example, ...]]:
    """Return the run's examples by split, in the order in which they were logged."""
    splits: dict[Split, list[Example]] = {}
    for event in events:
        if event.kind == "example":
            splits.setdefault(cast("Split", event.body["split"]), []).append(example_of(event.body))
    return {split: tuple(members) for split, members in splits.items()}


def prompts(events: Iterable[Event]) -> dict[str, Prompt]:
    """Return every prompt whose text was logged, by id."""
    names = _Names()
    for event in events:
        names.learn(event)
    return names.prompts


def rollouts(events: Iterable[Event], *, split: Split | None = None) -> Iterator[Rollout]:
    """Yield the log's rollouts in order, failed ones (`score is None`) included."""
    names = _Names()
    for event in events:
        names.learn(event)
        if event.kind == "rollout" and (split is None or event.body["split"] == split):
            yield rollout_of(event.body, names.prompts, names.queries)


def trajectory(events: Iterable[Event]) -> Trajectory:
    """Rebuild the optimizer's history from the committed steps; a step that was cut off is not in it."""
    return _columns(events).trajectory


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumePoint:
    """Where a run goes on: the next free position, and the proposals that were logged but not yet all scored."""

    position: int
    proposals: tuple[Proposal, ...] = ()


RESUMING: tuple[EventKind, ...] = ("run", "example", "prompt", "proposals", "step")
"""All that `resume_point` looks at."""


def resume_point(events: Iterable[Event]) -> ResumePoint:
    """Find the end of the last committed step, or of the last logged proposals where that came later."""
    names = _Names()
    point = ResumePoint(position=0)
    for event in events:
        names.learn(event)
        if event.kind in {"run", "example", "step"}:
            point = ResumePoint(position=event.position + 1)
        elif event.kind == "proposals":
            bodies = cast("list[Body]", event.body["proposals"])
            point = ResumePoint(
                position=event.position + 1, proposals=tuple(proposal_of(body, names.prompts) for body in bodies)
            )
    return point


def spend(events: Iterable[Event]) -> dict[ModelRole, Spend]:
    """Sum calls, tokens and money of each model over everything that was paid for."""
    return summed(usage_rows(events))


def summed(rows: Iterable[UsageRow]) -> dict[ModelRole, Spend]:
    """Sum what a store's `usage` says, model by model."""
    total: dict[ModelRole, Spend] = {"target": Spend(), "optimizer": Spend()}
    for role, failed, calls, prompt_tokens, completion_tokens, cost, seconds in rows:
        before = total[cast("ModelRole", role)]
        total[cast("ModelRole", role)] = Spend(
            calls=before.calls + calls,
            failed=before.failed + failed * calls,
            prompt_tokens=before.prompt_tokens + prompt_tokens,
            completion_tokens=before.completion_tokens + completion_tokens,
            cost_usd=before.cost_usd if cost is None else (before.cost_usd or 0.0) + cost,
            seconds=before.seconds + seconds,
        )
    return total


def curve(events: Iterable[Event]) -> list[CurvePoint]:
    """Return one point a committed step: best of the step, best so far, target calls so far."""
    return list(_columns(events).curve)


def raced(events: Iterable[Event]) -> Raced | None:
    """Sum what the committed steps' races asked for; None where there was no race."""
    races = [cast("dict[str, int]", event.body["race"]) for event in events if event.body.get("race")]
    if not races:
        return None
    return Raced(calls=sum(race["calls"] for race in races), full=sum(race["full"] for race in races))


def experiences(events: Iterable[Event]) -> list[Experience]:
    """Read the log as QPO's offline data: one experience a (query, prompt), repeats averaged.

    The test split is never part of it. `advantage` is the reward minus that of the static prompt (the one with the
    highest mean over the most queries) on the same query, where that prompt was tried on it.
    """
    rewards: dict[tuple[str, Prompt], list[float]] = {}
    for rollout in rollouts(events):
        if rollout.score is not None and rollout.split != "test":
            rewards.setdefault((rollout.query, rollout.prompt), []).append(rollout.score.value)
    means = {pair: sum(values) / len(values) for pair, values in rewards.items()}
    static = _static_prompt(means)
    found: list[Experience] = []
    for (query, prompt), reward in means.items():
        baseline = None if static is None else means.get((query, static))
        advantage = None if baseline is None else reward - baseline
        found.append(Experience(query=query, prompt=prompt.instruction, reward=reward, advantage=advantage))
    return found


def result(events: Iterable[Event]) -> Body | None:
    """Return the body of the final event, or None while the run is not finished."""
    last: Body | None = None
    for event in events:
        if event.kind == "result":
            last = event.body
    return last


def cell_scores(events: Iterable[Event], *, split: Split, prompts: Iterable[Prompt]) -> dict[Prompt, dict[str, float]]:
    """Return, for each of the prompts, example id -> mean score on a split; missing cells are absent, not 0."""
    found = _columns(events)
    return {prompt: dict(found.of(prompt, split)) for prompt in dict.fromkeys(prompts)}


def _columns(events: Iterable[Event]) -> Columns:
    marks: list[Event] = []
    rows: list[CellRow] = []
    for event in events:
        if event.kind == "rollout":
            rows.append(cell_row(event))
        elif event.kind in {"prompt", "step"}:
            marks.append(event)
    return fold(marks, rows)


def _static_prompt(means: Mapping[tuple[str, Prompt], float]) -> Prompt | None:
    by_prompt: dict[Prompt, list[float]] = {}
    for (_, prompt), reward in means.items():
        by_prompt.setdefault(prompt, []).append(reward)
    if not by_prompt:
        return None
    widest = max(len(values) for values in by_prompt.values())
    full = {prompt: sum(values) / len(values) for prompt, values in by_prompt.items() if len(values) == widest}
    return max(full, key=full.__getitem__)
