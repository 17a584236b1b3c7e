"""The progress of a run that a Python program starts: on its terminal, passed to its own function, or not shown.

A terminal shows the same line as the command line does, on standard error. rich is imported only there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

from askwell.core.errors import ConfigError
from askwell.core.protocols import ChatModel
from askwell.engine.progress import Progress, Watch

ShowStage = Callable[[str, int, int], None]
"""`show(stage, parts done in it, parts in it)`; 0 parts for a stage that is not counted."""


@contextmanager
def watching(watch: Watch | bool | None, models: Sequence[ChatModel]) -> Generator[Watch]:
    """Return what a run calls with its progress: a function as it is; for True, a line on the terminal, if any."""
    if callable(watch):
        yield watch
    elif not _is_terminal_wanted("watch", watch):
        yield _ignore_progress
    else:
        from rich.console import Console

        from askwell.report.live.progress import live_progress

        # The findings are logged as warnings, which Python writes to standard error by itself.
        with live_progress(Console(stderr=True), models, with_findings=False) as live:
            yield live


@contextmanager
def showing(show: ShowStage | bool | None) -> Generator[ShowStage]:
    """Return what a training calls with its stages: as `watching` does."""
    if callable(show):
        yield show
    elif not _is_terminal_wanted("show", show):
        yield _ignore_stage
    else:
        from rich.console import Console

        from askwell.report.live.progress import Stages

        with Stages(Console(stderr=True)) as stages:
            yield stages


def _is_terminal_wanted(name: str, value: object) -> bool:
    if value is not None and not isinstance(value, bool):
        raise ConfigError(f"{name}={value!r}; expected a function, True (a line on a terminal) or False (nothing)")
    return bool(value) and sys.stderr.isatty()


def _ignore_progress(progress: Progress) -> None:
    del progress


def _ignore_stage(stage: str, done: int, total: int) -> None:
    del stage, done, total
