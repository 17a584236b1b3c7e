"""What a proposal must keep to, checked before a call is paid for it.

To add a constraint, write a function and give it a line in `CONSTRAINTS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from askwell.errors import ConfigError
from askwell.text_similarity import edit_distance, word_runs, words
from askwell.trajectory import Trajectory
from askwell.types import Example, Prompt

_PLACEHOLDER = re.compile(r"\{[^\W\d]\w*\}")
_SHORTEST_COPY = 4
"""Words of a question that is too short to be cut further; below it, equal words are chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The numbers and texts behind the constraints."""

    frozen: tuple[str, ...] = ()
    """Parts of the initial prompt that every prompt must hold word for word."""
    max_words: int = 200
    """Longest instruction, or that of the initial prompt where that is longer."""
    copied_words: int = 8
    """So many words in a row from one training example are a copy; all of a question's, where it is shorter."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "frozen", tuple(self.frozen))  # a config file has lists
        if self.max_words < 1 or self.copied_words < _SHORTEST_COPY:
            raise ConfigError(
                f"expected max_words of at least 1 and copied_words of at least {_SHORTEST_COPY}; "
                f"got max_words={self.max_words!r}, copied_words={self.copied_words!r}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A proposed prompt, and what it is measured against."""

    prompt: Prompt
    parent: Prompt
    trajectory: Trajectory
    train: Sequence[Example]
    limits: Limits
    budget_words: int | None = None

    @property
    def text(self) -> str:
        return self.prompt.instruction

    @property
    def initial(self) -> str:
        return self.trajectory.candidates[0].prompt.instruction


Constraint = Callable[[Attempt], str]
"""Say why a proposal must not be scored; "" where nothing speaks against it. Pure."""


def placeholders(attempt: Attempt) -> str:
    """Every {placeholder} of the initial prompt is still there."""
    lost = [name for name in required_placeholders(attempt.initial) if name not in attempt.text]
    return f"loses {', '.join(lost)}" if lost else ""


def frozen(attempt: Attempt) -> str:
    """Every frozen part is still there, word for word."""
    lost = [part for part in attempt.limits.frozen if part not in attempt.text]
    return f"loses the frozen part {lost[0]!r}" if lost else ""


def length(attempt: Attempt) -> str:
    """No longer than the cap, or than the initial prompt where that is longer."""
    count, most = len(words(attempt.text)), max(attempt.limits.max_words, len(words(attempt.initial)))
    return f"has {count} words of at most {most}" if count > most else ""


def copying(attempt: Attempt) -> str:
    """No training example's text in it, but for what the initial prompt says too."""
    for size, runs in _copies(tuple(attempt.train), attempt.limits.copied_words).items():
        own = set(word_runs(words(attempt.initial), size))
        for run in word_runs(words(attempt.text), size):
            if run in runs and run not in own:
                return f"copies {' '.join(run)!r} from a training example"
    return ""


def unseen(attempt: Attempt) -> str:
    """Not a prompt that was scored before: its score is known."""
    return "was scored before" if attempt.trajectory.find(attempt.prompt) else ""


def budget(attempt: Attempt) -> str:
    """At most `budget_words` words of the parent are changed (`edit_distance`)."""
    if attempt.budget_words is None:
        return ""
    changed = edit_distance(attempt.parent.instruction, attempt.text)
    return f"changes {changed} words of at most {attempt.budget_words}" if changed > attempt.budget_words else ""


CONSTRAINTS: Mapping[str, Constraint] = MappingProxyType(
    {"placeholders": placeholders, "frozen": frozen, "length": length, "copying": copying, "unseen": unseen}
)
"""In the order in which they are checked; the word budget is checked by the mode "enforce"."""


def required_placeholders(initial: str) -> list[str]:
    """Return the distinct {placeholders} of a prompt, in order; "{input}" is one."""
    return list(dict.fromkeys(_PLACEHOLDER.findall(initial)))


def reason_against(attempt: Attempt, constraints: Iterable[Constraint]) -> str:
    """Return the first reason found, or "" where there is none."""
    return next((reason for constraint in constraints if (reason := constraint(attempt))), "")


def check_frozen(limits: Limits, initial: str) -> None:
    """Raise `ConfigError` where a frozen part is not in the initial prompt: every proposal would be rejected."""
    for part in limits.frozen:
        if part not in initial:
            raise ConfigError(f"the frozen part {part!r} is not in the initial prompt; give it as it stands there")


@lru_cache(maxsize=8)
def _copies(train: tuple[Example, ...], most: int) -> Mapping[int, frozenset[tuple[str, ...]]]:
    """Runs of words that count as copied, by their length."""
    found: dict[int, set[tuple[str, ...]]] = {}
    for example in train:
        question = words(example.input)
        if len(question) >= _SHORTEST_COPY:
            size = min(most, len(question))
            found.setdefault(size, set()).update(word_runs(question, size))
        answers = [example.target] if isinstance(example.target, str) else example.target
        for answer in answers:
            found.setdefault(most, set()).update(word_runs(words(answer), most))
    return {size: frozenset(runs) for size, runs in found.items()}
