"""The metric `label` takes its labels from the data of the task."""

from __future__ import annotations

import pytest

import askwell
from askwell.api.build_task import resolve_answer_type
from askwell.api.config import TaskConfig

ROWS = [
    {"question": f"What is article {number} about?", "answer": topic}
    for number, topic in enumerate(("Sports", "World", "Sci/Tech", "Sports"))
]


@pytest.mark.parametrize(
    ("form", "score"),
    [("The section is {}.", 1.0), ("{}: it tells of something", 1.0), ("not {}", 0.0), ("Sports or World", 0.0)],
)
def test_the_targets_of_the_data_are_the_labels(form: str, score: float) -> None:
    topics = {row["question"]: row["answer"] for row in ROWS}

    def model(prompt: str) -> str:
        return form.format(next(topic for question, topic in topics.items() if question in prompt))

    evaluation = askwell.evaluate("Name the topic.", data=ROWS, target=model, metric="label")[0]
    assert evaluation.score.estimate == score


def test_the_classification_benchmarks_use_it() -> None:
    names = ("ag_news", "imdb", "tweet_emotion")
    assert {resolve_answer_type(TaskConfig(data=f"bench:{name}")) for name in names} == {"label"}
