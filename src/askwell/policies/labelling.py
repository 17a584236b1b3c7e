"""Asking the target about pairs that the log holds beforehand: what a loop collects, its dev figures, the test."""

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
from askwell.policies.guarded import WrittenPrompt
from askwell.policies.loop_records import ChosenPairs, Purpose, encode_chosen
from askwell.runlog.codec import encode_prompt

Show = Callable[[str, int, int], None]
"""Told what is going on: the stage, target calls done in it, and in all."""

_ENDLESS = 1e9
"""Stands for an advantage nobody asked the value head for: JSON knows no infinity."""

_SPLITS: Mapping[Purpose, Split] = MappingProxyType({"collect": "train", "dev": "dev", "test": "test"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedScores:
    """What was written and the static prompt on the same examples."""

    ours: list[float]
    baseline: list[float]
    advantages: list[float]
    switch_rate: float

    @property
    def gains(self) -> list[float]:
        return [ours - baseline for ours, baseline in zip(self.ours, self.baseline, strict=True)]


@dataclass(slots=True, kw_only=True)
class PairLabeller:
    """Puts pairs to the target through one evaluator; `known` holds what the log had fixed before a kill."""

    evaluator: Evaluator
    baseline: Prompt
    examples: Mapping[str, Example]
    """By id: whoever may be asked."""
    known: dict[tuple[int, Purpose], ChosenPairs]
    show: Show = lambda stage, done, total: None
    _named: set[Prompt] = field(default_factory=set[Prompt])

    async def compared(
        self,
        loop: int,
        purpose: Purpose,
        examples: Sequence[Example],
        write: Callable[[Sequence[str]], list[WrittenPrompt]],
    ) -> PairedScores:
        """Ask what is written and the static prompt on the same examples; examples that miss either are left out."""

        def choose() -> ChosenPairs:
            written = write([example.input for example in examples])
            return ChosenPairs(
                loop=loop,
                purpose=purpose,
                pairs=tuple((one.id, what.prompt) for one, what in zip(examples, written, strict=True)),
                advantages=tuple(min(what.advantage, _ENDLESS) for what in written),
            )

        scores = _means(await self.asked(loop, purpose, choose, with_baseline=True))
        chosen = self.known[loop, purpose]
        rows = [
            (scores[one, prompt], scores[one, self.baseline], advantage, prompt != self.baseline)
            for (one, prompt), advantage in zip(chosen.pairs, chosen.advantages, strict=True)
            if (one, prompt) in scores and (one, self.baseline) in scores
        ]
        return PairedScores(
            ours=[row[0] for row in rows],
            baseline=[row[1] for row in rows],
            advantages=[row[2] for row in rows],
            switch_rate=sum(row[3] for row in rows) / max(1, len(rows)),
        )

    async def asked(
        self, loop: int, purpose: Purpose, choose: Callable[[], ChosenPairs], *, with_baseline: bool = False
    ) -> list[Rollout]:
        """Fix the pairs in the log, texts first, then ask the target; what was answered before costs nothing."""
        chosen = self.known.get((loop, purpose))
        if chosen is None:
            self.show(f"loop {loop}: writing prompts ({purpose})", 0, 0)
            chosen = self.known[loop, purpose] = await asyncio.to_thread(choose)
        pairs = [*chosen.pairs, *((one, self.baseline) for one, _ in chosen.pairs if with_baseline)]
        journal = self.evaluator.journal
        texts = [prompt for prompt in dict.fromkeys(prompt for _, prompt in pairs) if prompt not in self._named]
        self._named.update(texts)
        first = journal.reserve(len(texts) + 1)
        await journal.write(
            *(
                Event(position=first + place, kind="prompt", body=encode_prompt(text))
                for place, text in enumerate(texts)
            ),
            Event(position=first + len(texts), kind="pairs", body=encode_chosen(chosen)),
        )
        cells = self._cells(list(dict.fromkeys(pairs)), loop, purpose)
        begun = self.evaluator.done
        stage = f"loop {loop}: asking the target ({purpose})"

        def see() -> None:
            self.show(stage, self.evaluator.done - begun, len(cells))

        return [rollout async for rollout in with_progress(self.evaluator.rollouts(cells), see)]

    def _cells(self, pairs: Sequence[tuple[str, Prompt]], loop: int, purpose: Purpose) -> list[RolloutSlot]:
        draws = self.evaluator.sampling.repeats
        first = self.evaluator.journal.reserve(len(pairs) * draws)
        return [
            RolloutSlot(
                position=first + place * draws + sample_index,
                step=loop,
                split=_SPLITS[purpose],
                prompt=prompt,
                example=self.examples[one],
                sample_index=sample_index,
            )
            for place, (one, prompt) in enumerate(pairs)
            for sample_index in range(draws)
        ]


def _means(rollouts: Sequence[Rollout]) -> dict[tuple[str, Prompt], float]:
    values: dict[tuple[str, Prompt], list[float]] = {}
    for rollout in rollouts:
        if rollout.score is not None:
            values.setdefault((rollout.example_id, rollout.prompt), []).append(rollout.score.value)
    return {pair: mean(found) for pair, found in values.items()}
