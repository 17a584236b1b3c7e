"""A training as a page: is it deployed and what does it gain, each loop's figures, what it did to single queries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from askwell.core.errors import ConfigError
from askwell.core.stats import format_interval
from askwell.core.types import ModelRole
from askwell.policies.loop_records import LoopResult, decode_chosen
from askwell.policies.train_job import Figures, read_figures
from askwell.report.pages.blocks import (
    changed,
    figure,
    gained,
    heading,
    made_by,
    section,
    settings,
    soft,
    spend_table,
    verdict,
)
from askwell.report.pages.charts import ChartRow, Series, gain_chart, interval_chart
from askwell.report.pages.content import Changes, changes, names_of
from askwell.report.pages.markup import Html, document, el, table
from askwell.report.run_report import prompt_text
from askwell.runlog.codec import Body
from askwell.runlog.fold import Spend, read_header, read_spend
from askwell.runlog.store import RunStore


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingStory:
    """All that a training's page tells."""

    name: str
    header: Body
    figures: Figures
    changes: Changes
    """The single prompt against the best loop's, on dev queries, before the guard."""
    spend: Mapping[ModelRole, Spend]


def read_training(store: RunStore, name: str) -> TrainingStory:
    """Read a training. Raises `ConfigError` before its headroom is known."""
    found = read_figures(store)
    if found is None:
        raise ConfigError(f"the training {name!r} has not measured its headroom yet; look again later")
    written = decode_chosen(store.events(kinds=["prompt", "pairs"])).get((found.best_loop, "dev"))
    pairs = {one: (found.baseline, prompt) for one, prompt in written.pairs} if written else {}
    return TrainingStory(
        name=name,
        header=read_header(store),
        figures=found,
        changes=changes(store, pairs),
        spend=read_spend(store),
    )


def training_page(told: TrainingStory) -> str:
    """Return the whole page."""
    return document(f"{told.name} · askwell", *_parts(told))


def _parts(told: TrainingStory) -> Iterator[Html]:
    found = told.figures
    yield heading(told.name, names_of(told.header))
    yield verdict(outcome(found), found.tested.gain if found.tested else None)
    yield soft(f"Headroom: {found.verdict}")
    if found.reason:
        yield soft(f"Ended: {found.reason}.")
    if found.tested is not None:
        yield section("Held-out test", *_test(found))
    if found.loops:
        yield section("Loops", *_loops(found.loops))
    yield section("The best single prompt", el("pre", prompt_text(found.baseline)))
    if told.changes.n_fixed + told.changes.n_broken + told.changes.n_same:
        which = "prompts chosen among the logged ones" if not found.best_loop else f"loop {found.best_loop}'s prompts"
        yield section("Dev queries", *changed(told.changes, "the single prompt", f"{which}, without the guard,"))
    yield section("Paid for", spend_table({"target": told.spend["target"]}))
    yield section("Settings", settings(_config(told)))
    yield made_by()


def outcome(found: Figures) -> str:
    """Say what is deployed, and what it gains."""
    if not found.finished:
        return "Not finished."
    if found.keeps_baseline:
        return "Every query gets the best single prompt."
    if found.tested is None:
        return "A prompt for each query is deployed, but it was not tested on held-out queries."
    tested = found.tested
    scores = f"Held-out test: {100 * tested.baseline.estimate:.1f} → {100 * tested.policy.estimate:.1f}"
    own = f"{tested.switch_rate:.0%} of them get a prompt of their own"
    return f"{scores}; {gained(tested.gain)}, on the same {tested.gain.n:,} queries; {own}."


def _test(found: Figures) -> Iterator[Html]:
    assert found.tested is not None
    rows = [
        ChartRow(name="single prompt", interval=found.tested.baseline, ours=False),
        ChartRow(name="policy", interval=found.tested.policy),
    ]
    yield figure(interval_chart(rows), "Points of 100 with 95 % intervals, the same queries for both.")


def _loops(loops: tuple[LoopResult, ...]) -> Iterator[Html]:
    series = [
        Series(name="without the guard", gains=[(one.loop, one.without_fallback) for one in loops], ours=False),
        Series(name="guarded", gains=[(one.loop, one.with_fallback) for one in loops]),
    ]
    label = "Guarded gain by loop: " + ", ".join(format_interval(one.with_fallback, signed=True) for one in loops)
    yield figure(
        gain_chart(series, label=label),
        "Gain over the single prompt on dev queries, in points: sending whatever is written (grey), and with the guard "
        "(blue), its margin tuned on other queries. Loop 0 chooses among the logged prompts.",
    )
    yield table(
        ["loop#", "new pairs#", "learnt from#", "single prompt#", "unguarded gain#", "guarded gain#", "calls so far#"],
        [
            [
                str(one.loop),
                f"{one.acquired:,}",
                f"{one.trained_on:,}",
                format_interval(one.baseline),
                format_interval(one.without_fallback, signed=True),
                format_interval(one.with_fallback, signed=True),
                f"{one.target_calls:,}",
            ]
            for one in loops
        ],
    )


def _config(told: TrainingStory) -> Body:
    return cast("Body", told.header["config"])
