"""All that a run's page tells, read from its log: the report, every prompt's standing, what got better or worse."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import cast

from askwell.core.errors import ConfigError
from askwell.core.stats import Interval, mean_interval
from askwell.core.trajectory import Trajectory
from askwell.core.types import Event, Example, Outcome, Prompt
from askwell.report import run_report
from askwell.report.run_report import Report
from askwell.runlog.codec import Body, decode_completion, decode_score, prompt_id
from askwell.runlog.fold import RunFold, read_examples, read_header
from askwell.runlog.folders import is_training
from askwell.runlog.store import RunStore

_TRAINING = {"target": ("target", "model"), "method": ("policy", "method"), "base": ("policy", "model", "base")}
_OPTIMIZATION = {
    "target": ("target", "model"),
    "optimizer model": ("optimizer_model", "model"),
    "optimizer": ("optimizer", "name"),
}
"""Label on a page -> key in the settings of a log."""
SHOWN_PROMPTS = 30
SHOWN_CHANGES = 20
"""Examples listed on each side: made right, made wrong."""
_LARGE_GAP = 5_000
"""Events: a gap between two that are wanted over which a new query is cheaper than reading on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedPrompt:
    """One prompt of the search on the dev split."""

    id: str
    prompt: Prompt
    step: int
    score: Interval
    partial: bool
    """Stopped early in a race: its score is over fewer examples than the others'."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a prompt brought on one example."""

    text: str
    outcome: Outcome
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleChange:
    """An example of the dev split under two prompts."""

    example: Example
    before: Reply
    after: Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleChanges:
    """What happened on the examples both were asked on; the first so many of each kind, and how many there are."""

    fixed: tuple[ExampleChange, ...]
    broken: tuple[ExampleChange, ...]
    n_fixed: int
    n_broken: int
    n_same: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizationContent:
    """An optimization."""

    name: str
    header: Body
    report: Report
    trajectory: Trajectory
    ranked: tuple[RankedPrompt, ...]
    """Best first, full scores before partial ones; `SHOWN_PROMPTS` at the most."""
    tried: int
    """Different prompts in all."""
    changes: ExampleChanges

    @property
    def config(self) -> Body:
        """Settings that decide what is in the log; no address, no name of a key."""
        return cast("Body", self.header["config"])


def read_optimization(store: RunStore, name: str) -> OptimizationContent:
    """Read a run. Raises `ConfigError` before its first prompt has been scored."""
    found, folded = run_report.build_report_and_fold(store)
    if found is None:
        raise ConfigError(f"the run {name!r} has not scored its first prompt yet; look again later, or resume it")
    ranked, tried = _rank_prompts(folded)
    pair = (found.initial.prompt, found.best.prompt)
    return OptimizationContent(
        name=name,
        header=read_header(store),
        report=found,
        trajectory=folded.trajectory,
        ranked=tuple(ranked),
        tried=tried,
        changes=compare_replies(
            store, dict.fromkeys(folded.scores_of(pair[0], "dev"), pair) if pair[0] != pair[1] else {}
        ),
    )


def compare_replies(store: RunStore, pairs: Mapping[str, tuple[Prompt, Prompt]]) -> ExampleChanges:
    """Set two prompts beside each other on examples asked for a dev score: example id -> (before, after).

    Draws are averaged. Test examples are never shown: whoever reads them would tune to them.
    """
    wanted = {(example, prompt_id(prompt)) for example, pair in pairs.items() for prompt in pair}
    places = [
        row.position
        for row in (store.rollout_rows() if wanted else ())
        if row.split == "dev" and (row.example, row.prompt) in wanted
    ]
    replies: dict[tuple[str, str], list[Reply]] = {}
    for event in _events_at(store, places):
        key = (cast("str", event.body["example"]), cast("str", event.body["prompt"]))
        score = decode_score(event.body["score"])
        if score is not None:
            completion = decode_completion(cast("Body", event.body["completion"]))
            reply = Reply(text=completion.text, outcome=completion.outcome, value=score.value)
            replies.setdefault(key, []).append(reply)
    splits = read_examples(store).items()
    examples = {one.id: one for split, members in splits for one in members if split != "test"}
    found = [
        ExampleChange(example=examples[example], before=before, after=after)
        for example, pair in pairs.items()
        if (before := _average(replies.get((example, prompt_id(pair[0])), ())))
        and (after := _average(replies.get((example, prompt_id(pair[1])), ())))
        and example in examples
    ]
    fixed = [one for one in found if _difference(one) > 0]
    broken = [one for one in found if _difference(one) < 0]
    return ExampleChanges(
        fixed=tuple(sorted(fixed, key=lambda one: -_difference(one))[:SHOWN_CHANGES]),
        broken=tuple(sorted(broken, key=_difference)[:SHOWN_CHANGES]),
        n_fixed=len(fixed),
        n_broken=len(broken),
        n_same=len(found) - len(fixed) - len(broken),
    )


def _rank_prompts(folded: RunFold) -> tuple[list[RankedPrompt], int]:
    """Return the best prompts, each as it stood when it was last scored, and how many there are in all."""
    last = {one.prompt: one for one in folded.trajectory.candidates}
    scores = {prompt: list(folded.scores_of(prompt, "dev").values()) for prompt in last}
    scored = [one for one in last.values() if scores[one.prompt]]
    best = sorted(scored, key=lambda one: (one.partial, -fmean(scores[one.prompt]), one.step))[:SHOWN_PROMPTS]
    rows = [
        RankedPrompt(
            id=prompt_id(one.prompt),
            prompt=one.prompt,
            step=one.step,
            score=mean_interval(scores[one.prompt]),
            partial=one.partial,
        )
        for one in best
    ]
    return rows, len(scored)


def _events_at(store: RunStore, places: Sequence[int]) -> Iterator[Event]:
    """Read the events at ascending positions, without reading all those between them where they are far apart."""
    at = -_LARGE_GAP - 2
    events: Iterator[Event] = iter(())
    for place in places:
        if place - at > _LARGE_GAP:
            events = store.events(after=place - 1, kinds=["rollout"])
        found = next(event for event in events if event.position == place)
        at = place
        yield found


def _average(replies: Sequence[Reply]) -> Reply | None:
    """Return the first reply with the mean score of all; None where there is none."""
    return replace(replies[0], value=fmean(reply.value for reply in replies)) if replies else None


def _difference(one: ExampleChange) -> float:
    return one.after.value - one.before.value


def list_facts(header: Body) -> Iterable[tuple[str, str]]:
    """Say what a run was made of: its task, models and preset, and the seed."""
    config = cast("Mapping[str, object]", header["config"])
    places = _TRAINING if is_training(header) else _OPTIMIZATION
    if config.get("name"):
        yield "task", str(config["name"])
    for label, (section, *keys) in places.items():
        value = config.get(section)
        for key in keys:
            value = cast("Body", value).get(key) if isinstance(value, Mapping) else None
        if value:
            yield label, str(value)
    yield "seed", str(header.get("seed", ""))
