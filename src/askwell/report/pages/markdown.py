"""A run as Markdown, for a pull request or a note: the verdict, scores, the prompt and what changed, spend."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from askwell.core.stats import Interval, format_interval
from askwell.report.pages import optimization, training
from askwell.report.pages.content import OptimizationContent, list_facts
from askwell.report.pages.training import TrainingContent
from askwell.report.run_report import format_diff, format_prompt


def optimization_markdown(told: OptimizationContent) -> str:
    """Return an optimization."""
    found = told.report
    rows = [
        (name, _format_score(standing.dev), _format_score(standing.test))
        for name, standing in (("initial", found.initial), ("optimized", found.best))
    ]
    spend = [
        (role, f"{one.calls:,}", f"{one.prompt_tokens:,} + {one.completion_tokens:,}", _format_cost(one.cost_usd))
        for role, one in found.spend.items()
    ]
    return _join_parts([
        f"## {_escape_inline(told.name)}",
        " · ".join(f"{what} {_escape_inline(value)}" for what, value in list_facts(told.header)),
        f"**{optimization.describe_optimization(found)}**",
        _table(("", "dev", "held-out test"), rows),
        "The prompt:",
        _fence(format_prompt(found.best.prompt)),
        *_diff_parts(found.initial.prompt.instruction, found.best.prompt.instruction),
        _table(("model", "calls", "tokens in + out", "US dollars"), spend),
    ])  # fmt: skip


def training_markdown(told: TrainingContent) -> str:
    """Return a training."""
    found = told.figures
    rows = [
        (
            str(one.loop),
            f"{one.collected:,}",
            format_interval(one.written, signed=True),
            format_interval(one.guarded, signed=True),
            f"{one.target_calls:,}",
        )
        for one in found.loops
    ]
    return _join_parts([
        f"## {_escape_inline(told.name)}",
        " · ".join(f"{what} {_escape_inline(value)}" for what, value in list_facts(told.header)),
        f"**{training.describe_training(found)}**",
        f"Headroom: {_escape_inline(found.verdict)}",
        *([_table(("loop", "new pairs", "unguarded gain", "guarded gain", "calls so far"), rows)] if rows else []),
        "The best single prompt:",
        _fence(format_prompt(found.baseline)),
    ])  # fmt: skip


def _diff_parts(before: str, after: str) -> Iterator[str]:
    if before != after:
        yield "Against the initial prompt, word by word:"
        yield _fence(format_diff(before, after))


def _format_score(interval: Interval | None) -> str:
    return "" if interval is None else format_interval(interval)


def _format_cost(cost: float | None) -> str:
    return "not known" if cost is None else f"{cost:.4f}"


def _table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(headings)
    lines = [names, ["---"] * len(names), *(list(row) for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _fence(text: str) -> str:
    """Put a text into a fence longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _escape_inline(text: str) -> str:
    """Keep a name from being read as markup."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(text.split()))


def _join_parts(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"
