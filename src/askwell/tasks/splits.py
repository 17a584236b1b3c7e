"""Split examples into train, dev and test, by seed or as given, without a question in two splits."""

from __future__ import annotations

import hashlib
import itertools
import logging
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias, get_args

from askwell.core.errors import ConfigError, DataError
from askwell.core.types import Example, Split

logger = logging.getLogger(__name__)

SPLITS: tuple[Split, ...] = get_args(Split)

Size: TypeAlias = int | float | None
"""Size of a split: an int is a number of examples, a float in (0, 1] a fraction of them, None the default."""

DEFAULT_RATIO: Mapping[Split, int] = {"train": 1, "dev": 1, "test": 3}
"""The ratio of the GPO paper, section 4.1."""

MAX_DEFAULT_SIZES: Mapping[Split, int] = {"train": 100, "dev": 100, "test": 300}
"""Largest sizes of the GPO paper. A larger dev split costs one more target call per example and candidate prompt."""

OUTER_PUNCTUATION = ".,;:!?…\"'`“”‘’«»"
"""Punctuation that is ignored around a question. Brackets and signs are kept: "(" or "-1" can be the question."""


def split(
    examples: Iterable[Example], *, train: Size = None, dev: Size = None, test: Size = None, seed: int
) -> dict[Split, tuple[Example, ...]]:
    """Draw three disjoint splits.

    Duplicates of a question (equal after `normalize_question`) are dropped except for the first, and their number is
    logged. So the sizes are exact, and no question is in two splits or counts twice. Sizes that are None share the
    remaining examples 1:1:3, with at least one example each and at most `MAX_DEFAULT_SIZES`. An example's split depends
    only on the seed and its question: the order of the source does not matter, and added examples move few others.

    Raises `ConfigError` for an invalid size, `DataError` if there are too few examples.
    """
    unique = drop_duplicates(examples)
    sizes = split_sizes(len(unique), train=train, dev=dev, test=test)
    drawn = iter(sorted(unique, key=lambda example: _draw_key(example, seed)))
    return {name: tuple(itertools.islice(drawn, sizes[name])) for name in SPLITS}


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
    """Join splits that come from separate files; raise `DataError` if two share a question (`check_disjoint`).

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
    """Raise `DataError`, naming both examples, if two splits share a question (equal after `normalize_question`)."""
    seen: dict[str, tuple[Split, Example]] = {}
    for name, examples in splits.items():
        for example in examples:
            other, first = seen.setdefault(normalize_question(example.input), (name, example))
            if other != name:
                raise DataError(
                    f"{other} example {first.id!r} and {name} example {example.id!r} ask the same: "
                    f"{_short(example.input)!r}; remove one of them, or pass a single file that askwell splits"
                )


def drop_duplicates(examples: Iterable[Example]) -> tuple[Example, ...]:
    """Keep the first example of each question; log the number of duplicates and of those with another target."""
    kept: dict[str, Example] = {}
    duplicates = disagreeing = 0
    for example in examples:
        first = kept.setdefault(normalize_question(example.input), example)
        if first is not example:
            duplicates += 1
            disagreeing += first.target != example.target
    if duplicates:
        logger.warning(
            "%d of %d examples repeat a question and were left out (%d of them with another target)",
            duplicates,
            duplicates + len(kept),
            disagreeing,
        )
    return tuple(kept.values())


def normalize_question(text: str) -> str:
    """Return the text that is equal for equal questions: NFKC, casefold, single spaces, no outer punctuation."""
    # Casefold can undo NFKC, so the result is normalized again.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    words = " ".join(folded.split())
    return words.strip(OUTER_PUNCTUATION + " ") or words


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
    if isinstance(size, bool):
        raise ConfigError(f"size of {name} is {size!r}; expected a number")
    if isinstance(size, int):
        if size < 0:
            raise ConfigError(f"size of {name} is {size!r}; expected 0 or more examples")
        return size
    if not 0 < size <= 1:
        raise ConfigError(f"size of {name} is {size!r}; expected a fraction in (0, 1] or a whole number of examples")
    return int(size * n + 1e-9)  # 1e-9: 90 * 0.7 is 62.99999999999999


def _draw_key(example: Example, seed: int) -> tuple[bytes, str]:
    # A digest, not a shuffle: the split must not depend on the order or the number of the other examples.
    question = normalize_question(example.input)
    return hashlib.blake2b(f"{seed}\n{question}".encode("utf-8", "surrogatepass"), digest_size=16).digest(), question


def _short(text: str, *, at_most: int = 80) -> str:
    line = " ".join(text.split())
    return line if len(line) <= at_most else f"{line[: at_most - 1]}…"
