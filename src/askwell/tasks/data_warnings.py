"""What a user should know about a data set before a run is paid for: copies, contradictions, too few examples."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence

from askwell.core.errors import DataError
from askwell.core.protocols import Metric
from askwell.core.types import Example, Split
from askwell.tasks.questions import RowCounts

FEW_EXAMPLES = 30
"""With fewer examples on dev and test together, the 95 % interval of a score is wider than 35 points."""


def describe_rows(rows: RowCounts, *, dropped: bool) -> Iterator[str]:
    """Describe the copies and contradictions among a data set's rows; `dropped` says whether copies were left out."""
    if rows.copies:
        fate = "were left out" if dropped else "are kept, so that their questions count more than once"
        yield f"{rows.copies:,} of {rows.read:,} rows repeat the question and the target of an earlier row and {fate}"
    if rows.contradicting:
        questions = "1 question has" if rows.contradicting == 1 else f"{rows.contradicting:,} questions have"
        yield (
            f"{questions} rows with different targets, and all of these rows are kept: correct the data unless these "
            "are different questions"
        )


def describe_size(splits: Mapping[Split, Sequence[Example]]) -> Iterator[str]:
    """Say what can't be learnt or shown from few examples."""
    dev, test = len(splits.get("dev", ())), len(splits.get("test", ()))
    if dev + test < FEW_EXAMPLES:
        half_width = 98 / math.sqrt(max(test or dev, 1))
        yield (
            f"only {dev} dev and {test} test examples: too few to learn from or to show a gain (the 95 % interval of a "
            f"score is about ±{half_width:.0f} points); give {FEW_EXAMPLES} or more, better 100"
        )


def describe_targets(examples: Sequence[Example]) -> Iterator[str]:
    """Say that targets look like lists and were read as one text each."""
    single = [example.target for example in examples if isinstance(example.target, str)]
    lists = sum(_is_json_list(target) for target in single)
    if lists and 2 * lists > len(examples):
        yield (
            f"{lists:,} of {len(examples):,} targets look like a JSON list and are one text each: if they list several "
            'right answers, give fields={"target": "FIELD[]"}, on the command line --field target="FIELD[]"'
        )


def describe_metric(metric: Metric, name: str, example: Example) -> Iterator[str]:
    """Say that a metric function does not find a target right as a reply, which means that it compares other things."""
    target = example.target if isinstance(example.target, str) else example.target[0]
    advice = "check what it compares and the order of its parameters, (reply, target) or (reply, example)"
    try:
        value = metric(target, example).value
    except DataError as error:
        yield f"the metric fails for a target as the reply: {error}"
        return
    if value == 0.0:
        yield f"metric {name!r} gives 0 for the reply {target!r:.80}, the target of example {example.id!r}: {advice}"


def _is_json_list(text: str) -> bool:
    if not text.lstrip().startswith("["):
        return False
    try:
        return isinstance(json.loads(text), list)
    except (ValueError, RecursionError):
        return False
