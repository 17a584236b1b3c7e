"""Live progress on standard error: step, best score, calls, tokens, cost, time left; plain lines without a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from askwell.core.protocols import ChatModel
from askwell.core.visible import visible
from askwell.engine.progress import Progress
from askwell.engine.replies.first_look import format_finding
from askwell.models.parts import parts_of
from askwell.models.totals import Totals
from askwell.models.wrappers.meter import Metered
from askwell.report.live.progress_line import TimeLeft, draw_bar, fit_line, headline, spent_line

_REFRESH_S = 0.25
_NOTE_S = 300.0


class _LiveLine:
    """A line at the foot of a terminal, drawn while the context is open; elsewhere nothing is drawn."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._drawn = 0.0

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()


class LiveProgress(_LiveLine):
    """A watcher that draws progress. It calls `totals` when it draws, so that models need not know about it."""

    def __init__(self, console: Console, totals: Callable[[], list[Totals]], *, with_findings: bool = True) -> None:
        """Take the console, the models' totals, and whether findings are printed; the `logging` tells them too."""
        super().__init__(console)
        self._totals = totals
        self._with_findings = with_findings
        self._time_left = TimeLeft(began=time.monotonic())
        self._printed = -1
        self._noted = 0.0
        self.has_shown_findings = False
        """Whether it has printed what is wrong with the initial prompt's replies."""

    def __call__(self, progress: Progress) -> None:
        for finding in progress.findings if self._with_findings else ():
            self.has_shown_findings = True
            self._console.print(Text(visible(f"Warning: {format_finding(finding)}")), soft_wrap=True)
        if not self._console.is_terminal:
            self._print_step(progress)
            return
        now = time.monotonic()
        if now - self._drawn < _REFRESH_S:
            return
        self._drawn = now
        left = self._time_left.estimate(progress, now)
        line = fit_line(progress, self._totals(), left_s=left, width=self._console.width - 1)
        self._live.update(Text(visible(line), no_wrap=True, overflow="ellipsis"), refresh=True)

    def note(self, text: str) -> None:
        """Show what the run waits for: instead of the bar, or as a line (repeated notes at most every five minutes)."""
        if self._console.is_terminal:
            self._live.update(Text(visible(text), no_wrap=True, overflow="ellipsis"), refresh=True)
            return
        now = time.monotonic()
        if text.endswith(" done") and now - self._noted < _NOTE_S:
            return
        self._noted = now
        self._console.print(Text(visible(text)))

    def _print_step(self, progress: Progress) -> None:
        """Print one line per finished step: a log file should not hold a moving bar."""
        if progress.stage in {"step done", "done"} and progress.step != self._printed:
            self._printed = progress.step
            self._console.print(Text(visible(f"{headline(progress)} · {spent_line(self._totals())}")))


class Stages(_LiveLine):
    """Displays the stages of a training or a comparison: a line for each, and at a terminal what is done of it."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._last = ""

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage != self._last:
            self._last = stage
            self._live.update("", refresh=self._live.is_started)
            self._console.print(Text(visible(stage)))
        now = time.monotonic()
        if total and self._live.is_started and (done >= total or now - self._drawn >= _REFRESH_S):
            self._drawn = now
            self._live.update(Text(f"{draw_bar(min(1.0, done / total))} {done:,}/{total:,}"), refresh=True)


def live_progress(console: Console, models: Sequence[ChatModel], *, with_findings: bool = True) -> LiveProgress:
    """Return a watcher that draws progress, with what the models that are counted have spent."""
    counted = [model for model in models if isinstance(model, Metered)]

    def totals() -> list[Totals]:
        return [model.totals for model in counted]

    live = LiveProgress(console, totals, with_findings=with_findings)
    for model in models:
        batched = parts_of(model).batches
        if batched is not None:
            batched.notify = live.note
    return live
