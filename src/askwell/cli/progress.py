"""Live progress on standard error: step, best score, calls, tokens, cost, time left; plain lines without a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

from rich.live import Live

from askwell.cli.console import Console, Text
from askwell.cli.progress_line import TimeLeft, fit_line, headline, spent_line
from askwell.engine.progress import Progress
from askwell.engine.replies.first_look import format_finding
from askwell.models.totals import Totals

_REFRESH_S = 0.25
_NOTE_S = 300.0


class LiveProgress:
    """A watcher that draws progress. It calls `totals` when it draws, so that models need not know about it."""

    def __init__(self, console: Console, totals: Callable[[], list[Totals]]) -> None:
        self._console = console
        self._totals = totals
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._time_left = TimeLeft(began=time.monotonic())
        self._drawn = 0.0
        self._printed = -1
        self._noted = 0.0
        self.has_shown_findings = False
        """Whether it has printed what is wrong with the initial prompt's replies."""

    def __enter__(self) -> LiveProgress:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def __call__(self, progress: Progress) -> None:
        for finding in progress.findings:
            self.has_shown_findings = True
            self._console.print(f"Warning: {format_finding(finding)}", highlight=False, markup=False, soft_wrap=True)
        if not self._console.is_terminal:
            self._print_step(progress)
            return
        now = time.monotonic()
        if now - self._drawn < _REFRESH_S:
            return
        self._drawn = now
        left = self._time_left.estimate(progress, now)
        line = fit_line(progress, self._totals(), left_s=left, width=self._console.width - 1)
        self._live.update(Text(line, no_wrap=True, overflow="ellipsis"), refresh=True)

    def note(self, text: str) -> None:
        """Show what the run waits for: instead of the bar, or as a line (repeated notes at most every five minutes)."""
        if self._console.is_terminal:
            self._live.update(Text(text, no_wrap=True, overflow="ellipsis"), refresh=True)
            return
        now = time.monotonic()
        if text.endswith(" done") and now - self._noted < _NOTE_S:
            return
        self._noted = now
        self._console.print(text, highlight=False, markup=False)

    def _print_step(self, progress: Progress) -> None:
        """Print one line per finished step: a log file should not hold a moving bar."""
        if progress.stage in {"step done", "done"} and progress.step != self._printed:
            self._printed = progress.step
            self._console.print(f"{headline(progress)} · {spent_line(self._totals())}", highlight=False)


class Stages:
    """Print one line on standard error for each stage of a training or a comparison."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._last = ""

    def __call__(self, stage: str, done: int, total: int) -> None:
        del done
        if stage != self._last:
            self._last = stage
            self._console.print(Text(stage + (f": {total:,} calls" if total else "")))
