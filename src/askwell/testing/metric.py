"""The contract of `Metric`."""

from __future__ import annotations

from askwell.core.protocols import Metric
from askwell.core.types import Example

REPLIES = ("", " \n", "I don't know.", "\x00 \ud800 \U0001f600", "42 " * 5_000, "{", "(A) or (B)")


class MetricContract:
    """Inherit this class and give it the fixtures `metric` and `example`, and `good_reply` and `bad_reply` to it."""

    def test_any_reply_gets_a_value_in_0_to_1(
        self, metric: Metric, example: Example, good_reply: str, bad_reply: str
    ) -> None:
        for reply in (*REPLIES, good_reply, bad_reply):
            value = metric(reply, example).value
            assert 0 <= value <= 1, f"{reply[:20]!r} got {value!r}"

    def test_a_good_reply_gets_more_than_a_bad_one(
        self, metric: Metric, example: Example, good_reply: str, bad_reply: str
    ) -> None:
        assert metric(good_reply, example).value > metric(bad_reply, example).value

    def test_the_same_reply_gets_the_same_score(self, metric: Metric, example: Example, good_reply: str) -> None:
        for reply in (*REPLIES, good_reply):
            assert metric(reply, example) == metric(reply, example)
