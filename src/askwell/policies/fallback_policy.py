"""Policies that generate a prompt for each query and fall back to the baseline prompt.

    fallback = tune_on_gains(advantages, gains)
    policy = FallbackPolicy(writer=writer, baseline=baseline, fallback=fallback, samples=4)
    policy.prompts_for(["How many …"])  # the `Policy` protocol, batched

Few-shot: a generated prompt has the demonstrations of the baseline prompt.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from askwell.core.types import Prompt
from askwell.policies.fallback_threshold import ALWAYS_SWITCH, FallbackThreshold
from askwell.policies.protocols import PromptWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedPrompt:
    """A policy's prompt for one query before the fallback, with its predicted advantage."""

    prompt: Prompt
    advantage: float
    """Predicted gain over the baseline prompt, in the unit of the value head; 0 for the baseline prompt itself."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FallbackPolicy:
    """Generate prompts, rank them by the value head, and fall back to the baseline prompt if no gain is predicted."""

    writer: PromptWriter
    baseline: Prompt
    fallback: FallbackThreshold
    samples: int = 0
    """0: the greedy prompt alone. N: the best by the value head of the greedy prompt and N sampled ones."""
    seed: int = 0

    def prompts_for(self, queries: Sequence[str]) -> list[Prompt]:
        if self.fallback.margin == math.inf:
            return [self.baseline] * len(queries)
        return [self._apply_fallback(generated) for generated in self.generate(queries)]

    def generate(self, queries: Sequence[str]) -> list[GeneratedPrompt]:
        """Return each query's best generated prompt by the value head, without the fallback."""
        options = self._generate_options(queries)
        if not self.samples and self.fallback == ALWAYS_SWITCH:  # one prompt and no threshold: no value is needed
            return [GeneratedPrompt(prompt=self._with_instruction(texts[0]), advantage=math.inf) for texts in options]
        flat = [(row, text) for row, texts in enumerate(options) for text in texts]
        of_baseline = [(query, self.baseline.instruction) for query in queries]
        values = self.writer.value([*((queries[row], text) for row, text in flat), *of_baseline])
        best: dict[int, GeneratedPrompt] = {}
        for (row, text), value in zip(flat, values[: len(flat)], strict=True):
            gain = 0.0 if text == self.baseline.instruction else value - values[len(flat) + row]
            if row not in best or gain > best[row].advantage:
                best[row] = GeneratedPrompt(prompt=self._with_instruction(text), advantage=gain)
        return [best[row] for row in range(len(queries))]

    def _apply_fallback(self, generated: GeneratedPrompt) -> Prompt:
        return generated.prompt if generated.advantage > self.fallback.margin else self.baseline

    def _generate_options(self, queries: Sequence[str]) -> list[list[str]]:
        """Return the distinct prompts generated for each query, the greedy one first."""
        options = self.writer.write(queries, samples=0, seed=self.seed)
        if self.samples:
            sampled = self.writer.write(queries, samples=self.samples, seed=self.seed)
            options = [[*greedy, *texts] for greedy, texts in zip(options, sampled, strict=True)]
        return [list(dict.fromkeys(texts)) for texts in options]

    def _with_instruction(self, instruction: str) -> Prompt:
        return replace(self.baseline, instruction=instruction)
