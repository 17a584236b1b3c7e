"""Kill -9 at random moments and resume: the same log, and nothing paid twice. The large version is in bench/."""

from __future__ import annotations

import random
from pathlib import Path

from tests.support.killing import interrupted_run, kill_points, killing_server, uninterrupted_run


def test_killed_runs_end_like_the_one_left_alone_and_pay_nothing_twice(tmp_path: Path) -> None:
    with killing_server() as killer:
        whole = uninterrupted_run(killer, tmp_path)
        points = kill_points(whole, 5, random.Random(20))
        found = [
            interrupted_run(killer, tmp_path, whole, point, name=f"killed-{number}")
            for number, point in enumerate(points)
        ]
    assert [one.difference for one in found] == [""] * 5
    assert [one.repeated_calls for one in found] == [0] * 5
    assert found[0].moment == "in test scoring"
    assert found[1].moment in {"in train scoring", "in optimizer calls", "before dev scoring", "in dev scoring"}
    assert all(0 < one.events_at_kill < len(whole) for one in found[:3])


def test_killed_in_a_race_a_run_ends_like_the_one_left_alone(tmp_path: Path) -> None:
    more = ("--racing", "askwell", "--dev", "22", "--candidates", "4")
    with killing_server() as killer:
        whole = uninterrupted_run(killer, tmp_path, more=more)
        assert any(event.kind == "step" and event.body.get("race") for event in whole)
        points = kill_points(whole, 3, random.Random(7))[2:]
        found = [
            interrupted_run(killer, tmp_path, whole, point, name=f"killed-{number}", more=more)
            for number, point in enumerate(points)
        ]
    assert [(one.difference, one.repeated_calls) for one in found] == [("", 0)]
    assert found[0].moment in {"before dev scoring", "in dev scoring"}
