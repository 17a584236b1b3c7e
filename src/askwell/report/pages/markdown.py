"""Reports as Markdown, for a pull request: verdict, scores, the prompt and its changes, spend."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from askwell.core.stats import Interval, format_interval
from askwell.engine.replies.outcomes import format_outcomes
from askwell.report.evaluation import describe_progress
from askwell.report.pages import evaluation, optimization, training
from askwell.report.pages.content import OptimizationContent, list_facts
from askwell.report.pages.evaluation import EvaluationContent
from askwell.report.pages.training import TrainingContent
from askwell.report.reply_report import describe_findings, describe_replies
from askwell.report.run_report import Report, format_diff, format_prompt
from askwell.report.still_wrong import describe_still_wrong
from askwell.tasks.render import demo_target

_SHOWN_WRONG = 10
_CELL = 160
"""Most characters of a text in a cell of a table."""


def optimization_markdown(content: OptimizationContent) -> str:
    """Return the report of an optimization."""
    report = content.report
    rows = [
        (name, _format_score(scores.dev), _format_score(scores.test))
        for name, scores in (("initial", report.initial), ("optimized", report.best))
    ]
    spend = [
        (role, f"{used.calls:,}", f"{used.prompt_tokens:,} + {used.completion_tokens:,}", _format_cost(used.cost_usd))
        for role, used in report.spend.items()
    ]
    return _join_parts([
        f"## {_escape_inline(content.name)}",
        " · ".join(f"{label} {_escape_inline(value)}" for label, value in list_facts(content.header)),
        f"**{optimization.describe_optimization(report)}**",
        _table(("", "dev", "held-out test"), rows),
        *_reply_parts(report),
        "The prompt:",
        _fence(format_prompt(report.best.prompt)),
        *_diff_parts(report.initial.prompt.instruction, report.best.prompt.instruction),
        _escape_inline(content.choice) if content.tried > 1 else "",
        *_wrong_parts(report),
        _table(("model", "calls", "tokens in + out", "US dollars"), spend),
    ])  # fmt: skip


def training_markdown(content: TrainingContent) -> str:
    """Return the report of a training."""
    measured = content.figures
    rows = [
        (
            str(loop.loop),
            f"{loop.acquired:,}",
            format_interval(loop.without_fallback, signed=True),
            format_interval(loop.with_fallback, signed=True),
            f"{loop.target_calls:,}",
        )
        for loop in measured.loops
    ]
    headings = ("loop", "new pairs", "gain without fallback", "gain with fallback", "calls so far")
    return _join_parts([
        f"## {_escape_inline(content.name)}",
        " · ".join(f"{label} {_escape_inline(value)}" for label, value in list_facts(content.header)),
        f"**{training.describe_training(measured)}**",
        f"Headroom: {_escape_inline(measured.verdict)}",
        _table(headings, rows) if rows else "",
        "The baseline prompt:",
        _fence(format_prompt(measured.baseline)),
    ])  # fmt: skip


def evaluation_markdown(content: EvaluationContent) -> str:
    """Return the report of an evaluation."""
    report = content.report
    rows = [
        (
            str(number),
            _format_score(scored.score),
            "" if scored.difference is None else format_interval(scored.difference, signed=True),
            f"{scored.score.n:,}",
            format_outcomes(scored.outcomes),
            _escape_cell(scored.prompt),
        )
        for number, scored in enumerate(report.evaluations, 1)
    ]
    return _join_parts([
        f"## {_escape_inline(content.name)}",
        " · ".join(f"{label} {_escape_inline(value)}" for label, value in list_facts(report.header)),
        f"**{evaluation.describe_best(report)}**",
        _table(("number", "score", "minus the first", "examples", "outcomes", "prompt"), rows),
        " ".join(_escape_inline(sentence) for sentence in evaluation.describe_notes(report)),
        " ".join(_escape_inline(sentence) for sentence in describe_progress(report)),
    ])  # fmt: skip


def _reply_parts(report: Report) -> Iterator[str]:
    if report.replies is not None:
        yield " ".join(_escape_inline(sentence) for sentence in describe_replies(report.replies))
        yield from (_escape_inline(sentence) for sentence in describe_findings(report.replies))


def _wrong_parts(report: Report) -> Iterator[str]:
    still_wrong = report.replies.still_wrong if report.replies else None
    if still_wrong is None or not still_wrong.n_wrong:
        return
    shown = still_wrong.shown[:_SHOWN_WRONG]
    yield f"Still wrong: {describe_still_wrong(still_wrong, shown=len(shown))}"
    rows = [
        (
            _escape_cell(wrong.example.input),
            _escape_cell(demo_target(wrong.example)),
            _escape_cell(wrong.read),
            _escape_cell(wrong.reply),
            f"{100 * wrong.value:.0f}",
        )
        for wrong in shown
    ]
    yield _table(("question", "expected", "read by the metric", "reply", "score"), rows)


def _diff_parts(before: str, after: str) -> Iterator[str]:
    if before != after:
        yield "Changes against the initial prompt, word by word:"
        yield _fence(format_diff(before, after))


def _format_score(interval: Interval | None) -> str:
    return "" if interval is None else format_interval(interval)


def _format_cost(cost: float | None) -> str:
    return "unknown" if cost is None else f"{cost:.4f}"


def _table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(headings)
    lines = [names, ["---"] * len(names), *(list(row) for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _fence(text: str) -> str:
    """Fence a text; the fence is longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _escape_inline(text: str) -> str:
    """Escape a name that Markdown would read as markup."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(text.split()))


def _escape_cell(text: str) -> str:
    """Escape a text for one cell of a table, cut to a length that keeps the table readable."""
    line = " ".join(text.split())
    return _escape_inline(line if len(line) <= _CELL else f"{line[: _CELL - 1]}…")


def _join_parts(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"
