"""An optimization as a page: the verdict first, then pictures, the prompt and what changed, examples, all prompts."""

from __future__ import annotations

from collections.abc import Iterator

from askwell.core.stats import format_interval
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
from askwell.report.pages.charts import ChartRow, Dot, curve_chart, interval_chart
from askwell.report.pages.content import OptimizationContent, RankedPrompt, list_facts
from askwell.report.pages.markup import Html, document, el, table
from askwell.report.run_report import Report, diff_words, format_prompt

_MOST_DOTS = 2_000


def optimization_page(told: OptimizationContent) -> str:
    """Return the whole page."""
    return document(f"{told.name} · askwell", *_parts(told))


def _parts(told: OptimizationContent) -> Iterator[Html]:
    found = told.report
    yield heading(told.name, list_facts(told.header))
    yield verdict(describe_optimization(found), found.gain)
    yield from _notes(found)
    yield section("Scores", *_scores(found))
    yield section("Search", *_search(told))
    yield section("The prompt", el("pre", format_prompt(found.best.prompt)), *_diff(found))
    if found.best.prompt != found.initial.prompt:
        yield section("Dev examples", *example_changes(told.changes, "the initial prompt", "the optimized one"))
    yield section(f"Prompts tried: {told.tried:,}", _prompts_table(told.ranked, told.tried))
    yield section("Paid for", spend_table(found.spend), *[remark(f"Learnt: {one}.") for one in found.quirks])
    yield section("Settings", settings_block(told.config))
    yield footer()


def describe_optimization(found: Report) -> str:
    """Say in a sentence or two what came of it."""
    before, after = found.initial.test, found.best.test
    if not found.finished:
        score = "nothing yet" if found.best.dev is None else format_interval(found.best.dev)
        return f"Not finished: the best prompt so far scores {score} on dev."
    if found.best.prompt == found.initial.prompt:
        return "No prompt scored better than the initial one on dev: it is kept."
    if before is None or after is None or found.gain is None:
        return "Not tested on held-out examples."
    scores = f"Held-out test: {100 * before.estimate:.1f} → {100 * after.estimate:.1f}"
    return f"{scores}; {format_gain(found.gain)}, on the same {found.gain.n:,} examples."


def _notes(found: Report) -> Iterator[Html]:
    if found.optimism is not None:
        yield remark(f"Choosing on dev flattered the winner by {format_interval(found.optimism, signed=True)} points.")
    if found.missing:
        yield remark(f"Missing: {found.missing:,} cells, in no score. askwell retry asks for them again.")
    if found.reason:
        yield remark(f"Ended: {found.reason}.")


def _scores(found: Report) -> Iterator[Html]:
    rows = [
        ChartRow(name=f"{name}, {split}", interval=interval, ours=name == "optimized")
        for split in ("test", "dev")
        for name, standing in (("initial", found.initial), ("optimized", found.best))
        if (interval := standing.test if split == "test" else standing.dev) is not None
    ]
    yield figure(interval_chart(rows), "Points of 100 with 95 % intervals. The test split is looked at once.")


def _search(told: OptimizationContent) -> Iterator[Html]:
    found = told.report
    dots = [
        Dot(
            step=one.step,
            score=one.score,
            title=f"{100 * one.score:.1f} on {one.n} examples: {one.prompt.instruction[:160]}",
            partial=one.partial,
        )
        for one in told.trajectory.candidates[-_MOST_DOTS:]
    ]
    best = [(point.step, point.best) for point in found.curve]
    label = "Best dev score by step: " + ", ".join(f"{100 * score:.1f}" for _, score in best)
    partial = (
        " Hollow: stopped early in a race, scored on part of the split." if any(dot.partial for dot in dots) else ""
    )
    yield figure(
        curve_chart(dots, best, label=label),
        f"Dev score of each prompt (dots) and of the best so far (line), step by step.{partial}",
    )
    if found.raced is not None:
        raced = found.raced
        yield remark(f"Racing: {raced.calls:,} of {raced.full:,} dev calls were enough ({raced.saved:.0%} saved).")


def _diff(found: Report) -> Iterator[Html]:
    before, after = found.initial.prompt.instruction, found.best.prompt.instruction
    if before == after:
        return
    tags = {"gone": "del", "new": "ins"}
    yield remark("Against the initial prompt, word by word:")
    yield el("pre", [[el(tags[kind], text) if kind in tags else text, " "] for kind, text in diff_words(before, after)])


def _prompts_table(rows: tuple[RankedPrompt, ...], tried: int) -> Html:
    lines = [
        [
            el("code", one.id[:8]),
            str(one.step),
            f"{format_interval(one.score)}{' (part)' if one.partial else ''}",
            f"{one.score.n:,}",
            format_prompt(one.prompt),
        ]
        for one in rows
    ]
    best = f"The best {len(rows)} of {tried:,}, by dev score." if tried > len(rows) else "By dev score."
    return table(["id", "step#", "dev score#", "examples#", "prompt"], lines, caption=best)
