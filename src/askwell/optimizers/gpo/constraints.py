"""Constraints on a proposed prompt, checked before any target call is paid for it.

To add a constraint, write a function and add it to `CONSTRAINTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from askwell.core.errors import ConfigError
from askwell.core.placeholders import find_placeholders
from askwell.core.text import edit_distance, word_runs, words
from askwell.core.trajectory import Trajectory
from askwell.core.types import Example, Prompt
from askwell.optimizers.proposal_checks import find_echo, find_placeholder_change

_SHORTEST_COPY = 4
"""Fewest words of a question that can be copied; a shorter run of equal words is coincidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits that the constraints check."""

    frozen: tuple[str, ...] = ()
    """Parts of the initial prompt that every prompt must contain word for word."""
    max_words: int = 200
    """Longest instruction, in words; a longer initial prompt raises the limit to its own length."""
    copied_words: int = 8
    """This many consecutive words of a training example count as a copy; for a shorter question, all its words."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "frozen", tuple(self.frozen))  # a config file has lists
        if self.max_words < 1 or self.copied_words < _SHORTEST_COPY:
            raise ConfigError(
                f"expected max_words of at least 1 and copied_words of at least {_SHORTEST_COPY}; "
                f"got max_words={self.max_words!r}, copied_words={self.copied_words!r}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A proposed prompt, with what the constraints compare it to."""

    prompt: Prompt
    parent: Prompt
    trajectory: Trajectory
    train: Sequence[Example]
    limits: Limits
    budget_words: int | None = None
    request: str = ""
    """The request to the optimizer model that the proposal answers; empty if there was none."""

    @property
    def text(self) -> str:
        return self.prompt.instruction

    @property
    def initial(self) -> str:
        return self.trajectory.candidates[0].prompt.instruction


Constraint = Callable[[Attempt], str]
"""Return why a proposal must not be scored; "" if the constraint holds. Pure."""


def check_placeholders(attempt: Attempt) -> str:
    """Require every {placeholder} of the initial prompt, and no other one."""
    return find_placeholder_change(attempt.text, attempt.initial)


def check_echo(attempt: Attempt) -> str:
    """Refuse a prompt that repeats the markup or the text of the request."""
    return find_echo(attempt.text, attempt.request, attempt.initial) if attempt.request else ""


def check_frozen(attempt: Attempt) -> str:
    """Require every frozen part, word for word."""
    lost = [part for part in attempt.limits.frozen if part not in attempt.text]
    return f"loses the frozen part {lost[0]!r}" if lost else ""


def check_length(attempt: Attempt) -> str:
    """Require at most `max_words` words, or as many as the initial prompt if that is longer."""
    count, most = len(words(attempt.text)), max(attempt.limits.max_words, len(words(attempt.initial)))
    return f"has {count} words of at most {most}" if count > most else ""


def check_copying(attempt: Attempt) -> str:
    """Refuse text copied from a training example, unless the initial prompt contains it too."""
    for size, runs in _collect_runs(tuple(attempt.train), attempt.limits.copied_words).items():
        initial_runs = set(word_runs(words(attempt.initial), size))
        for run in word_runs(words(attempt.text), size):
            if run in runs and run not in initial_runs:
                return f"copies {' '.join(run)!r} from a training example"
    return ""


def check_unseen(attempt: Attempt) -> str:
    """Refuse a prompt that was scored before: its score is known."""
    return "was scored before" if attempt.trajectory.find(attempt.prompt) else ""


def check_budget(attempt: Attempt) -> str:
    """Require at most `budget_words` changed words (`edit_distance` to the parent)."""
    if attempt.budget_words is None:
        return ""
    changed = edit_distance(attempt.parent.instruction, attempt.text)
    return f"changes {changed} words of at most {attempt.budget_words}" if changed > attempt.budget_words else ""


CONSTRAINTS: Mapping[str, Constraint] = MappingProxyType(
    {
        "placeholders": check_placeholders,
        "frozen": check_frozen,
        "length": check_length,
        "copying": check_copying,
        "unseen": check_unseen,
    }
)
"""Constraints by name, in the order of checking; the budget mode "enforce" adds `check_budget`."""

ALWAYS: tuple[Constraint, ...] = (check_echo, check_placeholders)
"""Checked with any settings: a prompt that violates one of them is no prompt for this task."""


def placeholder_texts(initial: str) -> list[str]:
    """Return the distinct placeholders of a prompt as they stand in it, in order."""
    return list(dict.fromkeys(placeholder.text for placeholder in find_placeholders(initial)))


def find_violation(attempt: Attempt, constraints: Iterable[Constraint]) -> str:
    """Return the reason of the first violated constraint, or "" if all hold."""
    return next((reason for constraint in constraints if (reason := constraint(attempt))), "")


def require_frozen(limits: Limits, initial: str) -> None:
    """Raise `ConfigError` if a frozen part is not in the initial prompt: every proposal would be rejected."""
    for part in limits.frozen:
        if part not in initial:
            raise ConfigError(f"the frozen part {part!r} is not in the initial prompt; give it as it stands there")


@lru_cache(maxsize=8)  # called for every attempt with the same train split; runs in one process may alternate
def _collect_runs(train: tuple[Example, ...], most: int) -> Mapping[int, frozenset[tuple[str, ...]]]:
    """Return the runs of words that count as copied, by length."""
    runs_by_size: dict[int, set[tuple[str, ...]]] = {}
    for example in train:
        question = words(example.input)
        if len(question) >= _SHORTEST_COPY:
            size = min(most, len(question))
            runs_by_size.setdefault(size, set()).update(word_runs(question, size))
        answers = [example.target] if isinstance(example.target, str) else example.target
        for answer in answers:
            runs_by_size.setdefault(most, set()).update(word_runs(words(answer), most))
    return {size: frozenset(runs) for size, runs in runs_by_size.items()}
