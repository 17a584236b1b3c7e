"""Events -> a `Report` value -> what a person reads. Never writes to the log."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from askwell.core.stats import Interval, mean_interval, optimism, paired_difference
from askwell.core.types import ModelRole, Prompt, Split
from askwell.runlog.codec import Body, prompt_id
from askwell.runlog.fold import (
    CurvePoint,
    RaceSavings,
    RunFold,
    Spend,
    fold,
    missing_slots,
    read_race_savings,
    read_result,
    read_spend,
)
from askwell.runlog.server_quirks import describe_quirks
from askwell.runlog.store import RunStore
from askwell.tasks.render import shown_target

_Scores = Mapping[Prompt, Mapping[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptScores:
    """One prompt's scores on one split, with a 95 % interval; None where the split was not run on it."""

    prompt: Prompt
    dev: Interval | None
    test: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run found. `gain` is best minus initial on the same test examples, paired."""

    finished: bool
    reason: str
    """Why the run ended; empty while it has not."""
    initial: PromptScores
    best: PromptScores
    gain: Interval | None
    optimism: Interval | None
    """Dev minus test score of the winner: how much choosing on dev flattered it."""
    curve: tuple[CurvePoint, ...]
    spend: dict[ModelRole, Spend]
    missing: int
    """Cells that were asked for and never answered. They are in no score; `askwell retry` fills them."""
    raced: RaceSavings | None = None
    """What racing saved on the dev split; None for a run without."""
    quirks: tuple[str, ...] = ()
    """What the models' servers do not accept, and what was sent instead."""


def build_report(store: RunStore) -> Report | None:
    """Fold a run's log to a report; None before the initial prompt has been scored."""
    return build_report_and_fold(store)[0]


def build_report_and_fold(store: RunStore) -> tuple[Report | None, RunFold]:
    """Return the report together with what it is folded from, for who needs both of a long log."""
    final = read_result(store)  # first: the log may be growing while it is read
    found = fold(store)
    history = found.trajectory
    if not len(history):
        return None, found
    initial, best = history.candidates[0].prompt, history.best.prompt
    if final:  # which may have been chosen anew, when missing cells were filled
        best = next(one.prompt for one in history.candidates if prompt_id(one.prompt) == final["best"])
    dev = _scores_of_prompts(found, "dev", [initial, best])
    test = _scores_of_prompts(found, "test", [initial, best] if final else [])
    ours, theirs = pair_scores(test.get(best, {}), test.get(initial, {}))
    spent = read_spend(store)
    flattery = optimism(list(dev[best].values()), list(test[best].values())) if test.get(best) else None
    folded = Report(
        finished=final is not None,
        reason=cast("str", final["reason"]) if final else "",
        initial=_score_prompt(initial, dev, test),
        best=_score_prompt(best, dev, test),
        gain=paired_difference(ours, theirs) if ours and best != initial else None,
        optimism=flattery,
        curve=found.curve,
        spend=spent,
        missing=len(missing_slots(store, found)),
        raced=read_race_savings(store),
        quirks=describe_quirks(store),
    )
    return folded, found


ChangeKind = Literal["same", "gone", "new"]


def diff_words(before: str, after: str) -> Iterator[tuple[ChangeKind, str]]:
    """Yield what changed word by word, in order: runs of words that stayed, went and came."""
    old, new = before.split(), after.split()
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        if tag == "equal":
            yield "same", " ".join(old[i1:i2])
            continue
        if i2 > i1:
            yield "gone", " ".join(old[i1:i2])
        if j2 > j1:
            yield "new", " ".join(new[j1:j2])


def format_diff(before: str, after: str) -> str:
    """Show word by word what changed: `[-gone-]` and `{+new+}`, unchanged words as they are."""
    spelt = {"same": "{}", "gone": "[-{}-]", "new": "{{+{}+}}"}
    return " ".join(spelt[kind].format(words) for kind, words in diff_words(before, after))


def describe_significance(gain: Interval) -> str:
    """Say what may be claimed of a difference: nothing where its interval holds 0."""
    return "a real gain" if gain.low > 0 else "a real loss" if gain.high < 0 else "not a proven gain"


def report_json(found: Report) -> dict[str, object]:
    """Return a report as JSON-able values, for `--json`."""
    return {
        "finished": found.finished,
        "reason": found.reason,
        "initial": _scores_json(found.initial),
        "best": _scores_json(found.best),
        "gain": interval_json(found.gain),
        "optimism": interval_json(found.optimism),
        "missing": found.missing,
        "racing": found.raced and {"calls": found.raced.calls, "full": found.raced.full, "saved": found.raced.saved},
        "spend": {role: spend_json(spent) for role, spent in found.spend.items()},
        "quirks": list(found.quirks),
        "curve": [
            {"step": point.step, "step_best": point.step_best, "best": point.best, "target_calls": point.target_calls}
            for point in found.curve
        ],
    }


def interval_json(interval: Interval | None) -> dict[str, object] | None:
    """Return an interval as JSON-able values."""
    if interval is None:
        return None
    return {"estimate": interval.estimate, "low": interval.low, "high": interval.high, "n": interval.n}


def spend_json(spent: Spend) -> dict[str, object]:
    """Return what was spent on one model as JSON-able values."""
    return {
        "calls": spent.calls,
        "failed": spent.failed,
        "prompt_tokens": spent.prompt_tokens,
        "completion_tokens": spent.completion_tokens,
        "cost_usd": spent.cost_usd,
    }


def pair_scores(ours: Mapping[str, float], theirs: Mapping[str, float]) -> tuple[list[float], list[float]]:
    """Line up two prompts' scores on the examples both have."""
    both = [example_id for example_id in ours if example_id in theirs]
    return [ours[example_id] for example_id in both], [theirs[example_id] for example_id in both]


def _scores_of_prompts(found: RunFold, split: Split, prompts: Sequence[Prompt]) -> _Scores:
    return {prompt: found.scores_of(prompt, split) for prompt in prompts}


def _score_prompt(prompt: Prompt, dev: _Scores, test: _Scores) -> PromptScores:
    return PromptScores(prompt=prompt, dev=_interval(dev.get(prompt)), test=_interval(test.get(prompt)))


def _interval(scores: Mapping[str, float] | None) -> Interval | None:
    return mean_interval(list(scores.values())) if scores else None


def format_prompt(prompt: Prompt) -> str:
    """Return the instruction, exactly, and below it the demonstrations, if it has any, as questions and answers."""
    shown = [f"{demo.input}\n{shown_target(demo)}" for demo in prompt.demos]
    return "\n\n".join([prompt.instruction, *shown])


def _scores_json(standing: PromptScores) -> Body:
    demos = [{"input": demo.input, "target": shown_target(demo)} for demo in standing.prompt.demos]
    return {
        "prompt": standing.prompt.instruction,
        **({"demos": demos} if demos else {}),
        "dev": interval_json(standing.dev),
        "test": interval_json(standing.test),
    }
