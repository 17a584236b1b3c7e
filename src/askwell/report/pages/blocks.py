"""Blocks that the pages of optimizations and trainings share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from askwell.core.stats import Interval, format_interval
from askwell.core.types import ModelRole
from askwell.core.version import __version__
from askwell.report.pages.content import ExampleChange, ExampleChanges, Reply
from askwell.report.pages.markup import Child, Html, el, table
from askwell.report.run_report import describe_significance
from askwell.report.still_wrong import StillWrong, describe_still_wrong
from askwell.runlog.fold import Spend
from askwell.tasks.render import demo_target

_MOST_CHARACTERS = 1_500
"""Most characters shown of one question or reply."""


def heading(name: str, facts: Iterable[tuple[str, str]]) -> Html:
    """Return a run's name, and below it the facts about it: (label, value)."""
    return el("header", el("h1", name), remark(" · ".join(f"{label} {value}" for label, value in facts)))


def section(title: str, *body: Child) -> Html:
    """Return a section of a page with its heading."""
    return el("section", el("h2", title), *body)


def remark(text: Child) -> Html:
    """Return a paragraph in a muted colour."""
    return el("p", text, class_="remark")


def figure(chart: Html, caption: str) -> Html:
    """Return a chart with its caption; a narrow screen scrolls the chart, so that its labels stay readable."""
    return el("figure", el("div", chart, class_="scroll"), el("figcaption", caption))


def format_gain(gain: Interval) -> str:
    """Format a difference with its interval, and whether it is proven."""
    return f"{format_interval(gain, signed=True)}: {describe_significance(gain)}"


def verdict(sentence: str, gain: Interval | None) -> Html:
    """Return a page's first sentence, coloured only if the gain or loss is proven."""
    is_real = gain is not None and gain.excludes_zero
    kind = "" if not is_real else " real" if gain and gain.estimate > 0 else " loss"
    return el("p", sentence, class_=f"verdict{kind}")


def example_changes(changes: ExampleChanges, before: str, after: str) -> list[Html]:
    """Return which examples score higher or lower after a change of prompt."""
    summary = remark(
        f"Examples that {after} answers better than {before}: {changes.n_fixed:,}; worse: {changes.n_broken:,}; "
        f"equally well: {changes.n_same:,}."
    )
    parts = [("Better", changes.fixed, changes.n_fixed), ("Worse", changes.broken, changes.n_broken)]
    return [summary, *(_changes_table(title, rows, n) for title, rows, n in parts if rows)]


def wrong_examples(found: StillWrong) -> list[Html]:
    """Return the dev examples that a prompt still gets wrong."""
    lines = [
        [
            shorten(wrong.example.input),
            demo_target(wrong.example),
            shorten(wrong.read),
            _reply(Reply(text=wrong.reply, outcome=wrong.outcome, value=wrong.value)),
        ]
        for wrong in found.shown
    ]
    headings = ["question", "expected", "read by the metric", "score, reply"]
    summary = remark(describe_still_wrong(found, shown=len(found.shown)))
    return [summary, *([table(headings, lines)] if lines else [])]


def _changes_table(title: str, rows: Iterable[ExampleChange], n: int) -> Html:
    lines = [
        [shorten(row.example.input), demo_target(row.example), _reply(row.before), _reply(row.after)] for row in rows
    ]
    heading_text = f"{title}: {len(lines)} of {n:,}" if n > len(lines) else f"{title}: {n:,}"
    return el("details", el("summary", heading_text), table(["question", "expected", "before", "after"], lines))


def _reply(reply: Reply) -> list[Html]:
    outcome = "" if reply.outcome == "ok" else f", {reply.outcome}"
    return [remark(f"{100 * reply.value:.0f}{outcome}"), el("div", shorten(reply.text))]


def shorten(text: str) -> str:
    """Truncate a long text, and append how much is left out."""
    return (
        text
        if len(text) <= _MOST_CHARACTERS
        else f"{text[:_MOST_CHARACTERS]} … ({len(text) - _MOST_CHARACTERS:,} characters more)"
    )


def spend_table(spend: Mapping[ModelRole, Spend]) -> Html:
    """Return the calls, tokens and cost of each model."""
    return table(
        ["model", "calls#", "failed permanently#", "tokens in#", "tokens out#", "US dollars#"],
        [
            [
                role,
                f"{used.calls:,}",
                f"{used.failed:,}",
                f"{used.prompt_tokens:,}",
                f"{used.completion_tokens:,}",
                "unknown" if used.cost_usd is None else f"{used.cost_usd:.4f}",
            ]
            for role, used in spend.items()
        ],
    )


def settings_block(config: Mapping[str, object]) -> Html:
    """Return the settings that determine a run's results."""
    text = json.dumps(config, ensure_ascii=False, indent=1)
    return el("details", el("summary", "all settings"), el("pre", text))


def footer() -> Html:
    """Return the last line of a page: which version made it, and from what."""
    return remark(f"Made by askwell {__version__} from the run's log. This page loads no files and runs no scripts.")
