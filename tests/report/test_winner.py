"""How the winner was chosen among equal prompts, in words, and from what it was made."""

from __future__ import annotations

import pytest

from askwell.core.trajectory import Trajectory
from askwell.core.types import Candidate, Prompt
from askwell.report.winner import Standing, describe_choice, trace_lineage


def prompt(name: str) -> Prompt:
    return Prompt(instruction=name)


FIRST_WINS = "of equal prompts, the one scored first wins."
CHOICES: list[tuple[str, dict[str, tuple[float, float]], str]] = [
    ("alone", {"W": (0.9, 0), "A": (0.8, 0)}, "The winner has the highest dev score."),
    (
        "one equal",
        {"W": (0.9, 0), "A": (0.9, 0), "B": (0.1, 0)},
        f"The winner has the highest dev score. 1 other prompt has the same dev score (90.0): {FIRST_WINS}",
    ),
    (
        "two equal, summed in another order",
        {"W": (0.3, 0), "A": (0.1 + 0.2, 0), "B": (0.3, 0)},
        f"The winner has the highest dev score. 2 other prompts have the same dev score (30.0): {FIRST_WINS}",
    ),
    (
        "the shorter of three equal ones",
        {"A": (0.875, 0.01), "B": (0.875, 0.02), "W": (0.875, 0.0)},
        "The winner has the highest dev score less its penalty. 2 other prompts have the same dev score (87.5), but a "
        "larger penalty.",
    ),
    (
        "a higher score lost",
        {"A": (0.9, 0.05), "W": (0.88, 0.0)},
        "The winner has the highest dev score less its penalty. 1 other prompt has a higher dev score, but a larger "
        "penalty.",
    ),
    (
        "equal less the penalty",
        {"W": (0.88, 0.0), "A": (0.9, 0.02)},
        "The winner has the highest dev score less its penalty. 1 other prompt has a higher dev score, but a larger "
        f"penalty. 1 other prompt has the same dev score less penalty (88.0): {FIRST_WINS}",
    ),
    ("an edited log", {"A": (0.9, 0)}, ""),
]


@pytest.mark.parametrize(("standings", "sentence"), [case[1:] for case in CHOICES], ids=[case[0] for case in CHOICES])
def test_the_rule_in_words(standings: dict[str, tuple[float, float]], sentence: str) -> None:
    known = {prompt(name): Standing(score=score, penalty=penalty) for name, (score, penalty) in standings.items()}
    assert describe_choice(known, prompt("W")) == sentence


def candidate(name: str, step: int, parent: str | None, origin: str = "editing") -> Candidate:
    made_from = prompt(parent) if parent else None
    return Candidate(step=step, prompt=prompt(name), score=0.5, n=2, parent=made_from, origin=origin)


LINES: list[tuple[list[Candidate], str, list[str]]] = [
    ([candidate("A", 0, None, "initial")], "A", ["A"]),
    ([candidate("A", 0, None), candidate("B", 1, "A"), candidate("C", 2, "B")], "C", ["A", "B", "C"]),
    ([candidate("A", 0, None), candidate("B", 1, "A"), candidate("C", 1, "A")], "C", ["A", "C"]),
    ([candidate("A", 0, None), candidate("B", 1, "never scored")], "B", ["never scored", "B"]),
    ([candidate("A", 0, "B"), candidate("B", 1, "A")], "B", ["A", "B"]),
    ([candidate("A", 0, "A")], "A", ["A"]),
]


@pytest.mark.parametrize(("candidates", "winner", "names"), LINES)
def test_the_line_of_descent_ends_with_the_winner(candidates: list[Candidate], winner: str, names: list[str]) -> None:
    line = trace_lineage(Trajectory(candidates=tuple(candidates)), prompt(winner))
    assert [ancestor.prompt.instruction for ancestor in line] == names
    assert [ancestor.step is None for ancestor in line] == [name == "never scored" for name in names]
