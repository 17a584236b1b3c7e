"""How a run grades its replies, as far as its log says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from askwell.core.errors import ConfigError, DataError
from askwell.core.protocols import Metric
from askwell.core.types import Example, Rollout
from askwell.runlog.fold import read_header
from askwell.runlog.prompt_rollouts import read_examples_by_id
from askwell.runlog.store import RunStore
from askwell.tasks.grading.normalize import visible_text
from askwell.tasks.metrics import ANSWER_TYPES, metric

COMPARES_WHOLE_REPLY = frozenset({"contains", "regex", "f1", "rouge-l"})
"""Answer types that look at the whole reply, so that no reply is unreadable for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grading:
    """How replies are graded, and how long they may be."""

    metric: str | None = None
    """An answer type, or the name of a function; "" if each bundled task has its own; None if the log has none."""
    max_tokens: int | None = None
    """Longest reply; None if the log has none."""
    labels: tuple[str, ...] = ()
    """The targets that occur in the data: what "label" reads."""

    @property
    def is_answer_type(self) -> bool:
        """Whether the metric can be looked up by its name."""
        return self.metric in ANSWER_TYPES

    def grader(self, answer_type: str) -> Metric:
        """Return the metric of an answer type for this data."""
        return metric(answer_type, labels=self.labels)

    def has_no_answer(self, rollout: Rollout, example: Example) -> bool:
        """Return whether the metric found nothing to grade in an answered call's reply."""
        score, reply = rollout.score, rollout.completion.text
        if score is None or score.value > 0:
            return False
        if not visible_text(reply):
            return True
        if score.answer or self.metric is None or self.metric in COMPARES_WHOLE_REPLY:
            return False
        if not self.metric:
            return True
        # A function may have the name of an answer type, and a function states no answer.
        return self.is_answer_type and not self._read_answer(self.metric, reply, example)

    def _read_answer(self, answer_type: str, reply: str, example: Example) -> str:
        try:
            return self.grader(answer_type)(reply, example).answer
        except (ConfigError, DataError) as error:  # the target does not fit: the log's metric is a function
            return str(error)


def read_grading(store: RunStore) -> Grading:
    """Read how a run grades its replies."""
    config = read_header(store).get("config")
    name, max_tokens = _setting(config, "task", "metric"), _setting(config, "target", "max_tokens")
    return Grading(
        metric=name if isinstance(name, str) else None,
        max_tokens=max_tokens if isinstance(max_tokens, int) else None,
        labels=tuple(
            sorted({target for example in read_examples_by_id(store).values() for target in targets(example)})
        ),
    )


def targets(example: Example) -> tuple[str, ...]:
    """Return the accepted targets of an example."""
    return (example.target,) if isinstance(example.target, str) else example.target


def describe_metric(name: str | None) -> str:
    """Name a metric within a sentence."""
    if name is None:
        return "its metric"
    return f"the metric `{name}`" if name else "the answer type of each bundled task"


def _setting(config: object, section: str, name: str) -> object:
    """Return a setting of a log's header; None for a run that was made with other settings."""
    table = cast("Mapping[str, object]", config).get(section) if isinstance(config, Mapping) else None
    return cast("Mapping[str, object]", table).get(name) if isinstance(table, Mapping) else None
