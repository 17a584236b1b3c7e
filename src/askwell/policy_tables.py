"""A training as people read it: headroom's sentence, each loop's figures, the test; and the same for `--json`."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from askwell.qpo.guard import Guard
from askwell.qpo.history import LoopResult, loop_body
from askwell.qpo.loop import Tested
from askwell.report import claim, interval_json
from askwell.stats import format_interval
from askwell.tables import points
from askwell.train_job import Figures


def training_report(found: Figures) -> Iterator[RenderableType]:
    """Yield the parts of a training's report, top down."""
    yield Text(f"Headroom: {found.verdict}")
    yield Text(f"Best single prompt: {found.static.instruction!r}")
    if found.loops:
        yield loops_table(found.loops)
        if found.loops[-1].reward:
            yield Text(f"Reward learnt from: {found.loops[-1].reward}.")
    if found.tested is not None:
        tested = found.tested
        yield Text(
            f"Held-out test ({tested.gain.n} queries): single prompt {format_interval(tested.static)}, policy "
            f"{format_interval(tested.policy)}."
        )
        yield Text(
            f"Policy minus single prompt on the same queries: {points(tested.gain)}: {claim(tested.gain)}; "
            f"{100 * tested.switched:.0f} % of them got a prompt of their own."
        )
    if found.finished and found.keeps_static:
        yield Text("Kept: the best single prompt, for every query.")
    yield Text(f"Ended: {found.reason}." if found.finished else "Not finished.")


def loops_table(loops: tuple[LoopResult, ...]) -> Table:
    """Return one row a loop: dev figures in points of 100.

    new: pairs labelled for it; single: the best single prompt's score; own: queries that get a prompt of their own.
    """
    title = "On dev queries: points of 100, paired gains with 95 % intervals"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, collapse_padding=True)
    for heading in ("loop", "new", "single", "unguarded gain", "guarded gain", "own", "calls"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in loops:
        table.add_row(
            str(one.loop),
            f"{one.collected:,}",
            f"{100 * one.static.estimate:.1f}",
            points(one.written).replace("[", "\\["),
            points(one.guarded).replace("[", "\\["),
            _switched(one.guard),
            f"{one.target_calls:,}",
        )
    return table


def training_json(found: Figures) -> dict[str, object]:
    """Return a training's figures for `--json`."""
    return {
        "finished": found.finished,
        "reason": found.reason,
        "worth_it": found.worth_it,
        "verdict": found.verdict,
        "static_prompt": found.static.instruction,
        "keeps_static": found.keeps_static,
        "best_loop": found.best_loop,
        "loops": [loop_body(one) for one in found.loops],
        "test": tested_json(found.tested),
    }


def tested_json(tested: Tested | None) -> dict[str, object] | None:
    """Return the one look at the test split for `--json`; None where there was none."""
    if tested is None:
        return None
    return {
        "static": interval_json(tested.static),
        "policy": interval_json(tested.policy),
        "gain": interval_json(tested.gain),
        "switched": tested.switched,
    }


def _switched(guard: Guard) -> str:
    return f"{100 * guard.switched:.0f} %"
