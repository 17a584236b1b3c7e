"""The page of an optimization: verdict, charts, the prompt and its changes, examples, all prompts, spend."""

from __future__ import annotations

from collections.abc import Iterator

from askwell.core.stats import format_interval
from askwell.report.pages.blocks import (
    example_changes,
    figure,
    footer,
    heading,
    remark,
    section,
    settings_block,
    spend_table,
    verdict,
    wrong_examples,
)
from askwell.report.pages.charts import ChartRow, Dot, curve_chart, interval_chart
from askwell.report.pages.content import OptimizationContent, list_facts
from askwell.report.pages.markup import Html, document, el
from askwell.report.pages.prompts_tried import dot_anchor, prompts_tried, row_anchor
from askwell.report.reply_report import describe_findings, describe_replies
from askwell.report.run_report import Report, describe_gain, diff_words, format_prompt


def optimization_page(content: OptimizationContent) -> str:
    """Return the page as HTML."""
    return document(f"{content.name} · askwell", *_parts(content))


def _parts(content: OptimizationContent) -> Iterator[Html]:
    report = content.report
    yield heading(content.name, list_facts(content.header))
    yield verdict(describe_optimization(report), report.gain)
    yield from _notes(report)
    yield section("Scores", *_scores(report))
    yield section("Progress", *_search(content))
    yield section("The prompt", el("pre", format_prompt(report.best.prompt)), *_diff(report))
    if report.best.prompt != report.initial.prompt:
        yield section("Dev examples", *example_changes(content.changes, "the initial prompt", "the optimized prompt"))
    if report.replies is not None and report.replies.still_wrong is not None:
        yield section("Still wrong", *wrong_examples(report.replies.still_wrong))
    yield section(f"Prompts tried: {content.tried:,}", *prompts_tried(content))
    yield section("Spend", spend_table(report.spend), *[remark(f"Server quirk: {quirk}.") for quirk in report.quirks])
    yield section("Settings", settings_block(content.config))
    yield footer()


def describe_optimization(report: Report) -> str:
    """Describe the result in one or two sentences."""
    before, after = report.initial.test, report.best.test
    if not report.finished:
        score = "nothing yet" if report.best.dev is None else format_interval(report.best.dev)
        return f"Not finished: the best prompt so far scores {score} on dev."
    if report.best.prompt == report.initial.prompt:
        return "No prompt scored better than the initial one on dev: it is kept."
    if before is None or after is None or report.gain is None:
        return "Not tested on held-out examples."
    scores = f"Held-out test: {100 * before.estimate:.1f} → {100 * after.estimate:.1f}"
    return f"{scores}; {describe_gain(report)}, on the same {report.gain.n:,} examples."


def _notes(report: Report) -> Iterator[Html]:
    if report.optimism is not None:
        yield remark(
            f"Dev minus test score of the winner (the optimism of selecting on dev): "
            f"{format_interval(report.optimism, signed=True)} points."
        )
    if report.missing:
        yield remark(f"Missing: {report.missing:,} calls, which no score includes. askwell retry makes them again.")
    if report.reason:
        yield remark(f"Ended: {report.reason}.")


def _scores(report: Report) -> Iterator[Html]:
    rows = [
        ChartRow(name=f"{name}, {split}", interval=interval, is_main=name == "optimized")
        for split in ("test", "dev")
        for name, scores in (("initial", report.initial), ("optimized", report.best))
        if (interval := scores.test if split == "test" else scores.dev) is not None
    ]
    yield figure(interval_chart(rows), "Points of 100 with 95 % intervals. The test split is used once, at the end.")
    if report.replies is not None:
        yield from map(remark, describe_replies(report.replies))
        yield from map(remark, describe_findings(report.replies))


def _search(content: OptimizationContent) -> Iterator[Html]:
    report = content.report
    dots = _dots(content)
    best = [(point.step, point.best) for point in report.curve]
    label = "Best dev score by step: " + ", ".join(f"{100 * score:.1f}" for _, score in best)
    partial = (
        " Hollow dots: stopped early by racing, scored on part of the split."
        if any(dot.partial for dot in dots)
        else ""
    )
    yield figure(
        curve_chart(dots, best, label=label),
        "Dev score of each prompt (dots) and of the best so far (line) by step. The large dot is the winner; a dot "
        f"links to its prompt in the table below.{partial}",
    )
    if report.raced is not None:
        raced = report.raced
        yield remark(f"Racing: {raced.calls:,} of {raced.full:,} dev calls were made ({raced.saved:.0%} saved).")


def _dots(content: OptimizationContent) -> list[Dot]:
    """Return a dot for each scoring of a prompt; the first one of a prompt in the table is linked with its row."""
    listed = {ranked.prompt: ranked.id for ranked in content.ranked}
    dots: list[Dot] = []
    anchored: set[str] = set()
    for candidate in content.drawn:
        name = listed.get(candidate.prompt)
        dots.append(
            Dot(
                step=candidate.step,
                score=candidate.score,
                title=f"{100 * candidate.score:.1f} on {candidate.n} examples: {candidate.prompt.instruction[:160]}",
                partial=candidate.partial,
                is_winner=candidate.prompt == content.report.best.prompt and not candidate.partial,
                id=dot_anchor(name) if name and name not in anchored else "",
                link=row_anchor(name) if name else "",
            )
        )
        anchored |= {name} if name else set()
    return dots


def _diff(report: Report) -> Iterator[Html]:
    before, after = report.initial.prompt.instruction, report.best.prompt.instruction
    if before == after:
        return
    tags = {"gone": "del", "new": "ins"}
    yield remark("Changes against the initial prompt, word by word:")
    yield el("pre", [[el(tags[kind], text) if kind in tags else text, " "] for kind, text in diff_words(before, after)])
