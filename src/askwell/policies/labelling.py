"""Label (query, prompt) pairs with the target: new pairs of a loop, its dev comparison, the final test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from askwell.core.types import Event, Example, Prompt, Rollout, Split
from askwell.engine.evaluator import Evaluator
from askwell.engine.progress import with_progress
from askwell.engine.rollout_queue import RolloutSlot
from askwell.engine.scores import mean
from askwell.policies.fallback_policy import GeneratedPrompt
from askwell.policies.loop_records import ChosenPairs, Purpose, encode_chosen
from askwell.runlog.codec import encode_prompt

Show = Callable[[str, int, int], None]
"""Display progress: `show(stage, parts done in it, parts in it)`; 0 parts for a stage that is not counted.

The parts are target calls, or the outcomes of an epoch.
"""

_NO_ESTIMATE = 1e9
"""Logged for the infinite advantage of a prompt that was not valued, because JSON has no infinity."""

_SPLITS: Mapping[Purpose, Split] = MappingProxyType({"collect": "train", "dev": "dev", "test": "test"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedScores:
    """Scores of a policy and of the baseline prompt on the same examples."""

    policy: list[float]
    baseline: list[float]
    advantages: list[float]
    """Predicted."""
    switch_rate: float
    """Share of the examples on which the policy sends another prompt than the baseline prompt."""

    @property
    def gains(self) -> list[float]:
        return [policy - baseline for policy, baseline in zip(self.policy, self.baseline, strict=True)]


@dataclass(slots=True, kw_only=True)
class PairLabeller:
    """Labels pairs with the target, through one evaluator."""

    evaluator: Evaluator
    baseline: Prompt
    examples: Mapping[str, Example]
    """By id; all examples that pairs may name."""
    chosen: dict[tuple[int, Purpose], ChosenPairs]
    """Pairs chosen so far, among them those in the log of a killed run."""
    show: Show = lambda stage, done, total: None
    _logged_prompts: set[Prompt] = field(default_factory=set[Prompt])

    async def compare_with_baseline(
        self,
        loop: int,
        purpose: Purpose,
        examples: Sequence[Example],
        generate: Callable[[Sequence[str]], list[GeneratedPrompt]],
    ) -> PairedScores:
        """Score generated prompts and the baseline prompt on the same examples; leave out those without both scores."""

        def choose() -> ChosenPairs:
            prompts = generate([example.input for example in examples])
            return ChosenPairs(
                loop=loop,
                purpose=purpose,
                pairs=tuple(
                    (example.id, generated.prompt) for example, generated in zip(examples, prompts, strict=True)
                ),
                advantages=tuple(min(generated.advantage, _NO_ESTIMATE) for generated in prompts),
            )

        scores = _mean_scores(await self.label(loop, purpose, choose, with_baseline=True))
        chosen = self.chosen[loop, purpose]
        rows = [
            (scores[example_id, prompt], scores[example_id, self.baseline], advantage, prompt != self.baseline)
            for (example_id, prompt), advantage in zip(chosen.pairs, chosen.advantages, strict=True)
            if (example_id, prompt) in scores and (example_id, self.baseline) in scores
        ]
        return PairedScores(
            policy=[row[0] for row in rows],
            baseline=[row[1] for row in rows],
            advantages=[row[2] for row in rows],
            switch_rate=sum(row[3] for row in rows) / max(1, len(rows)),
        )

    async def label(
        self, loop: int, purpose: Purpose, choose: Callable[[], ChosenPairs], *, with_baseline: bool = False
    ) -> list[Rollout]:
        """Choose pairs, log them, then label them; answers that are in the log cost no call.

        `choose` is called unless the log of a killed run has the pairs. Their prompts are logged first.
        """
        chosen = self.chosen.get((loop, purpose))
        if chosen is None:
            self.show(f"loop {loop}: generating prompts ({purpose})", 0, 0)
            chosen = self.chosen[loop, purpose] = await asyncio.to_thread(choose)
        pairs = [*chosen.pairs, *((example_id, self.baseline) for example_id, _ in chosen.pairs if with_baseline)]
        journal = self.evaluator.journal
        prompts = [
            prompt for prompt in dict.fromkeys(prompt for _, prompt in pairs) if prompt not in self._logged_prompts
        ]
        self._logged_prompts.update(prompts)
        first = journal.reserve(len(prompts) + 1)
        await journal.write(
            *(
                Event(position=first + index, kind="prompt", body=encode_prompt(prompt))
                for index, prompt in enumerate(prompts)
            ),
            Event(position=first + len(prompts), kind="pairs", body=encode_chosen(chosen)),
        )
        slots = self._slots(list(dict.fromkeys(pairs)), loop, purpose)
        before = self.evaluator.done
        stage = f"loop {loop}: calling the target ({purpose}): {len(slots):,} calls"

        def show_progress() -> None:
            self.show(stage, self.evaluator.done - before, len(slots))

        return [rollout async for rollout in with_progress(self.evaluator.rollouts(slots), show_progress)]

    def _slots(self, pairs: Sequence[tuple[str, Prompt]], loop: int, purpose: Purpose) -> list[RolloutSlot]:
        repeats = self.evaluator.sampling.repeats
        first = self.evaluator.journal.reserve(len(pairs) * repeats)
        return [
            RolloutSlot(
                position=first + index * repeats + sample_index,
                step=loop,
                split=_SPLITS[purpose],
                prompt=prompt,
                example=self.examples[example_id],
                sample_index=sample_index,
            )
            for index, (example_id, prompt) in enumerate(pairs)
            for sample_index in range(repeats)
        ]


def _mean_scores(rollouts: Sequence[Rollout]) -> dict[tuple[str, Prompt], float]:
    values: dict[tuple[str, Prompt], list[float]] = {}
    for rollout in rollouts:
        if rollout.score is not None:
            values.setdefault((rollout.example_id, rollout.prompt), []).append(rollout.score.value)
    return {pair: mean(scores) for pair, scores in values.items()}
