"""The content of an optimization's page, read from its log: report, ranked prompts, examples that changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import cast

from askwell.core.errors import ConfigError
from askwell.core.stats import Interval, mean_interval
from askwell.core.trajectory import Trajectory
from askwell.core.types import Candidate, Example, Outcome, Prompt
from askwell.report import run_report
from askwell.report.run_report import Report
from askwell.report.winner import Ancestor, Standing, describe_choice, trace_lineage
from askwell.runlog.codec import Body, decode_completion, decode_score, prompt_id
from askwell.runlog.fold import RunFold, read_examples, read_header
from askwell.runlog.folders import is_training
from askwell.runlog.prompt_rollouts import events_at
from askwell.runlog.store import RunStore

_TRAINING = {"target": ("target", "model"), "method": ("policy", "method"), "base": ("policy", "model", "base")}
_OPTIMIZATION = {
    "target": ("target", "model"),
    "optimizer model": ("optimizer_model", "model"),
    "optimizer": ("optimizer", "name"),
}
"""Label on a page -> key in the settings of a log."""
_MOST_DOTS = 2_000
_ADDRESS = re.compile(r"(?<=\S)@https?://\S+")
SHOWN_PROMPTS = 30
SHOWN_CHANGES = 20
"""Most examples listed as better, and as worse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedPrompt:
    """One prompt with its score on the dev split."""

    id: str
    prompt: Prompt
    step: int
    score: Interval
    partial: bool
    """Whether a race stopped it early, so that its score is over fewer examples."""
    penalty: float = 0.0
    """Subtracted from the score (0..1) when prompts are compared."""
    parent: str | None = None
    """Id of the prompt that it was made from."""
    origin: str = ""
    """How it was made, in one word of the optimizer."""
    is_winner: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The reply to one example under one prompt. `value` is the mean score over the repeats."""

    text: str
    outcome: Outcome
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleChange:
    """An example of the dev split with its replies under two prompts."""

    example: Example
    before: Reply
    after: Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleChanges:
    """Examples that a second prompt answers better or worse than a first; the largest changes, and the counts."""

    fixed: tuple[ExampleChange, ...]
    broken: tuple[ExampleChange, ...]
    n_fixed: int
    n_broken: int
    n_same: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizationContent:
    """The content of an optimization's page."""

    name: str
    header: Body
    report: Report
    trajectory: Trajectory
    ranked: tuple[RankedPrompt, ...]
    """The winner first, full scores before partial ones; at most `SHOWN_PROMPTS`."""
    tried: int
    """Number of distinct prompts."""
    choice: str
    """Why the winner won, in words."""
    lineage: tuple[Ancestor, ...]
    """The prompts from which the winner was made, the oldest first."""
    changes: ExampleChanges

    @property
    def drawn(self) -> tuple[Candidate, ...]:
        """The candidates that the chart shows: the latest ones of a long run."""
        return self.trajectory.candidates[-_MOST_DOTS:]

    @property
    def config(self) -> Body:
        """Settings that determine the results; they hold no endpoint and no name of a key."""
        return without_addresses(self.header)


def read_optimization(store: RunStore, name: str) -> OptimizationContent:
    """Read an optimization. Raises `ConfigError` before its first prompt has been scored."""
    report, folded = run_report.build_report_and_fold(store)
    if report is None:
        raise ConfigError(f"the run {name!r} has not scored its first prompt yet; look again later, or resume it")
    ranked, tried = _rank_prompts(folded, report.best.prompt)
    pair = (report.initial.prompt, report.best.prompt)
    return OptimizationContent(
        name=name,
        header=read_header(store),
        report=report,
        trajectory=folded.trajectory,
        ranked=tuple(ranked),
        tried=tried,
        choice=describe_choice(_standings(folded), report.best.prompt),
        lineage=trace_lineage(folded.trajectory, report.best.prompt),
        changes=compare_replies(
            store, dict.fromkeys(folded.scores_of(pair[0], "dev"), pair) if pair[0] != pair[1] else {}
        ),
    )


def compare_replies(store: RunStore, pairs: Mapping[str, tuple[Prompt, Prompt]]) -> ExampleChanges:
    """Compare the dev replies of two prompts per example; `pairs`: example id -> (before, after).

    Repeats are averaged. Test examples are never shown: a reader would tune prompts to them.
    """
    wanted = {(example, prompt_id(prompt)) for example, pair in pairs.items() for prompt in pair}
    positions = [
        row.position
        for row in (store.rollout_rows() if wanted else ())
        if row.split == "dev" and (row.example, row.prompt) in wanted
    ]
    replies: dict[tuple[str, str], list[Reply]] = {}
    for event in events_at(store, positions):
        key = (cast("str", event.body["example"]), cast("str", event.body["prompt"]))
        score = decode_score(event.body["score"])
        if score is not None:
            completion = decode_completion(cast("Body", event.body["completion"]))
            reply = Reply(text=completion.text, outcome=completion.outcome, value=score.value)
            replies.setdefault(key, []).append(reply)
    splits = read_examples(store).items()
    examples = {example.id: example for split, members in splits for example in members if split != "test"}
    changes = [
        ExampleChange(example=examples[example_id], before=before, after=after)
        for example_id, pair in pairs.items()
        if (before := _average(replies.get((example_id, prompt_id(pair[0])), ())))
        and (after := _average(replies.get((example_id, prompt_id(pair[1])), ())))
        and example_id in examples
    ]
    fixed = [change for change in changes if _difference(change) > 0]
    broken = [change for change in changes if _difference(change) < 0]
    return ExampleChanges(
        fixed=tuple(sorted(fixed, key=lambda change: -_difference(change))[:SHOWN_CHANGES]),
        broken=tuple(sorted(broken, key=_difference)[:SHOWN_CHANGES]),
        n_fixed=len(fixed),
        n_broken=len(broken),
        n_same=len(changes) - len(fixed) - len(broken),
    )


def _rank_prompts(folded: RunFold, winner: Prompt) -> tuple[list[RankedPrompt], int]:
    """Return the winner and the best prompts after it, each as of its last scoring, and the number of all."""
    last = {candidate.prompt: candidate for candidate in folded.trajectory.candidates}
    scores = {prompt: list(folded.scores_of(prompt, "dev").values()) for prompt in last}
    scored = [candidate for candidate in last.values() if scores[candidate.prompt]]

    def rank(candidate: Candidate) -> tuple[bool, bool, float, int]:
        value = fmean(scores[candidate.prompt]) - candidate.penalty
        return candidate.prompt != winner, candidate.partial, -value, candidate.step

    rows = [
        RankedPrompt(
            id=prompt_id(candidate.prompt),
            prompt=candidate.prompt,
            step=candidate.step,
            score=mean_interval(scores[candidate.prompt]),
            partial=candidate.partial,
            penalty=candidate.penalty,
            parent=candidate.parent and prompt_id(candidate.parent),
            origin=candidate.origin,
            is_winner=candidate.prompt == winner,
        )
        for candidate in sorted(scored, key=rank)[:SHOWN_PROMPTS]
    ]
    return rows, len(scored)


def _standings(folded: RunFold) -> dict[Prompt, Standing]:
    """Return the dev score and penalty of each prompt that was scored on the whole dev split."""
    standings: dict[Prompt, Standing] = {}
    for candidate in folded.trajectory.complete:
        scores = folded.scores_of(candidate.prompt, "dev").values()
        score = fmean(scores) if scores else candidate.score
        standings.setdefault(candidate.prompt, Standing(score=score, penalty=candidate.penalty))
    return standings


def _average(replies: Sequence[Reply]) -> Reply | None:
    """Return the first reply with the mean score of all; None without replies."""
    return replace(replies[0], value=fmean(reply.value for reply in replies)) if replies else None


def _difference(change: ExampleChange) -> float:
    return change.after.value - change.before.value


def without_addresses(header: Body) -> Body:
    """Return a run's settings without the address that the name of a model object ends with."""
    return cast("Body", _map_texts(header["config"], lambda text: _ADDRESS.sub("", text)))


def _map_texts(value: object, change: Callable[[str], str]) -> object:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _map_texts(inner, change) for key, inner in cast("Mapping[str, object]", value).items()}
    return [_map_texts(inner, change) for inner in cast("list[object]", value)] if isinstance(value, list) else value


def list_facts(header: Body) -> Iterable[tuple[str, str]]:
    """Yield the task, models, algorithm and seed of a run, each with a label."""
    config = without_addresses(header)
    paths = _TRAINING if is_training(header) else _OPTIMIZATION
    if config.get("name"):
        yield "task", str(config["name"])
    for label, (section, *keys) in paths.items():
        value = config.get(section)
        for key in keys:
            value = cast("Body", value).get(key) if isinstance(value, Mapping) else None
        if value:
            yield label, str(value)
    yield "seed", str(header.get("seed", ""))
