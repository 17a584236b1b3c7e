"""The page of a training: what is deployed and its gain, the figures of each loop, the effect on single queries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from askwell.core.errors import ConfigError
from askwell.core.stats import format_interval
from askwell.core.types import ModelRole
from askwell.policies.loop_records import LoopResult, read_chosen
from askwell.policies.training_figures import Figures, read_figures
from askwell.report.pages.blocks import (
    example_changes,
    figure,
    footer,
    format_gain,
    heading,
    remark,
    section,
    settings_block,
    spend_table,
    verdict,
)
from askwell.report.pages.charts import ChartRow, Series, gain_chart, interval_chart
from askwell.report.pages.content import ExampleChanges, compare_replies, list_facts, without_addresses
from askwell.report.pages.markup import Html, document, el, table
from askwell.report.reply_report import describe_above_commonest
from askwell.report.run_report import format_prompt
from askwell.runlog.codec import Body
from askwell.runlog.fold import Spend, read_header, read_spend
from askwell.runlog.store import RunStore


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingContent:
    """The content of a training's page."""

    name: str
    header: Body
    figures: Figures
    changes: ExampleChanges
    """The baseline prompt against the best loop's prompts on dev queries, without the fallback."""
    spend: Mapping[ModelRole, Spend]


def read_training(store: RunStore, name: str) -> TrainingContent:
    """Read a training. Raises `ConfigError` before its headroom is measured."""
    measured = read_figures(store)
    if measured is None:
        raise ConfigError(f"the training {name!r} has not measured its headroom yet; look again later")
    written = read_chosen(store).get((measured.best_loop, "dev"))
    pairs = {example_id: (measured.baseline, prompt) for example_id, prompt in written.pairs} if written else {}
    return TrainingContent(
        name=name,
        header=read_header(store),
        figures=measured,
        changes=compare_replies(store, pairs),
        spend=read_spend(store),
    )


def training_page(content: TrainingContent) -> str:
    """Return the page as HTML."""
    return document(f"{content.name} · askwell", *_parts(content))


def _parts(content: TrainingContent) -> Iterator[Html]:
    measured = content.figures
    yield heading(content.name, list_facts(content.header))
    yield verdict(describe_training(measured), measured.tested.gain if measured.tested else None)
    yield remark(f"Headroom: {measured.verdict}")
    if measured.reason:
        yield remark(f"Ended: {measured.reason}.")
    if measured.tested is not None:
        yield section("Held-out test", *_test(measured))
    if measured.loops:
        yield section("Loops", *_loops(measured.loops))
    yield section("The baseline prompt", el("pre", format_prompt(measured.baseline)))
    if content.changes.n_fixed + content.changes.n_broken + content.changes.n_same:
        which = f"loop {measured.best_loop}" if measured.best_loop else "selecting among the logged prompts"
        yield section(
            "Dev queries", *example_changes(content.changes, "the baseline prompt", f"{which} (without the fallback)")
        )
    yield section("Spend", spend_table({"target": content.spend["target"]}))
    yield section("Settings", settings_block(_config(content)))
    yield footer()


def describe_training(measured: Figures) -> str:
    """Describe what is deployed, and its gain."""
    if not measured.finished:
        return "Not finished."
    if measured.keeps_baseline:
        return "Every query gets the baseline prompt."
    if measured.tested is None:
        return "A policy with one prompt per query is deployed, but it was not tested on held-out queries."
    tested = measured.tested
    scores = f"Held-out test: {100 * tested.baseline.estimate:.1f} → {100 * tested.policy.estimate:.1f}"
    switched = f"{tested.switch_rate:.0%} of them get another prompt than the baseline prompt"
    caveat = describe_above_commonest(tested.policy, tested.commonest)
    return f"{scores}; {format_gain(tested.gain)}{caveat}, on the same {tested.gain.n:,} queries; {switched}."


def _test(measured: Figures) -> Iterator[Html]:
    assert measured.tested is not None
    rows = [
        ChartRow(name="baseline prompt", interval=measured.tested.baseline, is_main=False),
        ChartRow(name="policy", interval=measured.tested.policy),
    ]
    yield figure(interval_chart(rows), "Points of 100 with 95 % intervals, on the same queries.")


def _loops(loops: tuple[LoopResult, ...]) -> Iterator[Html]:
    series = [
        Series(name="without fallback", gains=[(loop.loop, loop.without_fallback) for loop in loops], is_main=False),
        Series(name="with fallback", gains=[(loop.loop, loop.with_fallback) for loop in loops]),
    ]
    gains = ", ".join(format_interval(loop.with_fallback, signed=True) for loop in loops)
    yield figure(
        gain_chart(series, label=f"Gain with fallback by loop: {gains}"),
        "Gain over the baseline prompt on dev queries, in points: every generated prompt is sent (grey), or only "
        "those above the fallback threshold, which was tuned on other queries (blue). Loop 0 selects among the logged "
        "prompts.",
    )
    yield table(
        [
            "loop#",
            "new pairs#",
            "trained on#",
            "baseline prompt#",
            "gain without fallback#",
            "gain with fallback#",
            "calls so far#",
        ],
        [
            [
                str(loop.loop),
                f"{loop.acquired:,}",
                f"{loop.trained_on:,}",
                format_interval(loop.baseline),
                format_interval(loop.without_fallback, signed=True),
                format_interval(loop.with_fallback, signed=True),
                f"{loop.target_calls:,}",
            ]
            for loop in loops
        ],
    )


def _config(content: TrainingContent) -> Body:
    return without_addresses(content.header)
