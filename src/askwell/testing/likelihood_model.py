"""The contract of `LikelihoodModel`."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

from askwell.core.protocols import LikelihoodModel
from askwell.testing.requests import make_request

REPLIES = ("4", "four", "The answer is four, as far as I can see.", "ü 数 \U0001f600")


class LikelihoodModelContract:
    """Inherit this class and give it a fixture `likelihood_model`."""

    def test_a_log_probability_is_finite_and_at_most_0(self, likelihood_model: LikelihoodModel) -> None:
        for value in log_probabilities(likelihood_model, REPLIES):
            assert math.isfinite(value)
            assert value <= 0

    def test_the_same_reply_gets_the_same_number_alone_and_among_others(
        self, likelihood_model: LikelihoodModel
    ) -> None:
        together = log_probabilities(likelihood_model, REPLIES)
        alone = [log_probabilities(likelihood_model, [reply])[0] for reply in REPLIES]
        # Batches round differently, in half precision by up to a hundredth.
        assert all(math.isclose(left, right, rel_tol=0.01) for left, right in zip(together, alone, strict=True))

    def test_another_reply_gets_another_number(self, likelihood_model: LikelihoodModel) -> None:
        assert len(set(log_probabilities(likelihood_model, REPLIES))) > 1


def log_probabilities(model: LikelihoodModel, replies: Sequence[str]) -> list[float]:
    """Score all replies to one request at once."""
    request = make_request("What is 2 + 2?")

    async def use() -> list[float]:
        return await asyncio.gather(*(model.logprob(request, reply) for reply in replies))

    return asyncio.run(use())
