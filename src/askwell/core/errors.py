"""The exceptions that askwell raises.

    AskwellError
    ├── ConfigError          your input: an argument, a flag, a config file, a missing extra
    ├── DataError            a data file, a record, a split, or a metric's return value is invalid
    ├── ModelError           a model endpoint or checkpoint refuses for good (authentication, bad request)
    ├── RunFailed            too many calls failed; the completed calls are in the log, and the run can be resumed
    ├── UnusableReplies      the run stopped on purpose: most first replies cannot be scored, so no step would help
    ├── StoreError           the run log is unreadable, locked, or belongs to another run
    └── BudgetExhausted      expected: a cap was reached; the run ends normally with its best result so far

A message states what is wrong (the value by `!r`), what was expected, and what to do. It never contains an API key.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class AskwellError(Exception):
    """Base class of askwell's errors. `exit_status` is the exit status of the command line."""

    exit_status = 1


class ConfigError(AskwellError):
    """An argument, a flag or a config file is invalid; the message names it."""

    exit_status = 2


class DataError(AskwellError):
    """A data file, a record, a split or a metric's return value is invalid."""

    exit_status = 2


class ModelError(AskwellError):
    """A model refused for good (authentication, unknown model, bad request): a retry cannot help."""

    exit_status = 2


class RunFailed(AskwellError):
    """More calls failed than the run accepts. Completed calls are in the log; resuming the run continues from there."""

    exit_status = 1


class UnusableReplies(AskwellError):
    """Most replies to the initial prompt cannot be scored, so the run stopped before its first step.

    Nothing is lost: the replies are in the log, and resuming the run with force pays for none of them again.
    """

    exit_status = 3


class StoreError(AskwellError):
    """The run log cannot be read or written, or belongs to another run."""

    exit_status = 2


class BudgetExhausted(AskwellError):
    """A hard cap was reached. A run then ends normally with its best result; it raises this only if it has none yet."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return "did you mean …?" and the list of choices: the end of every message about an unknown name."""
    choices = sorted(valid)
    close = difflib.get_close_matches(name.lower(), choices, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}choose one of {choices}"
