"""Bundles of bundled tasks, such as "numbers_max+words_first+review_sentiment", that no single prompt solves.

Only a query's text shows which family it belongs to: a query-level policy has to learn that.
"""

from __future__ import annotations

from collections import Counter

from askwell.core.errors import ConfigError
from askwell.core.types import Example, Split
from askwell.tasks.bundled.catalog import find_task
from askwell.tasks.bundled.data import draw_examples

JOIN = "+"


def member_tasks(name: str) -> tuple[str, ...]:
    """Return the tasks of a bundle's name; raise `ConfigError` for an unknown task or two tasks of one family.

    Tasks of one family share their inputs, so the same query would have two right answers.
    """
    tasks = tuple(part.strip() for part in name.split(JOIN))
    families = Counter(find_task(task)[0].name for task in tasks)
    family, count = families.most_common(1)[0]
    if count > 1:
        shared = [task for task in tasks if find_task(task)[0].name == family]
        raise ConfigError(f"{name!r}: {' and '.join(shared)} have the same inputs; use one task per family")
    return tasks


def examples(name: str, split: Split, n: int, seed: int = 0) -> list[Example]:
    """Return `n` examples of a task, or of a bundle with its tasks in turn (see `draw_examples`)."""
    tasks = member_tasks(name)
    share = -(-n // len(tasks))
    drawn = [draw_examples(task, split, share, seed) for task in tasks]
    return [drawn[index % len(tasks)][index // len(tasks)] for index in range(n)]
