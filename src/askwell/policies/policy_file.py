"""Read the JSON file of a saved policy with strict types. A policy may come from a stranger: it is data, never code."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import Field, Strict, TypeAdapter
from typing_extensions import TypedDict  # pydantic asks for this one before Python 3.12

from askwell.core.errors import DataError
from askwell.runlog.bodies import Count, Guard, PromptText, Text
from askwell.runlog.reading import find_problem

FILE = "policy.json"
_BROKEN = (ArithmeticError, AssertionError, AttributeError, LookupError, OSError, TypeError, ValueError)


class _Scorer(TypedDict):
    kind: Text
    values: dict[Text, object]


class _Fixed(TypedDict):
    format: Literal[1]
    prompt: PromptText


class _Fallback(_Fixed):
    guard: Guard
    samples: Count
    seed: Annotated[int, Strict()]


class _Selection(TypedDict):
    format: Literal[1]
    prompts: Annotated[list[Text], Field(min_length=1)]
    static: Count
    name: Text
    guard: Guard
    scorer: _Scorer | None


class _Writer(TypedDict):
    format: Literal[2]
    model: dict[Text, object]
    scale: dict[Text, object]
    sampling: dict[Text, object]


FIXED, FALLBACK, SELECTION, WRITER = map(TypeAdapter[Any], (_Fixed, _Fallback, _Selection, _Writer))
"""Shapes of `policy.json`, by kind of policy."""


def read_policy_file(folder: Path) -> Mapping[str, object]:
    """Return the JSON object in a policy's file. Raises `DataError` for anything else."""
    try:
        parsed: object = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"no readable policy in {str(folder)!r}: {error}") from error
    if not isinstance(parsed, dict):
        raise DataError(f"{str(folder / FILE)!r} is not a policy: expected a JSON object")
    return cast("Mapping[str, object]", parsed)


def check_policy_file(body: Mapping[str, object], shape: TypeAdapter[Any], folder: Path) -> None:
    """Raise `DataError` with the first field of a policy's file that differs from the shape."""
    problem = find_problem(body, shape)
    if problem:
        raise DataError(f"{str(folder / FILE)!r} is not a policy of this version: {problem}; train the policy again")


def refuse_links(folder: Path) -> None:
    """Raise `DataError` for a symbolic link inside a policy's folder: it may lead to any file of this machine."""
    link = next((path for path in sorted(folder.rglob("*")) if path.is_symlink()), None)
    if link is not None:
        raise DataError(f"{str(link)!r} is a symbolic link; a policy's folder holds its own files: copy the file there")


@contextmanager
def refuses_broken_state(folder: Path, *more: type[Exception]) -> Generator[None]:
    """Turn what a library raises for a state that does not fit together into a `DataError`."""
    try:
        yield
    except (*_BROKEN, *more) as error:
        raise DataError(
            f"the policy in {str(folder)!r} does not fit together ({type(error).__name__}: {error}); train it again"
        ) from error
