"""`askwell data`: list benchmarks and bundled tasks, show one, and check a data set."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import click

from askwell.api.build_prompts import prepare_prompt
from askwell.api.build_task import build_task, resolve_answer_type
from askwell.api.config_file import read_config
from askwell.cli import tables
from askwell.cli.console import Console, Text
from askwell.cli.flags import DATA_FLAGS, JSON_FLAG, PROMPT_FLAGS, SPLIT_FLAGS, flags, overrides, reports_errors
from askwell.core.types import Prompt
from askwell.tasks import bundled
from askwell.tasks.catalog import BENCHMARKS, find_benchmark
from askwell.tasks.load import BENCH, BUNDLED
from askwell.tasks.questions import RowCounts
from askwell.tasks.render import render_text
from askwell.tasks.splits import SPLITS
from askwell.tasks.task import Task

_SHOWN = 3
_MOST_LABELS = 30
"""With more different targets the answers are hardly labels."""


@click.group()
def data() -> None:
    """List benchmarks and bundled tasks, show one, and check your own data set."""


@data.command("list")
@click.argument("matching", default="")
@JSON_FLAG
@reports_errors
def list_tasks(matching: str, *, as_json: bool) -> None:
    """List the benchmarks ("bench:…") and bundled tasks ("pocket:…") whose name contains MATCHING."""
    rows: list[dict[str, Any]] = [
        {"data": BENCH + name, "sizes": list(entry.sizes), "metric": entry.answer_type, "licence": entry.licence}
        for name, entry in BENCHMARKS.items()
        if matching in name
    ]
    rows += [
        {"data": BUNDLED + name, "sizes": [48, 48, 144], "metric": "its own", "licence": "Apache-2.0"}
        for name in bundled.task_names()
        if matching in BUNDLED + name
    ]
    if as_json:
        tables.print_json(rows)
        return
    headings = {"data": "data", "sizes": "train/dev/test", "metric": "metric", "licence": "licence"}
    shown = [{**row, "sizes": "/".join(map(str, row["sizes"]))} for row in rows]
    columns = [
        tables.Column(heading=heading, cells=[str(row[key]) for row in shown], rank=rank, is_text=True)
        for rank, (key, heading) in enumerate(headings.items())
    ]
    tables.print_columns(Console(), columns)


@data.command("show")
@click.argument("name")
@JSON_FLAG
@reports_errors
def show_benchmark(name: str, *, as_json: bool) -> None:
    """Show a benchmark's source, splits and grading."""
    entry = find_benchmark(name.removeprefix(BENCH))
    facts = {
        "data": BENCH + entry.name,
        "hub": entry.hub.path,
        "local files": [source.path for source in entry.local],
        "train/dev/test": list(entry.sizes),
        "metric": entry.answer_type,
        "placement": entry.placement,
        "licence": entry.licence,
    }
    if as_json:
        tables.print_json(facts)
        return
    for label, value in facts.items():
        Console().print(Text(f"{label:15} {value}"))


@data.command("check")
@click.argument("path", metavar="[CONFIG]", required=False, type=click.Path(path_type=Path))
@flags(PROMPT_FLAGS, DATA_FLAGS, SPLIT_FLAGS)
@JSON_FLAG
@reports_errors
def check(path: Path | None, *, as_json: bool, **values: Any) -> None:
    """Load, split, grade and render a data set as a run would; no model is called."""
    config = read_config(path, overrides(values))
    task = build_task(config)
    prompt = prepare_prompt(config, task)
    facts = _facts(task, metric=resolve_answer_type(config.task) or "its own")
    if as_json:
        tables.print_json({**facts, "warnings": list(task.warnings)})
        return
    out = Console()
    for label, value in [*facts.items(), *(("warning", warning) for warning in task.warnings)]:
        out.print(Text(f"{label:18} {value}"))
    shown = task.splits["dev"][0]
    out.print(Text(f"\nWhat is sent for {shown.id!r} (target {shown.target!r}):\n"))
    out.print(Text(render_text(task.render, Prompt(instruction=prompt), shown)))


def _facts(task: Task, *, metric: str) -> dict[str, object]:
    splits = {name: task.splits.get(name, ()) for name in SPLITS}
    every = [example for members in splits.values() for example in members]
    targets = Counter(str(example.target) for example in every)
    scores = [task.metric(_first(example.target), example).value for example in every]
    common = ", ".join(f"{target!r} × {count}" for target, count in targets.most_common(_SHOWN))
    rows = task.rows or RowCounts(read=len(every), copies=0, contradicting=0)
    return {
        "task": task.name,
        "metric": metric,
        "rows read": rows.read,
        "copies": rows.copies,
        "questions with different targets": rows.contradicting,
        "train/dev/test": [len(members) for members in splits.values()],
        "longest question": f"{max(len(example.input) for example in every):,} characters",
        "different targets": len(targets),
        "most common": common,
        "always answering the most common one": f"{100 * targets.most_common(1)[0][1] / len(every):.1f} % right",
        "targets that the metric grades right": f"{sum(value == 1.0 for value in scores)} of {len(scores)}",
        **_label_advice(targets, metric),
    }


def _label_advice(targets: Counter[str], metric: str) -> dict[str, object]:
    """Name the metric that reads labels, where few different targets are compared as whole texts."""
    if metric != "exact" or not 2 <= len(targets) <= _MOST_LABELS or 2 * len(targets) > targets.total():
        return {}
    return {"advice": f"{len(targets)} labels: --metric label finds one of them in a longer reply, exact does not"}


def _first(target: str | tuple[str, ...]) -> str:
    return target if isinstance(target, str) else target[0]
