"""The page of an evaluation: each prompt's score, its difference to the first prompt, and how the calls ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from askwell.core.errors import ConfigError
from askwell.core.stats import format_interval
from askwell.engine.replies.outcomes import format_outcomes
from askwell.report.evaluation import EvaluationReport, describe_evaluations, describe_progress, read_evaluation
from askwell.report.pages.blocks import figure, footer, heading, remark, section, settings_block, spend_table
from askwell.report.pages.charts import ChartRow, interval_chart
from askwell.report.pages.content import list_facts, without_addresses
from askwell.report.pages.markup import Html, document, el, table
from askwell.runlog.codec import prompt_id
from askwell.runlog.store import RunStore

_MOST_ROWS = 40
"""Most prompts in the chart; the table has all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationContent:
    """The content of an evaluation's page."""

    name: str
    report: EvaluationReport


def read_evaluation_content(store: RunStore, name: str) -> EvaluationContent:
    """Read an evaluation. Raises `ConfigError` before a prompt has been scored."""
    report = read_evaluation(store)
    if report is None:
        raise ConfigError(f"the evaluation {name!r} has scored no prompt yet; look again later, or run it again")
    return EvaluationContent(name=name, report=report)


def evaluation_page(content: EvaluationContent) -> str:
    """Return the page as HTML."""
    return document(f"{content.name} · askwell", *_parts(content))


def _parts(content: EvaluationContent) -> Iterator[Html]:
    report = content.report
    yield heading(content.name, list_facts(report.header))
    yield el("p", describe_best(report), class_="verdict")
    yield from map(remark, describe_progress(report))
    yield section("Scores", *_chart(report), _table(report), *map(remark, describe_notes(report)))
    yield section("Spend", spend_table({"target": report.spend}))
    yield section("Settings", settings_block(without_addresses(report.header)))
    yield footer()


def describe_best(report: EvaluationReport) -> str:
    """Name the prompt with the highest score, and its difference to the first one."""
    best = max(report.evaluations, key=lambda evaluation: evaluation.score.estimate)
    score = f"{format_interval(best.score)} on {best.score.n:,} examples"
    if len(report.evaluations) == 1:
        return f"The prompt scores {score}."
    number = report.evaluations.index(best) + 1
    sentence = f"Of {len(report.evaluations):,} prompts, prompt {number} has the highest score: {score}"
    if best.difference is None:
        return f"{sentence}."
    # No word of a real gain: the best of several was chosen on the same examples.
    return f"{sentence}; minus prompt 1, on the same examples: {format_interval(best.difference, signed=True)}."


def describe_notes(report: EvaluationReport) -> Iterator[str]:
    """Yield the sentences under the table of scores."""
    return describe_evaluations(report.evaluations, metric=report.metric, temperature=report.temperature)


def _chart(report: EvaluationReport) -> Iterator[Html]:
    rows = [
        ChartRow(name=f"prompt {number}", interval=evaluation.score, is_main=number > 1)
        for number, evaluation in enumerate(report.evaluations[:_MOST_ROWS], 1)
    ]
    yield figure(interval_chart(rows), "Points of 100 with 95 % intervals. The first prompt is grey.")


def _table(report: EvaluationReport) -> Html:
    lines = [
        [
            str(number),
            el("code", prompt_id(prompt)[:8]),
            format_interval(evaluation.score),
            "" if evaluation.difference is None else format_interval(evaluation.difference, signed=True),
            f"{evaluation.score.n:,}",
            format_outcomes(evaluation.outcomes),
            evaluation.prompt,
        ]
        for number, (prompt, evaluation) in enumerate(zip(report.prompts, report.evaluations, strict=True), 1)
    ]
    return table(["number#", "id", "score#", "minus the first#", "examples#", "outcomes", "prompt"], lines)
