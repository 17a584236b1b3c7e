"""The progress of a run as one line that fits a terminal: less important figures are dropped where it is narrow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from askwell.engine.progress import Progress
from askwell.models.totals import Totals

_BAR = 16
"""Characters of the bar."""
_SEPARATOR = " · "


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A part of the line. Of those that do not fit, the one with the highest rank is dropped first."""

    text: str
    rank: int


@dataclass(slots=True, kw_only=True)
class TimeLeft:
    """Estimate a run's time left: by whole steps, as a race may end a step long before its calls are all made."""

    began: float
    _steps: dict[int, float] = field(default_factory=dict[int, float])
    """Step -> the time at which it was first seen to be finished."""

    def estimate(self, progress: Progress, now: float) -> float | None:
        """Return the seconds left, or None before the first step (or the first call of an evaluation) is done."""
        if not progress.steps:
            share = _share_of_stage(progress)
            return (now - self.began) * (1 - share) / share if share else None
        self._steps.setdefault(progress.step, now)
        first, since = next(iter(self._steps.items()))
        if progress.step == first or progress.step >= progress.steps:
            return None
        in_a_step = (self._steps[progress.step] - since) / (progress.step - first)
        return max(0.0, in_a_step * (progress.steps - progress.step) - (now - self._steps[progress.step]))


def fit_line(progress: Progress, totals: Sequence[Totals], *, left_s: float | None, width: int) -> str:
    """Return the line in at most `width` characters, if its most important figure fits."""
    figures = [*_state(progress), *_spending(totals)]
    if left_s is not None:
        figures.append(Figure(text=f"~{format_seconds(left_s)} left", rank=1))
    bar = draw_bar(share_of_run(progress)) + " "
    while True:
        line = _SEPARATOR.join(figure.text for figure in figures)
        if len(bar) + len(line) <= width:
            return bar + line
        last = max(figures, key=lambda figure: figure.rank)
        if bar and last.rank < 4:
            bar = ""
        elif len(figures) > 1:
            figures.remove(last)
        else:
            return line[: max(0, width - 1)] + "…" if len(line) > width else line


def headline(progress: Progress) -> str:
    """Describe the state of a run: `step 3/18 · dev 71.2`."""
    return _SEPARATOR.join(figure.text for figure in _state(progress))


def share_of_run(progress: Progress) -> float:
    """Return the share of the run that is done, 0..1: the initial prompt, the steps and the test count alike."""
    part = _share_of_stage(progress)
    if not progress.steps:
        return part
    if progress.stage == "done":
        return 1.0
    finished = progress.step + 1 if len(progress.trajectory) else 0
    if progress.stage == "testing the winner":
        finished = progress.steps + 1
    return min(1.0, (finished + part) / (progress.steps + 2))


def draw_bar(share: float) -> str:
    """Draw a share of 0..1 as a bar."""
    filled = round(_BAR * share)
    return "━" * filled + "╌" * (_BAR - filled)


def spent_line(totals: Sequence[Totals]) -> str:
    """Format what was spent: `1,234 calls · 56,789 tokens · $0.12`."""
    return _SEPARATOR.join(figure.text for figure in _spending(totals))


def format_seconds(seconds: float) -> str:
    """Format a duration: `42 s`, `3 min 05 s`, `2 h 10 min`."""
    whole = int(seconds + 0.5)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _share_of_stage(progress: Progress) -> float:
    return progress.rollouts_done / progress.rollouts_total if progress.rollouts_total else 0.0


def _state(progress: Progress) -> list[Figure]:
    """Return the step, what is done in it, and the best dev score."""
    best = [Figure(text=f"dev {100 * progress.trajectory.best.score:.1f}", rank=2)] if len(progress.trajectory) else []
    if not progress.steps:
        calls = f" {progress.rollouts_done:,}/{progress.rollouts_total:,}" if progress.rollouts_total else ""
        stage = "initial prompt scored" if progress.stage == "step done" else progress.stage
        return [Figure(text=f"{stage}{calls}", rank=0), *best]
    step, _, stage = progress.stage.rpartition(": ")
    number = step.removeprefix("step ") if step.startswith("step ") else str(progress.step)
    text = f"step {number}/{progress.steps}"
    if stage == "step done":
        return [Figure(text=f"{text} done", rank=0), *best]
    return [Figure(text=text, rank=0), Figure(text=stage, rank=5), *best]


def _spending(totals: Sequence[Totals]) -> list[Figure]:
    if not totals:
        return []
    calls = sum(total.calls for total in totals)
    tokens = sum(total.usage.prompt_tokens + total.usage.completion_tokens for total in totals)
    figures = [Figure(text=f"{calls:,} calls", rank=4), Figure(text=f"{tokens:,} tokens", rank=6)]
    cost = sum(total.usage.cost_usd for total in totals if total.usage.cost_usd is not None)
    if cost:
        bound = "+" if any(total.unpriced_calls for total in totals) else ""
        figures.append(Figure(text=f"${cost:.4f}{bound}", rank=3))
    return figures
