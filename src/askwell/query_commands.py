"""What the query-level commands do, once the flags are read: what was logged, and whether a policy is worth it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from askwell import tables
from askwell.errors import ConfigError, DataError
from askwell.offline import read_offline, refuse_overlap
from askwell.qpo.data import Cells, Summary, summary
from askwell.qpo.headroom import Headroom
from askwell.qpo.table import table_of
from askwell.qpo.worth import Worth, judge
from askwell.report import interval_json
from askwell.stats import format_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Sourced:
    """Which offline data are meant, as the flags say it."""

    sources: tuple[str, ...]
    columns: dict[str, str]
    target: str | None
    folder: Path
    held_out: tuple[str, ...]
    seed: int

    def read(self) -> Cells:
        """Read and merge the sources. Raises `DataError` where a held-out query is among them."""
        found = self._of(self.sources)
        if self.held_out:
            refuse_overlap(found, self._of(self.held_out))
        return found

    def _of(self, sources: Sequence[str]) -> Cells:
        return read_offline(sources, folder=self.folder, columns=self.columns, target=self.target)


def sourced(sources: tuple[str, ...], given: dict[str, Any]) -> Sourced:
    """Gather the flags that say which data are meant."""
    columns: dict[str, str] = {}
    for pair in given.get("columns", ()):
        name, equals, column = pair.partition("=")
        if not (equals and name and column):
            raise ConfigError(f"--column {pair!r} is not NAME=COLUMN; give for example --column query=question")
        columns[name] = column
    return Sourced(
        sources=sources,
        columns=columns,
        target=given.get("target_model"),
        folder=Path(given.get("folder") or "runs"),
        held_out=given.get("held_out", ()),
        seed=given.get("seed", 0),
    )


def experiences(which: Sourced, *, as_json: bool) -> None:
    """Say what the data hold, and close with whether a policy is worth training on them."""
    cells = which.read()
    found = summary(cells)
    worth, problem = _judged(cells, which.seed)
    if as_json:
        tables.print_json(
            {**asdict(found), "headroom": None if worth is None else worth_json(worth), "problem": problem}
        )
        return
    out = Console()
    for label, value in _facts(found):
        out.print(Text(f"{label:20} {value}"))
    for warning in found.warnings:
        out.print(Text(f"Note: {warning}."))
    out.print(Text(worth.verdict if worth is not None else problem))


def headroom(which: Sourced, *, as_json: bool) -> None:
    """Measure headroom and say in one closing sentence what it means."""
    worth = judge(table_of(which.read()), seed=which.seed)
    if as_json:
        tables.print_json(worth_json(worth))
        return
    out = Console()
    for label, value in headroom_facts(worth):
        out.print(Text(f"{label:34} {value}"))
    out.print(Text(worth.verdict))


def headroom_facts(worth: Worth) -> list[tuple[str, str]]:
    """Return what was measured, line by line; scores in points of 100."""
    room, shares = worth.headroom, worth.headroom.shares
    facts = [
        ("queries × prompts", f"{room.queries:,} × {room.prompts:,}"),
        ("best static prompt", repr(room.static_prompt)),
        ("its score", format_interval(room.static)),
        ("naive oracle (flattered by luck)", f"{100 * room.naive_oracle:.1f}"),
        _corrected(room),
        (
            "variance of one answer",
            f"query {_percent(shares.query)}, prompt {_percent(shares.prompt)}, "
            f"query × prompt {_percent(shares.interaction)}, noise {_percent(shares.noise)}",
        ),
    ]
    if worth.chooser is not None:
        facts.append(("chooser on unseen queries", format_interval(worth.chooser, signed=True)))
    return facts


def worth_json(worth: Worth) -> dict[str, object]:
    """Return headroom, and what a chooser gains, for `--json`."""
    return {
        **headroom_json(worth.headroom),
        "chooser": interval_json(worth.chooser),
        "worth_it": worth.worth_it,
        "verdict": worth.verdict,
    }


def headroom_json(room: Headroom) -> dict[str, object]:
    """Return headroom for `--json`; a share that can't be told is null."""
    shares = {name: None if math.isnan(value) else value for name, value in asdict(room.shares).items()}
    return {
        "queries": room.queries,
        "prompts": room.prompts,
        "static_prompt": room.static_prompt,
        "static": interval_json(room.static),
        "naive_oracle": room.naive_oracle,
        "method": room.method,
        "gain": asdict(room.gain),
        "corrected_oracle": room.corrected_oracle,
        "shares": shares,
        "worth_it": room.worth_it,
        "verdict": room.verdict,
    }


def _judged(cells: Cells, seed: int) -> tuple[Worth | None, str]:
    try:
        return judge(table_of(cells), seed=seed), ""
    except DataError as error:
        return None, f"Headroom can't be measured: {error}."


def _facts(found: Summary) -> list[tuple[str, str]]:
    merged = f"; {found.copies:,} copies left out" if found.copies else ""
    merged += f", {found.conflicts:,} of them with another score" if found.conflicts else ""
    return [
        ("target model", ", ".join(repr(name) for name in found.targets if name) or "not named"),
        ("queries", f"{found.queries:,}"),
        ("prompts", f"{found.prompts:,}"),
        ("pairs", f"{found.cells:,}, {100 * found.density:.1f} % of all possible; {found.draws:,} draws{merged}"),
        ("pairs drawn again", f"{100 * found.repeated:.1f} %"),
        ("balance of prompts", f"{found.balance:.2f} (1 = each tried equally often)"),
        ("mean score", f"{100 * found.success:.1f}; {found.failures:,} pairs never right"),
    ]


def _corrected(room: Headroom) -> tuple[str, str]:
    if room.gain.kind == "interval":
        return "oracle, luck taken out", f"{100 * room.corrected_oracle:.1f}, a gain of {room.gain}"
    return "oracle, luck taken out", (
        f"{100 * room.corrected_oracle:.1f} under a model (no repeats); the gain is within "
        f"[{100 * room.gain.low:.1f}, {100 * room.gain.high:.1f}]"
    )


def _percent(share: float) -> str:
    return "?" if math.isnan(share) else f"{100 * share:.0f} %"
