"""A comparison as people read it: one table, what it rests on, one closing sentence; and the same for `--json`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table
from rich.text import Text

from askwell.policy_tables import tested_json
from askwell.qpo.compare import ORACLE, Comparison, Row
from askwell.query_commands import headroom_json
from askwell.report import claim, interval_json
from askwell.stats import Interval, format_interval
from askwell.tables import points
from askwell.train_job import Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A training named among the sources: where it learnt, and what it measured."""

    name: str
    sources: tuple[str, ...]
    figures: Figures | None
    """None before its headroom was known."""


def comparison_table(found: Comparison, trainings: Sequence[Training]) -> Table:
    """Return one row a way to send prompts. own: share of the queries that get another prompt than the single one."""
    title = f"On {found.queries:,} queries × {found.prompts:,} prompts: points of 100, 95 % intervals"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("policy", overflow="fold", min_width=18)
    for heading in ("score", "paired gain", "own", "n"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in found.rows:
        cells = (_spelt(row.score), _gain(row.gain), _share(row.switched))
        table.add_row(*map(Text, (_named(row), *cells, f"{row.score.n:,}")), style="bold" if row.is_deployed else "")
        if row.name == ORACLE:
            table.add_row(*map(Text, _corrected(found)))
    for one in trainings:
        for cells in _tested(one):
            table.add_row(*map(Text, cells))
    return table


def comparison_notes(found: Comparison, trainings: Sequence[Training]) -> Iterator[str]:
    """Yield what the table rests on, and a closing sentence for the default and for each training."""
    yield (
        f"{found.folds}-fold cross-validation: single prompt, scorer and margin are chosen without the queries they "
        "are scored on. The best of several rows is flattered by being the best: read the default's."
    )
    if found.left_out:
        yield f"{found.left_out:,} queries were never tried with their single prompt and are left out."
    unlogged = max(row.unlogged for row in found.rows)
    if unlogged:
        yield f"Up to {unlogged:,} picks a row have no logged outcome and count as the single prompt."
    yield f"Headroom: {found.headroom.verdict}"
    gain = found.deployed.gain
    assert gain is not None
    yield f"The default on queries it has not seen: {_gain(gain)}: {claim(gain)}."
    for one in trainings:
        yield _closing(one)


def comparison_json(found: Comparison, trainings: Sequence[Training]) -> dict[str, object]:
    """Return a comparison for `--json`."""
    return {
        "queries": found.queries,
        "prompts": found.prompts,
        "left_out": found.left_out,
        "folds": found.folds,
        "headroom": headroom_json(found.headroom),
        "rows": [
            {
                "policy": row.name,
                "score": interval_json(row.score),
                "gain": interval_json(row.gain),
                "switched": row.switched,
                "unlogged": row.unlogged,
                "deployed": row.is_deployed,
            }
            for row in found.rows
        ],
        "trainings": [
            {
                "run": one.name,
                "finished": one.figures is not None and one.figures.finished,
                "keeps_static": one.figures is not None and one.figures.keeps_static,
                "test": tested_json(None if one.figures is None else one.figures.tested),
            }
            for one in trainings
        ],
    }


def _tested(one: Training) -> Iterator[tuple[str, ...]]:
    tested = None if one.figures is None else one.figures.tested
    if tested is not None:
        n = f"{tested.gain.n:,}"
        yield (f"{one.name} test: single", _spelt(tested.static), "", "0 %", n)
        policy, gain = _spelt(tested.policy), _gain(tested.gain)
        yield (f"{one.name} test: policy", policy, gain, _share(tested.switched), n)


def _corrected(found: Comparison) -> tuple[str, ...]:
    room = found.headroom.gain
    if room.kind == "interval":
        return "oracle less luck", f"{100 * found.headroom.corrected_oracle:.1f}", str(room), "", f"{room.n:,}"
    bounds = f"{100 * room.low:.1f} to {100 * room.high:+.1f}"
    return "oracle less luck", "?", bounds, "", f"{room.n:,}"


def _closing(one: Training) -> str:
    found = one.figures
    if found is None or not found.finished:
        return f"{one.name} is not finished: nothing of it is shown."
    if found.tested is None:
        why = "keeps the single prompt for every query" if found.keeps_static else "has no test split"
        return f"{one.name} {why}: there is no test to show."
    gain = found.tested.gain
    return f"{one.name} on its own test queries, none of which it was learnt from: {_gain(gain)}: {claim(gain)}."


def _named(row: Row) -> str:
    if row.is_deployed:
        return f"{row.name} (the default)"
    return f"{row.name} (mostly luck)" if row.name == ORACLE else row.name


def _spelt(interval: Interval) -> str:
    return format_interval(interval)


def _gain(interval: Interval | None) -> str:
    return "" if interval is None else points(interval)


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.0f} %"
