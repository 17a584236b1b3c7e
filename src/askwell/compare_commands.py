"""What `askwell compare` does: all baselines and scorers on logged outcomes, and finished trainings beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from rich.console import Console
from rich.text import Text

from askwell import tables
from askwell.compare_tables import Training, comparison_json, comparison_notes, comparison_table
from askwell.offline import is_file, run_log
from askwell.qpo.compare import SCORERS, compare
from askwell.qpo.table import table_of
from askwell.qpo.worth import dense_part
from askwell.query_commands import Sourced
from askwell.runlog import folders
from askwell.runlog.fold import read_header
from askwell.runlog.store import SqliteStore
from askwell.train_commands import Stages
from askwell.train_job import figures


def comparison(which: Sourced, *, scorers: Sequence[str], as_json: bool) -> None:
    """Compare on logged outcomes; a training stands for the sources it learnt from, and its test joins the table."""
    which, trainings = _resolved(which)
    table = dense_part(table_of(which.read()))
    stages = Stages()
    found = compare(
        table, seed=which.seed, scorers=scorers or SCORERS, show=lambda name: stages(f"comparing: {name}", 0, 0)
    )
    if as_json:
        tables.print_json(comparison_json(found, trainings))
        return
    out = Console()
    out.print(comparison_table(found, trainings))
    for line in comparison_notes(found, trainings):
        out.print(Text(line))


def _resolved(which: Sourced) -> tuple[Sourced, list[Training]]:
    """Put a training's own sources in its place: what it labelled itself was chosen by its policy."""
    sources: dict[str, None] = {}
    trainings: list[Training] = []
    for source in which.sources:
        training = None if is_file(source) else _training(source, which.folder)
        if training is None:
            sources[source] = None
        else:
            trainings.append(training)
            sources |= dict.fromkeys(training.sources)
    return replace(which, sources=tuple(sources)), trainings


def _training(source: str, folder: Path) -> Training | None:
    with SqliteStore(run_log(source, folder), read_only=True) as store:
        header = read_header(store)
        if not folders.is_training(header):
            return None
        policy = cast("Mapping[str, object]", cast("Mapping[str, object]", header["config"])["policy"])
        return Training(
            name=Path(source).name,
            sources=tuple(cast("Sequence[str]", policy["sources"])),
            figures=figures(store),
        )
