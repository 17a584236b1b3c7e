"""Grade replies by a task's metric, and check that a logged run was graded by the same one."""

from __future__ import annotations

from collections.abc import Iterator

from askwell.core.errors import AskwellError, DataError, StoreError
from askwell.core.protocols import Metric
from askwell.core.types import Example, Rollout, Score
from askwell.runlog.fold import read_rollouts
from askwell.runlog.store import RunStore
from askwell.tasks.task import Task

_SHOWN_CHARACTERS = 300
_MOST_CHECKED = 2_000
"""Replies that are graded again: a changed metric shows in the first few, and a log may hold a million."""
_ROUNDING = 1e-9


class MetricFailed(DataError):
    """The metric raised on a reply. The reply is in the log, so a resumed run does not pay for it again."""


def grade_reply(metric: Metric, reply: str, example: Example) -> Score:
    """Return the metric's score. Raises `MetricFailed`, with the example and the reply, if the metric raises."""
    try:
        return metric(reply, example)
    except Exception as error:
        problem = str(error) if isinstance(error, AskwellError) else f"the metric raised {error!r}"
        raise MetricFailed(
            f"{problem} on the reply {_shorten(reply)!r} to the example {example.id!r} ({_shorten(example.input)!r}, "
            f"target {example.target!r}). The reply is in the log: repair the metric and resume the run, and it is not "
            "paid for again"
        ) from error


def check_grades(store: RunStore, task: Task) -> None:
    """Grade logged replies again. Raises `StoreError` if one gets another score: the metric is another one."""
    examples = {example.id: example for members in task.splits.values() for example in members}
    for rollout in _distinct_scored(store):
        example = examples.get(rollout.example_id)
        if example is None or rollout.score is None:
            continue
        now = grade_reply(task.metric, rollout.completion.text, example).value
        if abs(now - rollout.score.value) > _ROUNDING:
            raise StoreError(
                "the metric is not the one that graded this run: the reply "
                f"{_shorten(rollout.completion.text)!r} to the example {example.id!r} scored "
                f"{rollout.score.value:g} then and {now:g} now; give the metric as it was, or name a new run"
            )


def _distinct_scored(store: RunStore) -> Iterator[Rollout]:
    seen: set[tuple[str, str]] = set()
    for rollout in read_rollouts(store):
        key = rollout.example_id, rollout.completion.text
        if rollout.score is None or key in seen:
            continue
        if len(seen) == _MOST_CHECKED:
            return
        seen.add(key)
        yield rollout


def _shorten(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
