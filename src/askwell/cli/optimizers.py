"""`askwell optimizers`: list the algorithms that can propose prompts."""

from __future__ import annotations

from dataclasses import asdict

import click
from rich.table import Table

from askwell.cli import tables
from askwell.cli.console import Console, Text
from askwell.cli.flags import JSON_FLAG, reports_errors
from askwell.optimizers.presets import PRESETS


@click.command()
@JSON_FLAG
@reports_errors
def optimizers(*, as_json: bool) -> None:
    """List the values of --optimizer: published optimizers, references and controls."""
    if as_json:
        tables.print_json([
            {"optimizer": name, "summary": preset.summary, "settings": asdict(preset.settings)}
            for name, preset in PRESETS.items()
        ])  # fmt: skip
        return
    summaries = {name: preset.summary for name, preset in PRESETS.items()}
    table = Table("optimizer", "what it does")
    for name, summary in summaries.items():
        table.add_row(name, Text(summary))
    columns = [
        tables.Column(heading="optimizer", cells=list(summaries), rank=0, is_text=True),
        tables.Column(heading="what it does", cells=list(summaries.values()), rank=1, is_text=True),
    ]
    tables.print_columns(Console(), columns, table=table)
