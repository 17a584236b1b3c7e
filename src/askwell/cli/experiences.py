"""`askwell experiences`: summarize logged outcomes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from askwell.cli import tables
from askwell.cli.console import Console, Text
from askwell.cli.flags import JSON_FLAG, flags, reports_errors
from askwell.cli.sources import HELD_OUT_FLAG, SEED_FLAG, SOURCE_FLAGS, outcome_sources
from askwell.core.errors import AskwellError
from askwell.policies.data.outcomes import PairOutcomes
from askwell.policies.data.summary import OutcomeSummary, summarize


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="RUN|FILE...")
@flags(SOURCE_FLAGS, [HELD_OUT_FLAG, SEED_FLAG, JSON_FLAG])
@reports_errors
def experiences(sources: tuple[str, ...], *, as_json: bool, **values: Any) -> None:
    """Summarize logged outcomes: queries, prompts, density, balance, repeats, headroom.

    Sources are runs and files of records (.jsonl, .csv, .parquet, each record a query, a prompt and a score); several
    are merged.
    """
    selected = outcome_sources(sources, **values)
    outcomes = selected.read()
    summary = summarize(outcomes)
    headroom, verdict = _measure_headroom(outcomes, selected.seed)
    if as_json:
        problem = verdict if headroom is None else ""
        tables.print_json({**outcome_summary_json(summary), "headroom": headroom, "problem": problem})
        return
    out = Console()
    for label, value in _rows(summary):
        out.print(Text(f"{label:20} {value}"))
    for warning in summary.warnings:
        out.print(Text(f"Note: {warning}."))
    out.print(Text(verdict))


def outcome_summary_json(summary: OutcomeSummary) -> dict[str, object]:
    """Return the summary for `--json`."""
    keys = {"pairs": "cells", "samples": "draws"}  # the keys of `--json` are stable; the fields have clearer names
    return {keys.get(name, name): value for name, value in asdict(summary).items()}


def _measure_headroom(outcomes: PairOutcomes, seed: int) -> tuple[dict[str, object] | None, str]:
    """Return headroom for `--json` and its verdict; None and the reason if it can't be measured."""
    try:
        from askwell.cli.headroom_tables import advice_json
        from askwell.policies.data.table import build_table
        from askwell.policies.offline_eval.train_or_not import advise_training

        advice = advise_training(build_table(outcomes), seed=seed)
    except AskwellError as error:
        return None, f"Headroom can't be measured: {error}."
    return advice_json(advice), advice.verdict


def _rows(summary: OutcomeSummary) -> list[tuple[str, str]]:
    merged = f"; {summary.copies:,} copies left out" if summary.copies else ""
    merged += f", {summary.conflicts:,} of them with another score" if summary.conflicts else ""
    return [
        ("target model", ", ".join(repr(name) for name in summary.targets if name) or "not named"),
        ("queries", f"{summary.queries:,}"),
        ("prompts", f"{summary.prompts:,}"),
        (
            "pairs",
            f"{summary.pairs:,}, {100 * summary.density:.1f} % of all possible; {summary.samples:,} samples{merged}",
        ),
        ("repeated pairs", f"{100 * summary.repeated:.1f} %"),
        ("balance of prompts", f"{summary.balance:.2f} (1 = each tried equally often)"),
        ("mean score", f"{100 * summary.success:.1f}; {summary.failures:,} pairs never right"),
    ]
