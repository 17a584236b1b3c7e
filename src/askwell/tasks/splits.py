"""Train, dev and test: drawn by a seed, or taken as given; never the same question in two of them."""

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
"""How large a split is: a whole number counts examples, a float in (0, 1] is a share of them, None is the default."""

SHARES: Mapping[Split, int] = {"train": 1, "dev": 1, "test": 3}
"""The paper's 1:1:3 (GPO, section 4.1)."""

CAPS: Mapping[Split, int] = {"train": 100, "dev": 100, "test": 300}
"""Largest default sizes, the paper's largest: every dev example costs a target call for each candidate prompt."""

OUTER = ".,;:!?…\"'`“”‘’«»"
"""Marks that don't make a question another one. Brackets and signs are not here: "(" and "-1" can be the question."""


def split(
    examples: Iterable[Example], *, train: Size = None, dev: Size = None, test: Size = None, seed: int
) -> dict[Split, tuple[Example, ...]]:
    """Draw three disjoint splits.

    Copies of a question (equal after `normalize_question`) are dropped, all but the first, and their number is logged: so the
    sizes are exact, no question is in two splits, and none counts twice. Sizes left out share what the others leave,
    1:1:3, at least one example each, and at most `CAPS`. An example's place hangs on the seed and its own question
    only: the order of the source does not matter, and adding examples moves few others.

    Raises `ConfigError` for a size that is none, `DataError` where there are too few examples.
    """
    unique = drop_duplicates(examples)
    sizes = split_sizes(len(unique), train=train, dev=dev, test=test)
    drawn = iter(sorted(unique, key=lambda example: _draw_key(example, seed)))
    return {name: tuple(itertools.islice(drawn, sizes[name])) for name in SPLITS}


def split_sizes(n: int, *, train: Size = None, dev: Size = None, test: Size = None) -> dict[Split, int]:
    """Number of examples in each split, of `n` different ones (see `split`)."""
    asked: dict[Split, Size] = {"train": train, "dev": dev, "test": test}
    sizes: dict[Split, int] = {name: _count(name, size, n) for name, size in asked.items() if size is not None}
    open_names: list[Split] = [name for name in SPLITS if name not in sizes]
    rest = n - sum(sizes.values())
    if rest < len(open_names):
        parts = ", ".join(f"{name} {sizes.get(name, 'at least 1')}" for name in SPLITS)
        raise DataError(
            f"{n} different examples are too few for {parts}: {len(open_names) - rest} short; "
            "ask for less or add examples"
        )
    sizes |= _default_sizes(rest, open_names)
    return {name: sizes[name] for name in SPLITS}


def join_splits(
    *, train: Sequence[Example] = (), dev: Sequence[Example] = (), test: Sequence[Example] = ()
) -> dict[Split, tuple[Example, ...]]:
    """Take splits as they are given, from separate files; a question in two of them is refused (`check_disjoint`).

    Where splits use the same ids (files that each count from 1), every id gets its split's name in front: ids are
    unique in a run.
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
    """Raise `DataError`, naming both examples, where two splits share a question (equal after `normalize_question`)."""
    seen: dict[str, tuple[Split, Example]] = {}
    for name, examples in splits.items():
        for example in examples:
            other, first = seen.setdefault(normalize_question(example.input), (name, example))
            if other != name:
                raise DataError(
                    f"{other} example {first.id!r} and {name} example {example.id!r} ask the same: "
                    f"{_short(example.input)!r}; remove one, or give one file and let it be split"
                )


def drop_duplicates(examples: Iterable[Example]) -> tuple[Example, ...]:
    """Keep the first example of each question; log how many went, and how many of those had another target."""
    kept: dict[str, Example] = {}
    copies = disagreeing = 0
    for example in examples:
        first = kept.setdefault(normalize_question(example.input), example)
        if first is not example:
            copies += 1
            disagreeing += first.target != example.target
    if copies:
        logger.warning(
            "%d of %d examples repeat a question and were left out (%d of them with another target)",
            copies,
            copies + len(kept),
            disagreeing,
        )
    return tuple(kept.values())


def normalize_question(text: str) -> str:
    """What two texts have in common when they are the same question: NFKC, case, white space, outer punctuation."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    words = " ".join(folded.split())
    return words.strip(OUTER + " ") or words


def _default_sizes(rest: int, names: Sequence[Split]) -> dict[Split, int]:
    """Share `rest` examples out; what rounding leaves over goes to the last (test, where it is open)."""
    sizes: dict[Split, int] = {}
    weight = sum(SHARES[name] for name in names)
    left = rest
    for index, name in enumerate(names):
        is_last = index == len(names) - 1
        share = left if is_last else max(1, rest * SHARES[name] // weight)
        sizes[name] = min(CAPS[name], share)
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
        raise ConfigError(f"size of {name} is {size!r}; expected a share in (0, 1], or a whole number of examples")
    return int(size * n + 1e-9)  # the shares of 0.2 + 0.2 + 0.6 never come to more than n


def _draw_key(example: Example, seed: int) -> tuple[bytes, str]:
    # A digest, not a shuffle: the draw must not depend on the order or the number of the other examples.
    question = normalize_question(example.input)
    return hashlib.blake2b(f"{seed}\n{question}".encode("utf-8", "surrogatepass"), digest_size=16).digest(), question


def _short(text: str, *, at_most: int = 80) -> str:
    line = " ".join(text.split())
    return line if len(line) <= at_most else f"{line[: at_most - 1]}…"
