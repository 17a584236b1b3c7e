"""Reports as people read them: rich tables for a terminal, plain values for `--json`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from askwell.api.optimize import Evaluation
from askwell.models.meter import Totals
from askwell.models.pool import MemberTotals
from askwell.progress import format_seconds, spent_line
from askwell.report import Report, claim, interval_json, prompt_diff, prompt_text
from askwell.runs import RunSummary
from askwell.stats import Interval, format_interval

_BLOCKS = "▁▂▃▄▅▆▇█"


def run_report(found: Report) -> Iterator[RenderableType]:
    """Yield the parts of a run's report, top down."""
    table = Table(title="Scores in points of 100, with 95 % intervals", title_justify="left")
    table.add_column("")
    table.add_column("prompt", overflow="fold")
    table.add_column("dev", justify="right", no_wrap=True)
    table.add_column("held-out test", justify="right", no_wrap=True)
    for name, standing in (("initial", found.initial), ("optimized", found.best)):
        table.add_row(name, Text(prompt_text(standing.prompt)), _cell(standing.dev), _cell(standing.test))
    yield table
    yield from _verdict(found)
    if found.initial.prompt != found.best.prompt:
        yield Text(f"Changed: {prompt_diff(found.initial.prompt.instruction, found.best.prompt.instruction)}")
    if found.best.prompt.demos:
        yield Text(f"The optimized prompt goes with {len(found.best.prompt.demos)} demonstrations, as shown.")
    best = [point.best for point in found.curve]
    yield Text(f"Best dev score by step: {sparkline(best)}  ({', '.join(f'{100 * value:.0f}' for value in best)})")
    if found.raced is not None:
        raced = found.raced
        yield Text(f"Racing: {raced.calls:,} of {raced.full:,} dev calls were enough ({raced.saved:.0%} saved).")
    for role, spent in found.spend.items():
        money = f", ${spent.cost_usd:.4f}" if spent.cost_usd else ""
        failed = f", {spent.failed} failed for good" if spent.failed else ""
        yield Text(
            f"{role.capitalize()}: {spent.calls:,} calls, {spent.prompt_tokens:,} + {spent.completion_tokens:,} tokens"
            f"{money}{failed}"
        )
    for one in found.learnt:
        yield Text(f"Learnt: {one}.")
    if found.missing:
        yield Text(f"Missing: {found.missing} cells, in no score. `askwell retry` asks for them again.")
    if found.reason:
        yield Text(f"Ended: {found.reason}.")


def _verdict(found: Report) -> Iterator[Text]:
    if found.gain is not None:
        gain = f"{points(found.gain)}: {claim(found.gain)}"
        yield Text(f"Optimized minus initial on the same {found.gain.n} test examples: {gain}.")
    elif found.finished and found.initial.prompt == found.best.prompt:
        yield Text("No prompt scored better than the initial one on dev: it is kept.")
    if found.optimism is not None:
        yield Text(f"Dev minus test score of the winner (what choosing on dev flattered): {points(found.optimism)}.")


def evaluations(found: Sequence[Evaluation]) -> Table:
    """Return one row a prompt."""
    table = Table(title=f"Scores on {found[0].score.n} examples, in points of 100, with 95 % intervals")
    table.add_column("prompt", overflow="fold")
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("minus the first", justify="right", no_wrap=True)
    for one in found:
        table.add_row(Text(one.prompt), _cell(one.score), points(one.difference) if one.difference else "")
    return table


def evaluation_json(one: Evaluation) -> dict[str, object]:
    """Return one prompt's evaluation for `--json`."""
    return {"prompt": one.prompt, "score": interval_json(one.score), "difference": interval_json(one.difference)}


def summaries(found: Sequence[RunSummary]) -> Table:
    """Return one row a run."""
    table = Table()
    for heading in ("run", "task", "state", "best dev", "test", "target calls"):
        table.add_column(heading)
    for one in found:
        state = one.problem or ("finished" if one.finished else f"at step {one.step}")
        table.add_row(one.name, one.task, state, _percent(one.dev), _percent(one.test), f"{one.target_calls:,}")
    return table


def summary_json(one: RunSummary) -> dict[str, object]:
    """Return one run's line for `--json`."""
    return {
        "run": one.name,
        "task": one.task,
        "finished": one.finished,
        "step": one.step,
        "dev": one.dev,
        "test": one.test,
        "target_calls": one.target_calls,
        "problem": one.problem,
    }


def spent(totals: list[Totals], seconds: float) -> Text:
    """Say what this process spent; a resumed run's earlier calls are not in it."""
    return Text(f"This session: {spent_line(totals)} · {format_seconds(seconds)}")


def members(found: Sequence[MemberTotals]) -> Text:
    """Say what each member of a pool answered: `http://a:8000/v1 812 calls, http://b:8000/v1 188 calls (3 failed)`."""
    parts = [
        f"{one.label} {one.totals.calls:,} calls" + (f" ({one.totals.failed:,} failed)" if one.totals.failed else "")
        for one in found
    ]
    return Text(f"Pool: {', '.join(parts)}")


def print_json(value: object) -> None:
    """Write a value for machines to standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def sparkline(values: Sequence[float]) -> str:
    """Draw values in 0..1 as one line of blocks, on their own range."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    span = (high - low) or 1.0
    return "".join(_BLOCKS[min(7, int(8 * (value - low) / span))] for value in values)


def _cell(interval: Interval | None) -> str:
    return "" if interval is None else format_interval(interval).replace("[", "\\[")


def points(interval: Interval) -> str:
    """Write a difference in points of 100, signed, with its interval."""
    return format_interval(interval, signed=True)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"
