"""The same job and seed give the same log as before the refactoring, event by event."""

from __future__ import annotations

from pathlib import Path

import pytest

from askwell.core.types import Event
from askwell.runlog.upgrade import upgrade_event
from tests.golden.comparison import differences
from tests.golden.jobs import JOBS, Row, read_golden


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow) for name in JOBS])
def test_a_log_equals_the_golden_one(name: str, tmp_path: Path) -> None:
    golden = [upgraded(row) for row in read_golden(name)]
    rows = JOBS[name](tmp_path)
    for expected, actual in zip(golden, rows, strict=False):
        difference = next(differences(expected, actual), None)
        assert difference is None, f"event {expected['position']} ({expected['kind']}): {difference}"
    assert len(rows) == len(golden)


def test_a_difference_is_noticed_and_its_place_named() -> None:
    one = {"position": 3, "body": {"score": [0.5, "a"], "step": 1}}
    assert list(differences(one, {"position": 3, "body": {"score": [0.5 + 1e-9, "a"], "step": 1}})) == []
    assert list(differences(one, {"position": 3, "body": {"score": [0.6, "a"], "draw": 1}})) == [
        ".body: keys ['score', 'step'] before, ['draw', 'score'] now",
        ".body.score[0]: 0.5 before, 0.6 now",
    ]
    assert list(differences(one, one | {"position": 4})) == [".position: 3 before, 4 now"]


def upgraded(row: Row) -> Row:
    """Return a golden event in the current log format."""
    event = upgrade_event(Event(**row))
    return {**row, "kind": event.kind, "body": event.body}
