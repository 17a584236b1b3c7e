"""Every metric and every placement keeps its contract."""

from __future__ import annotations

import pytest

from askwell.core.protocols import Metric, Render
from askwell.core.types import Example
from askwell.tasks.metrics import ANSWER_TYPES, from_callable, metric
from askwell.tasks.render import PLACEMENTS, ChatRender
from askwell.testing import MetricContract, RenderContract

SPECIAL: dict[str, tuple[str, str, str]] = {
    "choice": ("Which one?\n(A) a cat\n(B) a dog", "B", "The answer is (B)."),
    "number": ("How many?", "12", "The answer is 12."),
    "boolean": ("Is it so?", "yes", "Yes, it is."),
    "yesno": ("Is it so?", "yes", "Yes, it is."),
    "label": ("What is it?\nOptions:\n- red ships\n- a green house", "a green house", "It is a green house."),
    "brackets": ("Complete the sequence: < ( [", "] ) >", "The answer is ] ) >."),
}
"""Answer type -> question, target and a good reply, if the target itself is none."""


@pytest.mark.parametrize("name", sorted(ANSWER_TYPES), scope="class")
class TestAnswerTypes(MetricContract):
    @pytest.fixture
    def metric(self, name: str) -> Metric:
        return metric(name)

    @pytest.fixture
    def example(self, name: str) -> Example:
        question, target, _ = SPECIAL.get(name, ("What is it?", "the green house", ""))
        return Example(id="e", input=question, target=target)

    @pytest.fixture
    def good_reply(self, name: str) -> str:
        return SPECIAL[name][2] if name in SPECIAL else "the green house"

    @pytest.fixture
    def bad_reply(self) -> str:
        return "7 red ships, no"


class TestCallable(MetricContract):
    @pytest.fixture
    def metric(self) -> Metric:
        def contains(reply: str, target: str) -> float:
            return float(target in reply)

        return from_callable(contains)

    @pytest.fixture
    def example(self) -> Example:
        return Example(id="e", input="How many?", target="12")

    @pytest.fixture
    def good_reply(self) -> str:
        return "It is 12."

    @pytest.fixture
    def bad_reply(self) -> str:
        return "None."


@pytest.mark.parametrize("labels", [False, True], scope="class")
@pytest.mark.parametrize("style", ["turns", "inline"], scope="class")
@pytest.mark.parametrize("placement", sorted(PLACEMENTS), scope="class")
class TestPlacements(RenderContract):
    @pytest.fixture
    def render(self, placement: str, style: str, labels: bool) -> Render:
        return ChatRender(placement=placement, demos=style, labels=labels)  # pyright: ignore[reportArgumentType] - parametrized
