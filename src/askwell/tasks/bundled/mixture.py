"""Bundles of bundled tasks, "numbers_max+words_first+review_sentiment": queries that no single prompt suits.

Each query's text tells which family it is of, and nothing else does: that is what a query-level policy has to learn.
"""

from __future__ import annotations

from collections import Counter

from askwell.core.errors import ConfigError
from askwell.core.types import Example, Split
from askwell.tasks.bundled.catalog import find_task
from askwell.tasks.bundled.data import draw_examples

JOIN = "+"


def member_tasks(name: str) -> tuple[str, ...]:
    """Return the tasks a name stands for. Raises `ConfigError` for an unknown one, or two of a family.

    Tasks of a family share their inputs: the same query would have two right answers.
    """
    tasks = tuple(part.strip() for part in name.split(JOIN))
    families = Counter(find_task(task)[0].name for task in tasks)
    family, count = families.most_common(1)[0]
    if count > 1:
        shared = [task for task in tasks if find_task(task)[0].name == family]
        raise ConfigError(
            f"{name!r}: {' and '.join(shared)} are asked about the same inputs; take one task of a family"
        )
    return tasks


def examples(name: str, split: Split, n: int, seed: int = 0) -> list[Example]:
    """Return `n` examples of a task, or of a bundle with its tasks in turn (see `draw_examples`)."""
    tasks = member_tasks(name)
    share = -(-n // len(tasks))
    drawn = [draw_examples(task, split, share, seed) for task in tasks]
    return [drawn[index % len(tasks)][index // len(tasks)] for index in range(n)]
