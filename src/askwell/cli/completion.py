"""Shell completion of names: runs, optimizers, metrics and bundled data. click completes commands, flags and files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

import click
from click.shell_completion import CompletionItem
from click.types import StringParamType


def complete_names(command: click.Command) -> None:
    """Make the arguments and flags of a command, and of those below it, complete the names that they take."""
    for parameter in command.params:
        names = _NAMES.get(parameter.name or "")
        if names is not None and type(parameter.type) is StringParamType:
            parameter.type = _Name(names)
    if isinstance(command, click.Group):
        for below in command.commands.values():
            complete_names(below)


class _Name(StringParamType):
    """A text for which a shell proposes names; any other text is taken too."""

    def __init__(self, names: Callable[[click.Context], Iterable[str]]) -> None:
        self.names = names

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        del param
        return [CompletionItem(name) for name in self.names(ctx) if name.startswith(incomplete)]


def _runs(context: click.Context) -> list[str]:
    from askwell.runlog import folders

    folder = Path(context.params.get("folder") or "runs")
    return sorted({*folders.run_names(folder), *folders.selection_policies(folder)})


def _optimizers(_context: click.Context) -> Iterable[str]:
    from askwell.optimizers.presets import PRESETS

    return PRESETS


def _metrics(_context: click.Context) -> Iterable[str]:
    from askwell.tasks.metrics import ANSWER_TYPES

    return ANSWER_TYPES


def _data(_context: click.Context) -> list[str]:
    from askwell.tasks import bundled
    from askwell.tasks.catalog import BENCHMARKS
    from askwell.tasks.load import BENCH, BUNDLED

    return [*(BENCH + name for name in BENCHMARKS), *(BUNDLED + name for name in bundled.task_names())]


_NAMES: Mapping[str, Callable[[click.Context], Iterable[str]]] = MappingProxyType({
    "run": _runs,
    "first": _runs,
    "second": _runs,
    "sources": _runs,
    "resume": _runs,
    "optimizer": _optimizers,
    "metric": _metrics,
    "data": _data,
})  # fmt: skip
"""Name of a parameter -> the names that it takes."""
