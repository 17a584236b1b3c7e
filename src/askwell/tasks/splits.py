"""Split examples into train, dev and test, by seed or as given, without a question in two splits."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias, get_args

from askwell.core.errors import ConfigError, DataError
from askwell.core.types import Example, Split
from askwell.tasks.questions import copy_key, drop_copies, identify_question, normalize_question

SPLITS: tuple[Split, ...] = get_args(Split)

Size: TypeAlias = int | float | None
"""Size of a split: below 1 a share of the examples, from 1 a number of them (1.0 is one example), None the default."""

DEFAULT_RATIO: Mapping[Split, int] = {"train": 1, "dev": 1, "test": 3}
"""The ratio of the GPO paper, section 4.1."""

MAX_DEFAULT_SIZES: Mapping[Split, int] = {"train": 100, "dev": 100, "test": 300}
"""Largest sizes of the GPO paper. A larger dev split costs one more target call per example and candidate prompt."""


def split(
    examples: Iterable[Example], *, train: Size = None, dev: Size = None, test: Size = None, seed: int
) -> dict[Split, tuple[Example, ...]]:
    """Draw three disjoint splits.

    Copies (the same question with the same target, see `tasks.questions`) are dropped except for the first, so that
    none is in two splits or counts twice. The sizes are exact. Sizes that are None share the remaining examples 1:1:3,
    with at least one example each and at most `MAX_DEFAULT_SIZES`. An example's split depends only on the seed and its
    question: the order of the source does not matter, and added examples move few others. Rows with the same question
    and different targets come into the same split, wherever the sizes permit it.

    Raises `ConfigError` for an invalid size, `DataError` if there are too few examples.
    """
    unique = drop_copies(examples)
    sizes = split_sizes(len(unique), train=train, dev=dev, test=test)
    ordered = sorted(unique, key=lambda example: _draw_key(example, seed))
    return _draw([tuple(rows) for _, rows in itertools.groupby(ordered, key=_question)], sizes)


def split_sizes(n: int, *, train: Size = None, dev: Size = None, test: Size = None) -> dict[Split, int]:
    """Return the number of examples in each split of `n` distinct examples (see `split`)."""
    requested: dict[Split, Size] = {"train": train, "dev": dev, "test": test}
    sizes: dict[Split, int] = {name: _count(name, size, n) for name, size in requested.items() if size is not None}
    open_names: list[Split] = [name for name in SPLITS if name not in sizes]
    rest = n - sum(sizes.values())
    if rest < len(open_names):
        parts = ", ".join(f"{name} {sizes.get(name, 'at least 1')}" for name in SPLITS)
        raise DataError(
            f"{n} different examples are too few for {parts}: {len(open_names) - rest} short; "
            "request smaller splits or add examples"
        )
    sizes |= _default_sizes(rest, open_names)
    return {name: sizes[name] for name in SPLITS}


def join_splits(
    *, train: Sequence[Example] = (), dev: Sequence[Example] = (), test: Sequence[Example] = ()
) -> dict[Split, tuple[Example, ...]]:
    """Join splits that come from separate files; raise `DataError` if two share an example (`check_disjoint`).

    If splits use the same ids (each file counts from 1), every id gets its split's name as a prefix, because ids must
    be unique in a run.
    """
    splits: dict[Split, tuple[Example, ...]] = {"train": tuple(train), "dev": tuple(dev), "test": tuple(test)}
    check_disjoint(splits)
    ids = [{example.id for example in members} for members in splits.values()]
    if sum(map(len, ids)) == len(set[str]().union(*ids)):
        return splits
    return {
        name: tuple(replace(example, id=f"{name}/{example.id}") for example in members)
        for name, members in splits.items()
    }


def check_disjoint(splits: Mapping[Split, Sequence[Example]]) -> None:
    """Raise `DataError`, naming both examples, if two splits share a question with the same target."""
    seen: dict[tuple[str, frozenset[str]], tuple[Split, Example]] = {}
    for name, examples in splits.items():
        for example in examples:
            other, first = seen.setdefault(copy_key(example), (name, example))
            if other != name:
                raise DataError(
                    f"{other} example {first.id!r} and {name} example {example.id!r} ask the same: "
                    f"{_short(example.input)!r}; remove one of them, or pass a single file that askwell splits"
                )


def _draw(questions: Sequence[Sequence[Example]], sizes: Mapping[Split, int]) -> dict[Split, tuple[Example, ...]]:
    """Fill the splits one after another with whole questions, in their order."""
    drawn: dict[Split, list[Example]] = {}
    for name in SPLITS:
        drawn[name], later = [], list[Sequence[Example]]()
        for rows in questions:
            if len(drawn[name]) + len(rows) <= sizes[name]:
                drawn[name].extend(rows)
            else:
                later.append(rows)
        questions = later
    spare = itertools.chain.from_iterable(questions)
    # Only where whole questions can't give the sizes are the rows of one in two splits.
    return {name: (*drawn[name], *itertools.islice(spare, sizes[name] - len(drawn[name]))) for name in SPLITS}


def _default_sizes(rest: int, names: Sequence[Split]) -> dict[Split, int]:
    """Divide `rest` examples among splits; the last split (test, if its size is open) gets the rounding remainder."""
    sizes: dict[Split, int] = {}
    weight = sum(DEFAULT_RATIO[name] for name in names)
    left = rest
    for index, name in enumerate(names):
        is_last = index == len(names) - 1
        share = left if is_last else max(1, rest * DEFAULT_RATIO[name] // weight)
        sizes[name] = min(MAX_DEFAULT_SIZES[name], share)
        left -= share
    return sizes


def _count(name: Split, size: int | float, n: int) -> int:
    check_size(f"size of {name}", size)
    return int(size * n + 1e-9) if size < 1 else int(size)  # 1e-9: 90 * 0.7 is 62.99999999999999


def check_size(name: str, size: float) -> None:
    """Raise `ConfigError` unless a size is a share between 0 and 1 or a whole number."""
    is_share = 0 < size < 1
    if isinstance(size, bool) or not (is_share or (size >= 0 and size % 1 == 0)):
        raise ConfigError(f"{name} is {size!r}; expected a share between 0 and 1, or a whole number of examples")


def _draw_key(example: Example, seed: int) -> tuple[bytes, str, str, list[str]]:
    # A digest, not a shuffle: the split must not depend on the order or the number of the other examples.
    # It is of the normalized question: rows that look like copies but have different targets are neighbours.
    question = normalize_question(example.input)
    digest = hashlib.blake2b(f"{seed}\n{question}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return digest, question, _question(example), sorted(copy_key(example)[1])


def _question(example: Example) -> str:
    return identify_question(example.input)


def _short(text: str, *, at_most: int = 80) -> str:
    line = " ".join(text.split())
    return line if len(line) <= at_most else f"{line[: at_most - 1]}…"
