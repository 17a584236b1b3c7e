"""A finished or a running run is opened as what its call returned; results have short representations."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import askwell
from askwell.core.stats import mean_interval, optimism, paired_difference
from askwell.engine.progress import Progress
from tests.support.optimizations import DATA, optimize, target
from tests.support.prompt_writers import read_table
from tests.support.trainings import logged, plain, train

PROMPTS = ["Think.", "Add them.", ("Guess. " * 30).strip()]


class Stopped(Exception):
    """Ends a run after a step, as a crash would."""


def stop_after_a_step(progress: Progress) -> None:
    if progress.stage == "step done" and progress.step == 1:
        raise Stopped


def never(_: str) -> str:
    raise AssertionError("a model was called")


def evaluate(folder: Path, prompts: list[str], **more: object) -> list[askwell.Evaluation]:
    return askwell.evaluate(prompts, data=DATA, target=target, metric="number", run=folder, **more)  # type: ignore[arg-type]


def test_an_optimization_is_opened_by_its_folder_its_log_and_its_name(tmp_path: Path) -> None:
    made = optimize(tmp_path / "r")
    for opened in (
        askwell.open(tmp_path / "r"),
        askwell.open(str(tmp_path / "r" / "log.db")),
        askwell.open("r", runs_folder=tmp_path),
    ):
        assert isinstance(opened, askwell.Result)
        assert opened == made
        assert opened.finished


def test_an_optimization_under_way_has_its_result_so_far(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        optimize(tmp_path / "r", watch=stop_after_a_step)
    opened = askwell.open(tmp_path / "r")
    assert isinstance(opened, askwell.Result)
    assert (opened.finished, opened.report.best.test, opened.gain) == (False, None, None)
    assert opened.interval == opened.report.best.dev
    assert "not finished" in repr(opened)


@pytest.mark.parametrize("more", [{}, {"ask_twice": 5}, {"sampling": askwell.Sampling(repeats=3, temperature=1.0)}])
def test_an_evaluation_is_opened_as_it_was_returned(tmp_path: Path, more: dict[str, object]) -> None:
    made = evaluate(tmp_path / "e", PROMPTS, **more)
    assert askwell.open(tmp_path / "e") == made
    assert [one.prompt for one in made] == PROMPTS


def test_an_evaluation_under_way_has_the_prompts_that_were_scored(tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        if progress.rollouts_done > 40:
            raise Stopped

    with pytest.raises(Stopped):
        evaluate(tmp_path / "e", PROMPTS[:2], watch=stop)
    opened = askwell.open(tmp_path / "e")
    assert isinstance(opened, list)
    assert opened[0].prompt == "Think."
    assert 0 < opened[0].score.n <= len(DATA)
    assert opened[0].difference is None


def test_a_training_is_opened_with_its_policy(tmp_path: Path) -> None:
    made = train(logged(tmp_path / "log.jsonl"), tmp_path / "run")
    opened = askwell.open(tmp_path / "run", read_writer=read_table)
    assert isinstance(opened, askwell.Trained)
    assert opened.figures == made.figures
    assert opened.policy.prompts_for(["4+4"]) == made.policy.prompts_for(["4+4"])


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    optimize(tmp_path / "sums-1")
    with pytest.raises(askwell.ConfigError, match="no run 'sums-2'; did you mean 'sums-1'"):
        askwell.open("sums-2", runs_folder=tmp_path)

    def stop(progress: Progress) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        optimize(tmp_path / "r", watch=stop)
    with pytest.raises(askwell.ConfigError, match="no scored prompt yet"):
        askwell.open(tmp_path / "r")


def test_representations_are_short(tmp_path: Path) -> None:
    result, scored = optimize(tmp_path / "r"), evaluate(tmp_path / "e", PROMPTS)
    planned = askwell.plan(data=DATA, target=target, metric="number", prompt="Think.")
    kept = train(logged(tmp_path / "log.jsonl", plain), tmp_path / "t")
    deployed = train(logged(tmp_path / "more.jsonl"), tmp_path / "u")
    shown: list[tuple[object, str]] = [
        (result, r"<Result 100.0 \[.*\], gain \+.* \[.*\]: 'Add them.'>"),
        (scored[2], r"<Evaluation .* of 'Guess. Guess. .*…'>"),
        (planned, r"<Plan of about [\d,]+ \+ [\d,]+ calls, price unknown, [\d,]+ s>"),
        (kept, "<Trained: keeps the baseline prompt '.*'>"),
        (deployed, r"<Trained: the policy of loop \d, gain \+.*>"),
    ]
    for value, pattern in shown:
        assert len(repr(value)) < 120
        assert re.fullmatch(pattern, repr(value)), repr(value)


def test_an_interval_shows_points_of_a_hundred() -> None:
    assert repr(mean_interval([1, 1, 0, 1])) == "<Interval 75.0 [30.1, 95.4], n=4>"
    assert repr(paired_difference([1, 1, 1, 1], [0, 1, 0, 1])).startswith("<Interval +50.0 [")
    assert repr(optimism([1, 1, 0], [1, 0, 0])).startswith("<Interval +33.3 [")
