"""Means of rollouts' scores, summed in a fixed order so that their last bit doesn't depend on what arrived first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping

from askwell.core.types import Prompt, Rollout


async def scores_by_prompt(rollouts: AsyncIterator[Rollout]) -> dict[Prompt, dict[str, float]]:
    """Fold a stream of rollouts into prompt -> example id -> mean score; missing calls are absent, never 0."""
    values: dict[Prompt, dict[str, dict[int, float]]] = {}
    async for rollout in rollouts:
        by_example = values.setdefault(rollout.prompt, {})
        if rollout.score is not None:
            by_example.setdefault(rollout.example_id, {})[rollout.sample_index] = rollout.score.value
    return {
        prompt: {example_id: mean_of_samples(by_sample) for example_id, by_sample in sorted(by_example.items())}
        for prompt, by_example in values.items()
    }


def mean_of_samples(values: Mapping[int, float]) -> float:
    """Return the mean over samples, summed in the order of their indices."""
    return mean(value for _, value in sorted(values.items()))


def mean(values: Iterable[float]) -> float:
    """Return the arithmetic mean, summed in the order given; 0 for none."""
    terms = list(values)
    return sum(terms) / len(terms) if terms else 0.0
