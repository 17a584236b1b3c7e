"""Live progress on standard error: step, best score, calls, tokens, cost, time left; plain lines without a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.text import Text

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
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[spent]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            auto_refresh=False,
        )
        self._task = self._bars.add_task("starting", total=None, spent="", left="")
        self._live = Live(self._bars, console=console, auto_refresh=False, transient=True)
        self._begun = time.monotonic()
        self._first_step: int | None = None
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
        self._bars.update(
            self._task,
            description=headline(progress),
            completed=progress.rollouts_done,
            total=progress.rollouts_total or None,
            spent=spent_line(self._totals()),
            left=self._time_left(progress, now),
        )
        self._live.refresh()

    def note(self, text: str) -> None:
        """Show what the run waits for: instead of the bar, or as a line (repeated notes at most every five minutes)."""
        if self._console.is_terminal:
            self._bars.update(self._task, description=text)
            self._live.refresh()
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

    def _time_left(self, progress: Progress, now: float) -> str:
        if self._first_step is None:
            self._first_step = progress.step
        part = progress.rollouts_done / progress.rollouts_total if progress.rollouts_total else 0.0
        made = progress.step - self._first_step + part
        ahead = progress.steps - progress.step - part
        if made <= 0 or ahead <= 0:
            return ""
        seconds = (now - self._begun) / made * ahead
        return f"~{format_seconds(seconds)} left"


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


def headline(progress: Progress) -> str:
    """Describe the state of a run in one line: `step 3/18: scoring 8 prompts · best 71.2`."""
    if not progress.steps:
        return progress.stage
    best = f" · best dev {100 * progress.trajectory.best.score:.1f}" if len(progress.trajectory) else ""
    if progress.stage == "step done":
        stage = f"step {progress.step} done"
    else:
        stage = progress.stage if progress.stage.startswith("step ") else f"step {progress.step}: {progress.stage}"
    return f"{stage} (of {progress.steps}){best}"


def spent_line(totals: list[Totals]) -> str:
    """Format what was spent: `1,234 calls · 56,789 tokens · $0.12`."""
    calls = sum(total.calls for total in totals)
    tokens = sum(total.usage.prompt_tokens + total.usage.completion_tokens for total in totals)
    costs = [total.usage.cost_usd for total in totals if total.usage.cost_usd is not None]
    money = f" · ${sum(costs):.4f}" if sum(costs) else ""
    bound = "+" if money and any(total.unpriced_calls for total in totals) else ""
    return f"{calls:,} calls · {tokens:,} tokens{money}{bound}"


def format_seconds(seconds: float) -> str:
    """Format a duration: `42 s`, `3 min 05 s`, `2 h 10 min`."""
    whole = int(seconds + 0.5)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
