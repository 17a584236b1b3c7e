"""Fold a run's log into a `Report`, and format its parts as text and JSON. Never writes to the log."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from askwell.core.errors import StoreError
from askwell.core.stats import Interval, format_interval, mean_interval, optimism, paired_difference
from askwell.core.trajectory import Trajectory
from askwell.core.types import ModelRole, Prompt, Split
from askwell.engine.replies.first_look import Finding
from askwell.report.reply_report import ReplyReport, describe_above_commonest, read_reply_report, replies_json
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
from askwell.tasks.render import demo_target

_Scores = Mapping[Prompt, Mapping[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptScores:
    """One prompt's mean scores with 95 % intervals; None for a split that it was not run on."""

    prompt: Prompt
    dev: Interval | None
    test: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result of a run. `gain` is best minus initial on the same test examples, paired."""

    finished: bool
    reason: str
    """Why the run ended; empty if it has not ended."""
    initial: PromptScores
    best: PromptScores
    gain: Interval | None
    optimism: Interval | None
    """Dev minus test score of the winner: the selection bias of choosing on dev."""
    curve: tuple[CurvePoint, ...]
    spend: dict[ModelRole, Spend]
    missing: int
    """Calls that were never answered. No score includes them; `askwell retry` makes them again."""
    raced: RaceSavings | None = None
    """What racing saved on the dev split; None for a run without racing."""
    quirks: tuple[str, ...] = ()
    """Parameters that the models' servers refuse, and what was sent instead."""
    replies: ReplyReport | None = None
    """What is behind the scores; None for a summary that reads no replies."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the initial prompt's replies on dev."""
        return self.replies.findings if self.replies else ()

    @property
    def needs_force(self) -> bool:
        """Whether the run stopped before its first step, as most first replies cannot be scored."""
        has_begun = any(point.step for point in self.curve)
        return not self.finished and not has_begun and any(finding.stops for finding in self.findings)


def build_report(store: RunStore, *, with_replies: bool = True) -> Report | None:
    """Fold a run's log into a report; None before the initial prompt has been scored."""
    return build_report_and_fold(store, with_replies=with_replies)[0]


def build_report_and_fold(store: RunStore, *, with_replies: bool = True) -> tuple[Report | None, RunFold]:
    """Return the report and the fold that it is made from: folding a long log twice would double the time."""
    final = read_result(store)  # first: the log may be growing while it is read
    folded = fold(store)
    history = folded.trajectory
    if not len(history):
        return None, folded
    if not history.complete:
        raise StoreError("no prompt of the log was scored on the whole dev split; the log is damaged or was edited")
    initial, best = history.candidates[0].prompt, history.best.prompt
    if final:  # a retry may have selected another prompt after it filled missing calls
        best = _find_prompt(history, final.get("best"))
    dev = _scores_of_prompts(folded, "dev", [initial, best])
    test = _scores_of_prompts(folded, "test", [initial, best] if final else [])
    best_scores, initial_scores = pair_scores(test.get(best, {}), test.get(initial, {}))
    selection_bias = optimism(list(dev[best].values()), list(test[best].values())) if test.get(best) else None
    report = Report(
        finished=final is not None,
        reason=cast("str", final["reason"]) if final else "",
        initial=_score_prompt(initial, dev, test),
        best=_score_prompt(best, dev, test),
        gain=paired_difference(best_scores, initial_scores) if best_scores and best != initial else None,
        optimism=selection_bias,
        curve=folded.curve,
        spend=read_spend(store),
        missing=len(missing_slots(store, folded)),
        raced=read_race_savings(store),
        quirks=describe_quirks(store),
        replies=read_reply_report(store, initial=initial, best=best, is_tested=bool(final)) if with_replies else None,
    )
    return report, folded


def _find_prompt(history: Trajectory, name: object) -> Prompt:
    for candidate in history.candidates:
        if prompt_id(candidate.prompt) == name:
            return candidate.prompt
    raise StoreError(f"the result names the best prompt {name!r}, which no step of the log holds; the log is damaged")


ChangeKind = Literal["same", "gone", "new"]


def diff_words(before: str, after: str) -> Iterator[tuple[ChangeKind, str]]:
    """Yield the word-by-word difference in order: runs of words that are the same, gone or new."""
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
    """Format the word-by-word difference: `[-gone-]` and `{+new+}`, unchanged words as they are."""
    formats = {"same": "{}", "gone": "[-{}-]", "new": "{{+{}+}}"}
    return " ".join(formats[kind].format(words) for kind, words in diff_words(before, after))


def describe_significance(gain: Interval) -> str:
    """Describe whether a difference is proven: it is not if its interval holds 0."""
    return "a real gain" if gain.low > 0 else "a real loss" if gain.high < 0 else "not a proven gain"


def describe_gain(report: Report) -> str:
    """Describe the gain: its interval, whether it is proven, and whether a constant answer would score as much."""
    if report.gain is None:
        return ""
    commonest = report.replies.commonest.get("test") if report.replies else None
    caveat = describe_above_commonest(report.best.test, commonest)
    return f"{format_interval(report.gain, signed=True)}: {describe_significance(report.gain)}{caveat}"


def report_json(report: Report) -> dict[str, object]:
    """Return a report as JSON-able values, for `--json`."""
    return {
        "finished": report.finished,
        "reason": report.reason,
        "initial": _scores_json(report.initial),
        "best": _scores_json(report.best),
        "gain": interval_json(report.gain),
        "optimism": interval_json(report.optimism),
        "missing": report.missing,
        "racing": report.raced
        and {"calls": report.raced.calls, "full": report.raced.full, "saved": report.raced.saved},
        "spend": {role: spend_json(spent) for role, spent in report.spend.items()},
        "quirks": list(report.quirks),
        "curve": [
            {"step": point.step, "step_best": point.step_best, "best": point.best, "target_calls": point.target_calls}
            for point in report.curve
        ],
        **(replies_json(report.replies) if report.replies else {}),
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


def pair_scores(first: Mapping[str, float], second: Mapping[str, float]) -> tuple[list[float], list[float]]:
    """Return two prompts' scores on the examples that both have, in the same order."""
    shared = [example_id for example_id in first if example_id in second]
    return [first[example_id] for example_id in shared], [second[example_id] for example_id in shared]


def _scores_of_prompts(folded: RunFold, split: Split, prompts: Sequence[Prompt]) -> _Scores:
    return {prompt: folded.scores_of(prompt, split) for prompt in prompts}


def _score_prompt(prompt: Prompt, dev: _Scores, test: _Scores) -> PromptScores:
    return PromptScores(prompt=prompt, dev=_interval(dev.get(prompt)), test=_interval(test.get(prompt)))


def _interval(scores: Mapping[str, float] | None) -> Interval | None:
    return mean_interval(list(scores.values())) if scores else None


def format_prompt(prompt: Prompt) -> str:
    """Return the instruction unchanged, followed by the demonstrations, if any, as questions and answers."""
    shown = [f"{demo.input}\n{demo_target(demo)}" for demo in prompt.demos]
    return "\n\n".join([prompt.instruction, *shown])


def _scores_json(scored: PromptScores) -> Body:
    demos = [{"input": demo.input, "target": demo_target(demo)} for demo in scored.prompt.demos]
    return {
        "prompt": scored.prompt.instruction,
        **({"demos": demos} if demos else {}),
        "dev": interval_json(scored.dev),
        "test": interval_json(scored.test),
    }
