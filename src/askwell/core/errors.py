"""Everything askwell raises on purpose.

    AskwellError
    ├── ConfigError          you: an argument, a flag, a config file, a missing extra
    ├── DataError            them: a data file, a record, a split, a metric's return value
    ├── ModelError           them: a model endpoint or checkpoint refused for good (authentication, bad request)
    ├── RunFailed            them: too many calls failed; what was paid for is in the log and can be resumed
    ├── StoreError           the run log: unreadable, locked, or at odds with this run
    └── BudgetExhausted      expected: a cap was reached; the run ends in order with its best so far

A message holds the value (by `!r`), what was expected, and what to do. It never holds a key.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class AskwellError(Exception):
    """Base of every error askwell raises on purpose; `exit_status` is what the command line returns."""

    exit_status = 1


class ConfigError(AskwellError):
    """The caller asked for something that can't be: fix the argument, flag or file it names."""

    exit_status = 2


class DataError(AskwellError):
    """A data file, a record, a split or a metric's return value is not what it must be."""

    exit_status = 2


class ModelError(AskwellError):
    """A model refused for good (authentication, unknown model, bad request): trying again would not help."""

    exit_status = 2


class RunFailed(AskwellError):
    """More calls failed than the run may miss. Completed calls are kept; resuming continues from there."""

    exit_status = 1


class StoreError(AskwellError):
    """The run log can't be read or written, or belongs to another run."""

    exit_status = 2


class BudgetExhausted(AskwellError):
    """A hard cap was reached. A run ends in order with its best so far; raised only where there is none yet."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Say "did you mean …?" and list the choices: the tail of every message about an unknown name."""
    choices = sorted(known)
    close = difflib.get_close_matches(name.lower(), choices, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}choose one of {choices}"
