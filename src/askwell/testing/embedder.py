"""The contract of `Embedder`."""

from __future__ import annotations

import math

from askwell.core.protocols import Embedder

TEXTS = (
    "Count the even numbers.",
    "How many numbers are even?",
    "Translate the text into French.",
    "",
    "数 \U0001f600 ü",
    "Count the even numbers.",
)
ROUNDING = 1e-4
"""Models in half precision give equal texts this much less or more than 1."""


class EmbedderContract:
    """Inherit this class and give it a fixture `embedder`."""

    def test_each_text_gets_one_number_of_at_most_1(self, embedder: Embedder) -> None:
        for text in TEXTS:
            values = embedder.similarities(text, TEXTS)
            assert len(values) == len(TEXTS)
            assert all(math.isfinite(value) and value <= 1 + ROUNDING for value in values)
        assert list(embedder.similarities(TEXTS[0], [])) == []

    def test_equal_texts_get_1(self, embedder: Embedder) -> None:
        values = embedder.similarities(TEXTS[0], TEXTS)
        assert abs(values[0] - 1) <= ROUNDING
        assert abs(values[-1] - 1) <= ROUNDING

    def test_a_text_about_the_same_is_more_similar_than_one_about_something_else(self, embedder: Embedder) -> None:
        _, same, other, *_ = embedder.similarities(TEXTS[0], TEXTS)
        assert same > other

    def test_the_same_texts_give_the_same_numbers_in_their_order(self, embedder: Embedder) -> None:
        values = embedder.similarities(TEXTS[0], TEXTS)
        assert list(embedder.similarities(TEXTS[0], TEXTS)) == list(values)
        backwards = embedder.similarities(TEXTS[0], TEXTS[::-1])
        assert all(abs(left - right) <= ROUNDING for left, right in zip(values, backwards[::-1], strict=True))
