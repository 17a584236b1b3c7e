"""The progress line fits every terminal, fills its bar once a run, and names no time before it can know one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askwell.core.trajectory import Trajectory
from askwell.core.types import Candidate, Prompt, Usage
from askwell.engine.progress import Progress
from askwell.models.totals import Totals
from askwell.report.live.progress_line import TimeLeft, draw_bar, fit_line, share_of_run

SCORED = Trajectory().extended([Candidate(step=0, prompt=Prompt(instruction="p"), score=0.875, n=24)])
TOTALS = Totals(calls=250, usage=Usage(prompt_tokens=13_000, completion_tokens=774))


def progress(stage: str, *, step: int = 1, steps: int = 8, done: int = 0, total: int = 0) -> Progress:
    return Progress(step=step, steps=steps, stage=stage, rollouts_done=done, rollouts_total=total, trajectory=SCORED)


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (120, "━━━━╌╌╌╌╌╌╌╌╌╌╌╌ step 2/8 · scoring 8 prompts · dev 87.5 · 250 calls · 13,774 tokens · ~16 s left"),
        (84, "━━━━╌╌╌╌╌╌╌╌╌╌╌╌ step 2/8 · scoring 8 prompts · dev 87.5 · 250 calls · ~16 s left"),
        (70, "━━━━╌╌╌╌╌╌╌╌╌╌╌╌ step 2/8 · dev 87.5 · 250 calls · ~16 s left"),
        (40, "step 2/8 · dev 87.5 · ~16 s left"),
        (20, "step 2/8"),
    ],
)
def test_a_narrow_terminal_drops_the_least_important_figures(width: int, line: str) -> None:
    now = progress("step 2: scoring 8 prompts", done=100, total=320)
    assert fit_line(now, [TOTALS], left_s=16, width=width) == line


@given(
    width=st.integers(1, 200),
    stage=st.sampled_from(["step 7: scoring 123 prompts", "step done", "testing the winner", "proposing prompts"]),
    left=st.none() | st.floats(0, 1e6),
    cost=st.none() | st.floats(0, 1e4),
)
def test_the_line_never_exceeds_the_width(width: int, stage: str, left: float | None, cost: float | None) -> None:
    totals = Totals(calls=10**6, usage=Usage(prompt_tokens=10**9, completion_tokens=10**8, cost_usd=cost))
    assert len(fit_line(progress(stage), [totals], left_s=left, width=width)) <= max(width, 1)


def test_the_bar_is_the_share_of_the_run_and_is_full_at_its_end() -> None:
    run = [
        progress("step 1: scoring 8 prompts", step=0, total=320, done=320),
        progress("step done", step=1),
        progress("step 2: scoring 8 prompts", step=1, done=17, total=320),  # a race that ends early
        progress("step done", step=2),
        progress("step done", step=8),
        progress("testing the winner", step=8, done=1, total=2),
        progress("done", step=8),
    ]
    shares = [share_of_run(now) for now in run]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert "╌" not in draw_bar(shares[-1])


def test_time_left_is_named_after_a_whole_step_and_follows_the_steps() -> None:
    clock = TimeLeft(began=0.0)
    assert clock.estimate(progress("step 1: scoring 8 prompts", step=0, done=1, total=320), 5.0) is None
    assert clock.estimate(progress("step done", step=1), 7.0) == pytest.approx(2.0 * 7)
    assert clock.estimate(progress("step 2: scoring 8 prompts", step=1), 8.0) == pytest.approx(2.0 * 7 - 1.0)
    assert clock.estimate(progress("step done", step=2), 9.0) == pytest.approx(2.0 * 6)


def test_an_evaluation_is_timed_by_its_calls() -> None:
    now = progress("evaluating", steps=0, done=30, total=120)
    assert TimeLeft(began=0.0).estimate(now, 10.0) == pytest.approx(30.0)
    assert fit_line(now, [TOTALS], left_s=30, width=90).startswith("━━━━╌╌╌╌╌╌╌╌╌╌╌╌ evaluating 30/120 · dev 87.5")


def test_without_steps_the_line_says_what_was_done() -> None:
    assert "initial prompt scored · dev 87.5" in fit_line(progress("step done", steps=0), [], left_s=None, width=80)
