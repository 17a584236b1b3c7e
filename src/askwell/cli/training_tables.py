"""A training as text and tables (headroom, each loop's figures, the test), and the same for `--json`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich import box
from rich.console import RenderableType
from rich.table import Table

from askwell.cli.console import Text
from askwell.cli.tables import format_points
from askwell.core.stats import format_interval
from askwell.policies.fallback_threshold import FallbackThreshold
from askwell.policies.loop_records import LoopResult, Tested, encode_loop
from askwell.policies.training_figures import Figures
from askwell.report.reply_report import commonest_json, describe_above_commonest
from askwell.report.run_report import describe_significance, interval_json

if TYPE_CHECKING:  # it imports numpy
    from askwell.policies.selection.selection import SelectionPolicy


def training_report(training: Figures) -> Iterator[RenderableType]:
    """Yield the parts of a training's report, top down."""
    yield Text(f"Headroom: {training.verdict}")
    yield Text(f"Baseline prompt: {training.baseline.instruction!r}")
    if training.loops:
        yield loops_table(training.loops)
        if training.loops[-1].reward:
            yield Text(f"Reward of the training pairs: {training.loops[-1].reward}.")
    if training.tested is not None:
        tested = training.tested
        yield Text(
            f"Held-out test ({tested.gain.n} queries): baseline prompt {format_interval(tested.baseline)}, policy "
            f"{format_interval(tested.policy)}."
        )
        meaning = f"{describe_significance(tested.gain)}{describe_above_commonest(tested.policy, tested.commonest)}"
        yield Text(
            f"Policy minus baseline prompt on the same queries: {format_points(tested.gain)}: {meaning}; "
            f"{100 * tested.switch_rate:.0f} % of them got another prompt."
        )
    if training.finished and training.keeps_baseline:
        yield Text("Kept: the baseline prompt, for every query.")
    yield Text(f"Ended: {training.reason}." if training.finished else "Not finished.")


def loops_table(loops: tuple[LoopResult, ...]) -> Table:
    """Return one row per loop: dev figures in points of 100.

    new: pairs labelled for it; baseline: the baseline prompt's score; switch rate: share of the queries that get
    another prompt.
    """
    title = "On dev queries: points of 100, paired gains with 95 % intervals"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("loop", "new", "baseline", "unguarded gain", "guarded gain", "switch\nrate", "calls"):
        table.add_column(heading, justify="right", no_wrap=True)
    for loop in loops:
        table.add_row(
            str(loop.loop),
            f"{loop.acquired:,}",
            f"{100 * loop.baseline.estimate:.1f}",
            format_points(loop.without_fallback),
            format_points(loop.with_fallback),
            _switched(loop.fallback),
            f"{loop.target_calls:,}",
        )
    return table


def training_json(training: Figures) -> dict[str, object]:
    """Return a training's figures for `--json`."""
    return {
        "finished": training.finished,
        "reason": training.reason,
        "worth_it": training.is_worthwhile,
        "verdict": training.verdict,
        "static_prompt": training.baseline.instruction,
        "keeps_static": training.keeps_baseline,
        "best_loop": training.best_loop,
        "loops": [encode_loop(loop) for loop in training.loops],
        "test": tested_json(training.tested),
    }


def tested_json(tested: Tested | None) -> dict[str, object] | None:
    """Return the test result for `--json`; None if there was no test."""
    if tested is None:
        return None
    return {
        "static": interval_json(tested.baseline),
        "policy": interval_json(tested.policy),
        "gain": interval_json(tested.gain),
        "switched": tested.switch_rate,
        "commonest": commonest_json(tested.commonest),
    }


def _switched(guard: FallbackThreshold) -> str:
    return f"{100 * guard.switch_rate:.0f} %"


def selection_sentence(policy: SelectionPolicy) -> str:
    """Describe a policy that selects among logged prompts, and its gain."""
    fallback = policy.fallback
    return (
        f"A policy that chooses among {len(policy.prompts)} logged prompts ({policy.name}): cross-validated gain "
        f"{100 * fallback.gain:+.1f} points, {100 * fallback.switch_rate:.0f} % of the queries switched."
    )
