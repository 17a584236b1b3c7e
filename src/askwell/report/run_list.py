"""The list of a folder's runs: one summary per run, read from its log."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from askwell.core.errors import AskwellError
from askwell.report import run_report
from askwell.runlog.bodies import TRAINING_RESULT
from askwell.runlog.codec import Body
from askwell.runlog.fold import read_header, read_result, read_spend
from askwell.runlog.folders import is_training, log_path, run_names, selection_policies
from askwell.runlog.reading import read_events
from askwell.runlog.store import RunStore, SqliteStore


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """One line of `askwell runs`. `problem` says why a log could not be read, and is empty otherwise."""

    name: str
    task: str = ""
    finished: bool = False
    step: int = 0
    dev: float | None = None
    test: float | None = None
    target_calls: int = 0
    problem: str = ""


def summarize_runs(folder: Path) -> list[RunSummary]:
    """Summarize every run in a folder, by name; a log that cannot be read is listed with its problem.

    A policy that only selects among logged prompts called no model and has no log: it is listed as finished.
    """
    rows = [_summarize(folder, name) for name in run_names(folder)]
    rows += [
        RunSummary(name=name, task="policy that selects among logged prompts", finished=True)
        for name in selection_policies(folder)
    ]
    return sorted(rows, key=lambda row: row.name)


def _summarize_training(name: str, store: RunStore) -> RunSummary:
    """Summarize a training: dev and test scores are those of its policy, None if it has none."""
    header = read_header(store)
    loops = [event.body for event in read_events(store, kinds=["loop"])]
    result = read_result(store, TRAINING_RESULT)
    tested = cast("Body | None", result["tested"]) if result else None
    dev = [cast("float", cast("Body", loops[-1][part])["estimate"]) for part in ("static", "guarded") if loops]
    return RunSummary(
        name=name,
        task=f"policy for {cast('Body', header['config']).get('name', '')}",
        finished=result is not None,
        step=len(loops),
        dev=sum(dev) if dev else None,
        test=cast("float", cast("Body", tested["policy"])["estimate"]) if tested else None,
        target_calls=read_spend(store)["target"].calls,
    )


def _summarize(folder: Path, name: str) -> RunSummary:
    try:
        with SqliteStore(log_path(folder, name), read_only=True) as store:
            header = read_header(store)
            scored = run_report.build_report(store, with_replies=False)
            training = _summarize_training(name, store) if is_training(header) else None
    except AskwellError as error:
        return RunSummary(name=name, problem=str(error))
    task = str(cast("Body", header["config"]).get("name", ""))
    if training is not None:
        return training
    if scored is None:
        return RunSummary(name=name, task=task)
    return RunSummary(
        name=name,
        task=task,
        finished=scored.finished,
        step=scored.curve[-1].step if scored.curve else 0,
        dev=scored.best.dev.estimate if scored.best.dev else None,
        test=scored.best.test.estimate if scored.best.test else None,
        target_calls=scored.spend["target"].calls,
    )
