"""Charts of scores as inline SVG: intervals on one scale, the learning curve of a run, the gain of each loop.

Every mark has a title, which browsers show on hover, so no script is needed. Colours come from the page's style sheet.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from askwell.core.stats import Interval, format_interval
from askwell.report.pages.markup import Html, el

WIDTH = 720
_LEFT, _RIGHT, _TOP, _BOTTOM = 120, 20, 14, 28
_ROW = 34
_HEIGHT = 260
_LEAST_RANGE = 0.1
"""Smallest range of a vertical axis, so that tiny differences do not look large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Maps values from `low` to `high` to pixels from `start` to `end`; a vertical axis has `start` > `end`."""

    low: float
    high: float
    start: float
    end: float

    def pixel(self, value: float) -> float:
        """Return the pixel of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartRow:
    """One row of an interval chart."""

    name: str
    interval: Interval
    is_main: bool = True
    """Whether it has the accent colour; the comparison is grey."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """One candidate at its step; the title is shown on hover."""

    step: int
    score: float
    title: str
    partial: bool = False
    is_winner: bool = False
    id: str = ""
    """Anchor of the dot; empty for none."""
    link: str = ""
    """Anchor that the dot links to; empty for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Gains by loop, drawn in one colour."""

    name: str
    gains: Sequence[tuple[int, Interval]]
    is_main: bool = True
    """Whether it has the accent colour; the comparison is grey."""


def axis_ticks(low: float, high: float, *, most: int = 6) -> list[float]:
    """Return round values that span low..high: the first is at most `low`, the last at least `high`."""
    target_width = max(high - low, 1e-9) / most
    scale = 10.0 ** math.floor(math.log10(target_width))
    width = next(factor * scale for factor in (1.0, 2.0, 2.5, 5.0, 10.0) if factor * scale >= target_width * (1 - 1e-9))
    first, last = math.floor(low / width + 1e-9), math.ceil(high / width - 1e-9)
    return [index * width for index in range(first, max(last, first + 1) + 1)]


def interval_chart(rows: Sequence[ChartRow]) -> Html:
    """Draw scores with their intervals on the scale 0..100, one row each."""
    height = _TOP + _ROW * len(rows) + _BOTTOM
    x = Axis(low=0.0, high=1.0, start=_LEFT, end=WIDTH - _RIGHT)
    marks = [_x_mark(x, value, _TOP, height - _BOTTOM) for value in axis_ticks(0.0, 1.0, most=5)]
    for index, row in enumerate(rows):
        y = _TOP + _ROW * (index + 0.5)
        low, middle, high = (x.pixel(value) for value in (row.interval.low, row.interval.estimate, row.interval.high))
        colour = "main" if row.is_main else "comparison"
        marks += [
            el("text", row.name, x=_LEFT - 12, y=y + 4, text_anchor="end", class_="name"),
            el(
                "g",
                el("title", f"{row.name}: {format_interval(row.interval)}, {row.interval.n} examples"),
                el("line", x1=low, x2=high, y1=y, y2=y, stroke_width=4, class_=colour),
                el("circle", cx=middle, cy=y, r=6, class_=f"dot {colour}"),
            ),
        ]
    return _svg(height, marks, "; ".join(f"{row.name} {format_interval(row.interval)}" for row in rows))


def curve_chart(dots: Sequence[Dot], best: Sequence[tuple[int, float]], *, label: str) -> Html:
    """Draw a learning curve: each candidate at its step, and the best full score so far as a line."""
    steps = [dot.step for dot in dots] + [step for step, _ in best]
    values = [dot.score for dot in dots] + [score for _, score in best]
    top = max(*values, _LEAST_RANGE)
    grid = axis_ticks(min(*values, top - _LEAST_RANGE), top)
    y = Axis(low=grid[0], high=grid[-1], start=_HEIGHT - _BOTTOM, end=_TOP)
    x = Axis(low=-0.5, high=max(*steps, 1) + 0.5, start=_LEFT / 2, end=WIDTH - _RIGHT)
    marks = [*(_y_mark(y, value) for value in grid), *_step_labels(x, max(steps))]
    marks += [_draw_dot(dot, x, y) for dot in dots if not dot.is_winner]
    corners = " ".join(f"{x.pixel(step):.1f},{y.pixel(score):.1f}" for step, score in best)
    marks.append(el("polyline", points=corners, class_="line main"))
    for step, score in best:
        title = f"best after step {step}: {100 * score:.1f}"
        marks.append(el("circle", el("title", title), cx=x.pixel(step), cy=y.pixel(score), r=3, class_="dot main"))
    marks += [_draw_dot(dot, x, y) for dot in dots if dot.is_winner]  # last, so that nothing covers it
    return _svg(_HEIGHT, marks, label)


def _draw_dot(dot: Dot, x: Axis, y: Axis) -> Html:
    kind = "dot winner" if dot.is_winner else "dot comparison"
    circle = el(
        "circle",
        el("title", dot.title),
        cx=x.pixel(dot.step) + _jitter(dot),
        cy=y.pixel(dot.score),
        r=6 if dot.is_winner else 4,
        class_=f"{kind} partial" if dot.partial else kind,
        **({"id": dot.id} if dot.id else {}),
    )
    return el("a", circle, href=f"#{dot.link}") if dot.link else circle


def gain_chart(series: Sequence[Series], *, label: str) -> Html:
    """Draw gains with their intervals by loop, and a line at zero."""
    bounds = [bound for line in series for _, gain in line.gains for bound in (gain.low, gain.high)]
    loops = [loop for line in series for loop, _ in line.gains]
    grid = axis_ticks(min(*bounds, -_LEAST_RANGE / 2), max(*bounds, _LEAST_RANGE / 2))
    y = Axis(low=grid[0], high=grid[-1], start=_HEIGHT - _BOTTOM, end=_TOP)
    x = Axis(low=-0.5, high=max(loops) + 0.5, start=_LEFT / 2, end=WIDTH - _RIGHT)
    marks = [*(_y_mark(y, value) for value in grid), *_step_labels(x, max(loops), name="loop")]
    marks.append(el("line", x1=x.start, x2=x.end, y1=y.pixel(0.0), y2=y.pixel(0.0), class_="zero"))
    for index, line in enumerate(series):
        colour = "main" if line.is_main else "comparison"
        for loop, gain in line.gains:
            across = x.pixel(loop) + 16 * (index - (len(series) - 1) / 2)
            title = f"loop {loop}, {line.name}: {format_interval(gain, signed=True)}"
            marks.append(
                el(
                    "g",
                    el("title", title),
                    el(
                        "line",
                        x1=across,
                        x2=across,
                        y1=y.pixel(gain.low),
                        y2=y.pixel(gain.high),
                        stroke_width=4,
                        class_=colour,
                    ),
                    el("circle", cx=across, cy=y.pixel(gain.estimate), r=6, class_=f"dot {colour}"),
                )
            )
    return _svg(_HEIGHT, marks, label)


def _svg(height: float, marks: Sequence[Html], label: str) -> Html:
    role = "group" if any("<a " in mark.text for mark in marks) else "img"  # an image would hide its links
    return el("svg", *marks, viewBox=f"0 0 {WIDTH} {height:g}", role=role, aria_label=label)


def _x_mark(x: Axis, value: float, top: float, bottom: float) -> Html:
    x_pixel = x.pixel(value)
    return el(
        "g",
        el("line", x1=x_pixel, x2=x_pixel, y1=top, y2=bottom, class_="grid"),
        el("text", f"{100 * value:g}", x=x_pixel, y=bottom + 18, text_anchor="middle"),
    )


def _y_mark(y: Axis, value: float) -> Html:
    y_pixel = y.pixel(value)
    return el(
        "g",
        el("line", x1=_LEFT / 2, x2=WIDTH - _RIGHT, y1=y_pixel, y2=y_pixel, class_="grid"),
        el("text", f"{100 * value:g}", x=_LEFT / 2 - 8, y=y_pixel + 4, text_anchor="end"),
    )


def _step_labels(x: Axis, last: int, *, name: str = "step") -> list[Html]:
    every = max(1, math.ceil((last + 1) / 20))
    return [
        el("text", f"{name} {step}" if step == 0 else str(step), x=x.pixel(step), y=_HEIGHT - 8, text_anchor="middle")
        for step in range(0, last + 1, every)
    ]


def _jitter(dot: Dot) -> float:
    """Return a horizontal shift so that dots of equal score do not overlap; a hash of the title, so deterministic."""
    return (sum(dot.title.encode("utf-8", "replace")) % 17 - 8) * 0.9
