"""`askwell compare`: prompt policies on logged outcomes, with finished trainings beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import click

from askwell.cli import tables
from askwell.cli.compare_tables import ComparedTraining, comparison_json, comparison_notes, comparison_table
from askwell.cli.console import Console, Text
from askwell.cli.flags import JSON_FLAG, flags, reports_errors
from askwell.cli.sources import HELD_OUT_FLAG, SEED_FLAG, SOURCE_FLAGS, OutcomeSources, outcome_sources
from askwell.policies.data.offline import find_run_log, is_record_file
from askwell.policies.data.table import build_table
from askwell.policies.offline_eval.compare import SCORERS, compare_policies
from askwell.policies.offline_eval.train_or_not import drop_sparse_prompts
from askwell.policies.training_figures import read_figures
from askwell.report.live.progress import Stages
from askwell.runlog import folders
from askwell.runlog.bodies import TRAINING_SETTINGS
from askwell.runlog.fold import read_header
from askwell.runlog.reading import check_shape, located
from askwell.runlog.store import SqliteStore


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="RUN|FILE...")
@click.option(
    "--scorer",
    "scorers",
    multiple=True,
    metavar="NAME",
    help="Compare only this scorer (multitask, trees or knn); may be repeated.",
)
@flags(SOURCE_FLAGS, [HELD_OUT_FLAG, SEED_FLAG, JSON_FLAG])
@reports_errors
def compare(sources: tuple[str, ...], *, scorers: tuple[str, ...], as_json: bool, **values: Any) -> None:
    """Compare prompt policies on logged outcomes: baseline prompt, random, oracle, every scorer.

    Cross-validated over queries, with paired intervals; no model is called. A finished training among the RUNs stands
    for the sources it was trained on, and its test is added to the table.
    """
    selected, trainings = _resolve_trainings(outcome_sources(sources, **values))
    with Stages(Console(stderr=True)) as stages:
        comparison = compare_policies(
            drop_sparse_prompts(build_table(selected.read())),
            seed=selected.seed,
            scorers=scorers or SCORERS,
            show=lambda name: stages(f"comparing: {name}", 0, 0),
        )
    if as_json:
        tables.print_json(comparison_json(comparison, trainings))
        return
    out = Console()
    out.print(comparison_table(comparison, trainings))
    for line in comparison_notes(comparison, trainings):
        out.print(Text(line))


def _resolve_trainings(selected: OutcomeSources) -> tuple[OutcomeSources, list[ComparedTraining]]:
    """Replace each training by its own sources: the pairs it labelled itself were chosen by its policy."""
    sources: dict[str, None] = {}
    trainings: list[ComparedTraining] = []
    for source in selected.sources:
        training = None if is_record_file(source) else _training(source, selected.folder)
        if training is None:
            sources[source] = None
        else:
            trainings.append(training)
            sources |= dict.fromkeys(training.sources)
    return replace(selected, sources=tuple(sources)), trainings


def _training(source: str, folder: Path) -> ComparedTraining | None:
    with SqliteStore(find_run_log(source, folder), read_only=True) as store:
        header = read_header(store)
        if not folders.is_training(header):
            return None
        with located(store, 0):
            check_shape(header["config"], TRAINING_SETTINGS)
        policy = cast("Mapping[str, object]", cast("Mapping[str, object]", header["config"])["policy"])
        return ComparedTraining(
            name=Path(source).name,
            sources=tuple(cast("Sequence[str]", policy["sources"])),
            figures=read_figures(store),
        )
