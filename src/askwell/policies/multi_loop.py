"""QPO's multi-loop: learn from the log, let the policy try new prompts, label them on the target, learn again.

    loop 0 trains nothing: it chooses among the logged prompts, query by query, which is what a writer has to beat
    loop 1 learns from what was logged; loop t > 1 first labels what loop t-1's policy writes for collection queries
    after each loop: what its policy does on dev queries against the best static prompt, paired, with an interval
    ends when a loop brings nothing, calls run out, or all loops are done; then one test of the best loop's policy

Deviations from the paper: a dev split that nothing is trained on decides which loop's policy is kept; several prompts
per query are labelled, and the baseline prompt beside them (`label_baseline`); duplicates are never asked twice.

Everything asked is fixed in the log before it is asked, and every answer comes through the evaluator: a killed run goes
on where it was, and pays for nothing twice.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from askwell.core.errors import BudgetExhausted
from askwell.core.protocols import Policy
from askwell.core.stats import Interval, mean_interval, paired_difference
from askwell.core.types import Event, EventKind, Experience, Prompt, Rollout
from askwell.engine.evaluator import Evaluator, Interrupted
from askwell.policies.acquisition import select_pairs, within
from askwell.policies.checkpoints import WriterCheckpoints
from askwell.policies.data.outcomes import OutcomeRow, PairOutcomes, build_experiences, merge
from askwell.policies.data.subsample import thin_experiences
from askwell.policies.fixed import FixedPolicy
from askwell.policies.guarded import FallbackPolicy, WrittenPrompt
from askwell.policies.labelling import PairLabeller, Show
from askwell.policies.loop_records import ChosenPairs, LoopResult, decode_chosen, encode_loop
from askwell.policies.protocols import Trainer, Writer
from askwell.policies.query_splits import QuerySplits
from askwell.policies.rewards import rewarded
from askwell.policies.selection.fallback import (
    ALWAYS_SWITCH,
    FallbackThreshold,
    cross_fit_gains,
    never_switch,
    tune_on_gains,
)
from askwell.policies.selection_writer import fit_selector
from askwell.policies.settings import LoopsSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """The one look at the test split: static prompt and deployed policy on the same examples."""

    baseline: Interval
    policy: Interval
    gain: Interval
    switch_rate: float
    """Share of the test queries that got another prompt than the static one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopsResult:
    """What the loops came to."""

    policy: Policy
    best_loop: int
    loops: tuple[LoopResult, ...]
    tested: Tested | None
    """None where the static prompt was kept (it is then the same on both sides) or there is no test split."""
    reason: str


@dataclass(kw_only=True)
class MultiLoop:
    """One run of the loops over a journal that `begin` has been called on."""

    parts: QuerySplits
    baseline: Prompt
    trainer: Trainer
    evaluator: Evaluator
    settings: LoopsSettings
    keep: WriterCheckpoints
    """Where each loop's writer is kept."""
    calls_left: Callable[[], float] = lambda: math.inf
    """Target calls that may still be paid, what is kept back for the final test not counted."""
    show: Show = lambda stage, done, total: None

    def __post_init__(self) -> None:
        parts = (*self.parts.dev_examples, *self.parts.collection, *self.parts.test)
        self._asker = PairLabeller(
            evaluator=self.evaluator,
            baseline=self.baseline,
            examples={example.id: example for example in parts},
            known=decode_chosen(self.evaluator.journal.store.events(kinds=["prompt", "pairs"])),
            show=self.show,
        )

    async def run(self) -> LoopsResult:
        """Go through the loops, test the best policy once, and write the result."""
        done, reason = await self._loops()
        best = max(done, key=lambda one: one.result.guarded.estimate)  # the first of equals: fewer trainings
        tested = None
        if not _keeps_static(best.policy.guard):
            try:
                tested = await self._tested(best)
            except BudgetExhausted as exhausted:
                reason = f"{reason}; {exhausted}, and the final test was cut short"
        return LoopsResult(
            policy=FixedPolicy(prompt=self.baseline) if _keeps_static(best.policy.guard) else best.policy,
            best_loop=best.result.loop,
            loops=tuple(one.result for one in done),
            tested=tested,
            reason=reason,
        )

    async def _loops(self) -> tuple[list[_Done], str]:
        done = await self._chosen()
        cells, writer = self.parts.train, None
        for number in range(1, self.settings.loops + 1):
            try:
                collected = await self._collected(number, writer)
                if number > 1 and not collected:
                    return done, "no new prompt to label, or no target calls left for it"
                cells = merge([*_again(cells), *collected])
                writer = await self._trained(number, cells, writer)
                done.append(await self._on_dev(number, writer, cells, len(collected), samples=self.settings.samples))
            except BudgetExhausted as exhausted:
                if not done:
                    raise
                return done, str(exhausted)
            if self._is_over(done):
                return done, f"loop {number} brought nothing"
        return done, "all loops done"

    async def _chosen(self) -> list[_Done]:
        """Loop 0: what choosing among the logged prompts does; nothing where it can't be learnt."""
        if not self.settings.selector_first:
            return []
        baseline, seed = self.baseline.instruction, self.settings.seed
        chooser = await asyncio.to_thread(lambda: fit_selector(self.parts.train, baseline=baseline, seed=seed))
        if chooser is None:
            return []
        return [await self._on_dev(0, chooser, self.parts.train, 0, samples=0)]

    def _is_over(self, done: Sequence[_Done]) -> bool:
        trained = [one for one in done if one.result.loop]
        return 0 < self.settings.patience <= _barren(trained)

    async def _collected(self, number: int, writer: Writer | None) -> list[OutcomeRow]:
        """Label what the last loop's policy would try; the first loop has the log."""
        if writer is None:
            return []
        found = await self._asker.asked(number, "collect", lambda: self._new_pairs(number, writer))
        return [_outcome(rollout) for rollout in found if rollout.score is not None]

    def _new_pairs(self, number: int, writer: Writer) -> ChosenPairs:
        settings = self.settings
        room = self._affordable(number)
        past = [pair for chosen in self._asker.known.values() for pair in chosen.pairs]
        found = select_pairs(
            writer,
            self.parts.collection,
            pairs=int(min(settings.acquire, room)),
            prompts=settings.prompts,
            acquisition=settings.acquisition,
            known={(self._asker.examples[one].input, prompt.instruction) for one, prompt in past},
            seed=settings.seed + number,
        )
        written = [(example.id, replace(self.baseline, instruction=text)) for example, text in found]
        tried = {one for one, prompt in past if prompt == self.baseline}
        baseline = self.baseline if settings.label_baseline else None
        return ChosenPairs(
            loop=number, purpose="collect", pairs=within(written, baseline=baseline, tried=tried, room=room)
        )

    def _affordable(self, number: int) -> float:
        """Pairs this loop may ask for, the static prompt's among them: its even share of the calls left, less dev's."""
        share = self.calls_left() / self.evaluator.sampling.repeats / (self.settings.loops - number + 1)
        return max(0.0, share - len(self.parts.dev_examples))

    async def _trained(self, number: int, cells: PairOutcomes, start: Writer | None) -> Writer:
        """Train this loop's writer, or read the one that a killed run had finished."""
        kept = self.keep.read(number)
        if kept is not None:
            return kept
        baseline, settings = self.baseline.instruction, self.settings
        *parts, _ = self._worth(cells)
        train, dev = (
            thin_experiences(part, most=settings.most_prompts, always=baseline, seed=settings.seed) for part in parts
        )
        self.show(f"loop {number}: training on {len(train):,} outcomes", 0, 0)
        writer = await asyncio.to_thread(lambda: self.trainer.fit(train, dev, start=start, seed=settings.seed + number))
        self.keep.write(number, writer)
        if self.evaluator.stopping:
            raise Interrupted
        return writer

    def _worth(self, cells: PairOutcomes) -> tuple[list[Experience], list[Experience], str]:
        """What is learnt from and tuned on, with its rewards; and what they are, where it is not the plain score."""
        baseline, settings = self.baseline.instruction, self.settings
        if settings.reward == "accuracy":
            return build_experiences(cells, baseline=baseline), build_experiences(self.parts.dev, baseline=baseline), ""
        return rewarded(
            cells, self.parts.dev, formula=settings.reward, scaled=settings.min_max, baseline=baseline,
            confident=settings.loops == 1,
        )  # fmt: skip

    async def _on_dev(
        self, number: int, writer: Writer, trained_on: PairOutcomes, collected: int, *, samples: int
    ) -> _Done:
        guarded, seed = self.settings.fallback, self.settings.seed
        policy = FallbackPolicy(
            writer=writer,
            baseline=self.baseline,
            guard=never_switch() if guarded else ALWAYS_SWITCH,
            samples=samples,
            seed=seed,
        )
        compared = await self._asker.compared(number, "dev", self.parts.dev_examples, policy.written)
        gains, predicted = compared.gains, compared.advantages
        result = LoopResult(
            loop=number,
            collected=collected,
            trained_on=len(trained_on.pairs),
            reward=self._worth(trained_on)[2],
            baseline=mean_interval(compared.baseline),
            written=_gain(gains, seed),
            guarded=_gain(cross_fit_gains(predicted, gains, seed=seed) if guarded else gains, seed),
            guard=tune_on_gains(predicted, gains) if guarded else ALWAYS_SWITCH,
            target_calls=self._calls(),
        )
        await self._write("loop", encode_loop(result))
        return _Done(result=result, policy=replace(policy, guard=result.guard))

    async def _tested(self, best: _Done) -> Tested | None:
        """The one look at the test split."""
        if not self.parts.test:
            return None
        self.evaluator.release_reserve()

        def sent(queries: Sequence[str]) -> list[WrittenPrompt]:
            return [WrittenPrompt(prompt=prompt, advantage=0.0) for prompt in best.policy.prompts_for(queries)]

        found = await self._asker.compared(best.result.loop, "test", self.parts.test, sent)
        return Tested(
            baseline=mean_interval(found.baseline),
            policy=mean_interval(found.ours),
            gain=_gain(found.gains, self.settings.seed),
            switch_rate=found.switch_rate,
        )

    def _calls(self) -> int:
        """Target calls paid up to here; a resumed run's log already holds later ones."""
        journal = self.evaluator.journal
        return sum(not row.is_cached for row in journal.store.rollout_rows() if row.position < journal.next_position)

    async def _write(self, kind: EventKind, body: dict[str, object]) -> None:
        journal = self.evaluator.journal
        await journal.write(Event(position=journal.reserve(), kind=kind, body=body))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """A finished loop: its figures, and the policy they are of."""

    result: LoopResult
    policy: FallbackPolicy


def _gain(gains: Sequence[float], seed: int) -> Interval:
    return paired_difference(gains, [0.0] * len(gains), method="bootstrap-t", seed=seed)


def _keeps_static(guard: FallbackThreshold) -> bool:
    return guard.margin == math.inf


def _barren(done: Sequence[_Done]) -> int:
    """How many loops it is since one did better than all before; while the guard has opened in none, without it."""
    gains = [one.result.guarded.estimate for one in done]
    if max(gains) <= 0.0:
        gains = [one.result.written.estimate for one in done]
    return len(gains) - 1 - gains.index(max(gains))


def _outcome(rollout: Rollout) -> OutcomeRow:
    assert rollout.score is not None
    return OutcomeRow(
        query=rollout.query,
        prompt=rollout.prompt.instruction,
        total=rollout.score.value,
        sample_index=rollout.sample_index,
    )


def _again(cells: PairOutcomes) -> list[OutcomeRow]:
    return [
        OutcomeRow(
            query=pair.query, prompt=pair.prompt, total=pair.total, repeats=pair.repeats, confidence=pair.confidence
        )
        for pair in cells.pairs
    ]
