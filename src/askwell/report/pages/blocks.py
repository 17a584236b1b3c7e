"""What the pages of all kinds of runs are put together from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from askwell.core.stats import Interval, format_interval
from askwell.core.types import ModelRole
from askwell.core.version import __version__
from askwell.report.pages.content import ExampleChange, ExampleChanges, Reply
from askwell.report.pages.markup import Child, Html, el, table
from askwell.report.run_report import describe_significance
from askwell.runlog.fold import Spend
from askwell.tasks.render import shown_target

_MOST_CHARACTERS = 1_500
"""Characters shown of one question or reply."""


def heading(name: str, facts: Iterable[tuple[str, str]]) -> Html:
    """Return a run's name, and below it what it was made of."""
    return el("header", el("h1", name), remark(" · ".join(f"{what} {value}" for what, value in facts)))


def section(title: str, *body: Child) -> Html:
    """Return a part of a page under its heading."""
    return el("section", el("h2", title), *body)


def remark(text: Child) -> Html:
    """Return a remark."""
    return el("p", text, class_="soft")


def figure(picture: Html, caption: str) -> Html:
    """Return a picture with what it shows."""
    return el("figure", picture, el("figcaption", caption))


def format_gain(gain: Interval) -> str:
    """Say a difference with its interval, and what may be claimed of it."""
    return f"{format_interval(gain, signed=True)}: {describe_significance(gain)}"


def verdict(told: str, gain: Interval | None) -> Html:
    """Return a page's first sentence, coloured only where the gain or loss is real."""
    is_real = gain is not None and gain.excludes_zero
    kind = "" if not is_real else " real" if gain and gain.estimate > 0 else " loss"
    return el("p", told, class_=f"verdict{kind}")


def example_changes(found: ExampleChanges, before: str, after: str) -> list[Html]:
    """Return what a change of prompt did to single examples."""
    told = remark(
        f"Under {after} {found.n_fixed:,} do better than under {before}, {found.n_broken:,} worse, "
        f"{found.n_same:,} alike."
    )
    parts = [("Better", found.fixed, found.n_fixed), ("Worse", found.broken, found.n_broken)]
    return [told, *(_changes_table(title, rows, n) for title, rows, n in parts if rows)]


def _changes_table(title: str, rows: Iterable[ExampleChange], n: int) -> Html:
    lines = [
        [shorten(one.example.input), shown_target(one.example), _reply(one.before), _reply(one.after)] for one in rows
    ]
    more = f"{title}: {len(lines)} of {n:,}" if n > len(lines) else f"{title}: {n:,}"
    return el("details", el("summary", more), table(["question", "expected", "before", "after"], lines))


def _reply(reply: Reply) -> list[Html]:
    odd = "" if reply.outcome == "ok" else f", {reply.outcome}"
    return [remark(f"{100 * reply.value:.0f}{odd}"), el("div", shorten(reply.text))]


def shorten(text: str) -> str:
    """Cut a long text, and say so."""
    return (
        text
        if len(text) <= _MOST_CHARACTERS
        else f"{text[:_MOST_CHARACTERS]} … ({len(text) - _MOST_CHARACTERS:,} characters more)"
    )


def spend_table(spend: Mapping[ModelRole, Spend]) -> Html:
    """Return what each model was asked to do."""
    return table(
        ["model", "calls#", "failed for good#", "tokens in#", "tokens out#", "US dollars#"],
        [
            [
                role,
                f"{one.calls:,}",
                f"{one.failed:,}",
                f"{one.prompt_tokens:,}",
                f"{one.completion_tokens:,}",
                "not known" if one.cost_usd is None else f"{one.cost_usd:.4f}",
            ]
            for role, one in spend.items()
        ],
    )


def settings_block(config: Mapping[str, object]) -> Html:
    """Return the settings that decide what is in a log."""
    spelt = json.dumps(config, ensure_ascii=False, indent=1)
    return el("details", el("summary", "all settings"), el("pre", spelt))


def footer() -> Html:
    """Return the last line of a page."""
    return remark(f"Made by askwell {__version__} from the run's log. This page loads nothing and runs no script.")
