"""Reports as Markdown, for a pull request: verdict, scores, the prompt and its changes, spend."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from askwell.core.stats import Interval, format_interval
from askwell.report.pages import optimization, training
from askwell.report.pages.content import OptimizationContent, list_facts
from askwell.report.pages.training import TrainingContent
from askwell.report.reply_report import describe_findings, describe_replies
from askwell.report.run_report import Report, format_diff, format_prompt


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


def _reply_parts(report: Report) -> Iterator[str]:
    if report.replies is not None:
        yield " ".join(_escape_inline(sentence) for sentence in describe_replies(report.replies))
        yield from (_escape_inline(sentence) for sentence in describe_findings(report.replies))


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


def _join_parts(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"
