"""A run as Markdown, for a pull request or a note: the verdict, scores, the prompt and what changed, spend."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from askwell.core.stats import Interval, format_interval
from askwell.report.pages import optimization, training
from askwell.report.pages.content import RunStory, names_of
from askwell.report.pages.training import TrainingStory
from askwell.report.run_report import prompt_diff, prompt_text


def run_markdown(told: RunStory) -> str:
    """Return an optimization."""
    found = told.report
    rows = [
        (name, _score(standing.dev), _score(standing.test))
        for name, standing in (("initial", found.initial), ("optimized", found.best))
    ]
    spend = [
        (role, f"{one.calls:,}", f"{one.prompt_tokens:,} + {one.completion_tokens:,}", _money(one.cost_usd))
        for role, one in found.spend.items()
    ]
    return _joined([
        f"## {_inline(told.name)}",
        " · ".join(f"{what} {_inline(value)}" for what, value in names_of(told.header)),
        f"**{optimization.outcome(found)}**",
        _table(("", "dev", "held-out test"), rows),
        "The prompt:",
        _fenced(prompt_text(found.best.prompt)),
        *_changed(found.initial.prompt.instruction, found.best.prompt.instruction),
        _table(("model", "calls", "tokens in + out", "US dollars"), spend),
    ])  # fmt: skip


def training_markdown(told: TrainingStory) -> str:
    """Return a training."""
    found = told.figures
    rows = [
        (
            str(one.loop),
            f"{one.acquired:,}",
            format_interval(one.without_fallback, signed=True),
            format_interval(one.with_fallback, signed=True),
            f"{one.target_calls:,}",
        )
        for one in found.loops
    ]
    return _joined([
        f"## {_inline(told.name)}",
        " · ".join(f"{what} {_inline(value)}" for what, value in names_of(told.header)),
        f"**{training.outcome(found)}**",
        f"Headroom: {_inline(found.verdict)}",
        *([_table(("loop", "new pairs", "unguarded gain", "guarded gain", "calls so far"), rows)] if rows else []),
        "The best single prompt:",
        _fenced(prompt_text(found.baseline)),
    ])  # fmt: skip


def _changed(before: str, after: str) -> Iterator[str]:
    if before != after:
        yield "Against the initial prompt, word by word:"
        yield _fenced(prompt_diff(before, after))


def _score(interval: Interval | None) -> str:
    return "" if interval is None else format_interval(interval)


def _money(cost: float | None) -> str:
    return "not known" if cost is None else f"{cost:.4f}"


def _table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(headings)
    lines = [names, ["---"] * len(names), *(list(row) for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _fenced(text: str) -> str:
    """Put a text into a fence longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _inline(text: str) -> str:
    """Keep a name from being read as markup."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(text.split()))


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"
