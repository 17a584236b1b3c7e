"""QPO's multi-loop: train on the log, generate new prompts, label them with the target, train again.

    loop 0       fits a selector among the logged prompts, which the writers have to beat; it trains no writer
    loop 1       trains a writer on the log
    loop t > 1   labels prompts that loop t-1's policy generates for collection queries, then trains again
    after each   compares its policy with the baseline prompt on dev queries: a paired gain with an interval
    the end      when loops bring no gain, calls run out, or all loops are done; then one test of the best loop's policy

Deviations from the paper: a dev split that nothing is trained on decides which loop's policy is kept; several prompts
per query are labelled, and the baseline prompt with them (`label_baseline`); no pair is labelled twice.

Pairs are logged before they are labelled, and the evaluator logs every answer. So a killed run continues from its log,
and pays for no call twice.
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
from askwell.engine.replies.commonest import find_commonest_target
from askwell.engine.replies.grading import read_grading
from askwell.policies.acquisition import limit_pairs, select_pairs
from askwell.policies.checkpoints import WriterCheckpoints
from askwell.policies.data.outcomes import OutcomeRow, PairOutcomes, build_experiences, merge
from askwell.policies.data.subsample import thin_experiences
from askwell.policies.fallback_policy import FallbackPolicy, GeneratedPrompt
from askwell.policies.fallback_threshold import ALWAYS_SWITCH, FallbackThreshold, never_switch
from askwell.policies.fixed import FixedPolicy
from askwell.policies.labelling import PairLabeller, Show
from askwell.policies.loop_records import ChosenPairs, LoopResult, Tested, encode_loop, read_chosen
from askwell.policies.protocols import PromptWriter, Trainer
from askwell.policies.query_splits import QuerySplits
from askwell.policies.rewards import reward_experiences
from askwell.policies.selection.fallback import cross_fit_gains, tune_on_gains
from askwell.policies.selector_writer import fit_selector
from askwell.policies.settings import LoopsSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopsResult:
    """The deployed policy, and the results of all loops and of the test."""

    policy: Policy
    best_loop: int
    loops: tuple[LoopResult, ...]
    tested: Tested | None
    """None if the baseline prompt is kept for all queries (both sides are equal then), or if there is no test split."""
    reason: str
    """Why the loops ended."""


@dataclass(kw_only=True)
class MultiLoop:
    """One run of the loops, over a journal with a header."""

    splits: QuerySplits
    baseline: Prompt
    trainer: Trainer
    evaluator: Evaluator
    settings: LoopsSettings
    checkpoints: WriterCheckpoints
    """Of each loop's writer."""
    calls_left: Callable[[], float] = lambda: math.inf
    """Target calls that may still be paid, without those reserved for the final test."""
    show: Show = lambda stage, done, total: None

    def __post_init__(self) -> None:
        examples = (*self.splits.dev_examples, *self.splits.collection, *self.splits.test)
        self._labeller = PairLabeller(
            evaluator=self.evaluator,
            baseline=self.baseline,
            examples={example.id: example for example in examples},
            chosen=read_chosen(self.evaluator.journal.store),
            show=self.show,
        )

    async def run(self) -> LoopsResult:
        """Run the loops, then test the best loop's policy once."""
        done, reason = await self._run_loops()
        best = max(done, key=lambda loop: loop.result.with_fallback.estimate)  # the first of equals: fewer trainings
        tested = None
        if not _keeps_baseline(best.policy.fallback):
            try:
                tested = await self._test(best)
            except BudgetExhausted as exhausted:
                reason = f"{reason}; {exhausted}, and the final test was cut short"
        return LoopsResult(
            policy=FixedPolicy(prompt=self.baseline) if _keeps_baseline(best.policy.fallback) else best.policy,
            best_loop=best.result.loop,
            loops=tuple(loop.result for loop in done),
            tested=tested,
            reason=reason,
        )

    async def _run_loops(self) -> tuple[list[_EvaluatedLoop], str]:
        """Return the finished loops, and why there are no more."""
        done = await self._run_selector_loop()
        outcomes, writer = self.splits.train, None
        for number in range(1, self.settings.loops + 1):
            try:
                acquired = [] if writer is None else await self._acquire(number, writer)
                if number > 1 and not acquired:
                    return done, "no new prompt to label, or no target calls left for it"
                outcomes = merge([*_as_rows(outcomes), *acquired])
                writer = await self._train(number, outcomes, writer)
                done.append(
                    await self._evaluate(number, writer, outcomes, len(acquired), samples=self.settings.samples)
                )
            except BudgetExhausted as exhausted:
                if not done:
                    raise
                return done, str(exhausted)
            if self._is_over(done):
                return done, f"loop {number} brought nothing"
        return done, "all loops done"

    async def _run_selector_loop(self) -> list[_EvaluatedLoop]:
        """Run loop 0, the selector among the logged prompts; return no loop if it can't be fitted."""
        if not self.settings.selector_first:
            return []
        baseline, seed = self.baseline.instruction, self.settings.seed
        selector = await asyncio.to_thread(lambda: fit_selector(self.splits.train, baseline=baseline, seed=seed))
        if selector is None:
            return []
        return [await self._evaluate(0, selector, self.splits.train, 0, samples=0)]

    def _is_over(self, done: Sequence[_EvaluatedLoop]) -> bool:
        trained = [loop for loop in done if loop.result.loop]
        return 0 < self.settings.patience <= _loops_without_gain(trained)

    async def _acquire(self, number: int, writer: PromptWriter) -> list[OutcomeRow]:
        """Label new pairs of the last loop's writer."""
        rollouts = await self._labeller.label(number, "collect", lambda: self._choose_pairs(number, writer))
        return [_as_outcome(rollout) for rollout in rollouts if rollout.score is not None]

    def _choose_pairs(self, number: int, writer: PromptWriter) -> ChosenPairs:
        settings = self.settings
        most = self._affordable_pairs(number)
        past = [pair for chosen in self._labeller.chosen.values() for pair in chosen.pairs]
        new = select_pairs(
            writer,
            self.splits.collection,
            pairs=int(min(settings.acquire, most)),
            prompts=settings.prompts,
            acquisition=settings.acquisition,
            labelled={(self._labeller.examples[example_id].input, prompt.instruction) for example_id, prompt in past},
            seed=settings.seed + number,
        )
        pairs = [(example.id, replace(self.baseline, instruction=text)) for example, text in new]
        tried = {example_id for example_id, prompt in past if prompt == self.baseline}
        baseline = self.baseline if settings.label_baseline else None
        return ChosenPairs(
            loop=number, purpose="collect", pairs=limit_pairs(pairs, baseline=baseline, tried=tried, most=most)
        )

    def _affordable_pairs(self, number: int) -> float:
        """Return the most pairs that this loop may label: its even share of the calls left, less the dev comparison."""
        share = self.calls_left() / self.evaluator.sampling.repeats / (self.settings.loops - number + 1)
        return max(0.0, share - len(self.splits.dev_examples))

    async def _train(self, number: int, outcomes: PairOutcomes, start: PromptWriter | None) -> PromptWriter:
        """Train this loop's writer, or read the one that a killed run had finished."""
        finished = self.checkpoints.read(number)
        if finished is not None:
            return finished
        baseline, settings = self.baseline.instruction, self.settings
        *parts, _ = self._training_experiences(outcomes)
        train, dev = (
            thin_experiences(part, most=settings.most_prompts, always=baseline, seed=settings.seed) for part in parts
        )
        self.show(f"loop {number}: training on {len(train):,} outcomes", 0, 0)
        writer = await asyncio.to_thread(lambda: self.trainer.fit(train, dev, start=start, seed=settings.seed + number))
        self.checkpoints.write(number, writer)
        if self.evaluator.stopping:
            raise Interrupted
        return writer

    def _training_experiences(self, outcomes: PairOutcomes) -> tuple[list[Experience], list[Experience], str]:
        """Return train and dev experiences, and a description of their reward, empty if it is the score."""
        baseline, settings = self.baseline.instruction, self.settings
        if settings.reward == "accuracy":
            return (
                build_experiences(outcomes, baseline=baseline),
                build_experiences(self.splits.dev, baseline=baseline),
                "",
            )
        return reward_experiences(
            outcomes, self.splits.dev, formula=settings.reward, scaled=settings.min_max, baseline=baseline,
            confident=settings.loops == 1,  # later loops label pairs without log-probabilities
        )  # fmt: skip

    async def _evaluate(
        self, number: int, writer: PromptWriter, trained_on: PairOutcomes, acquired: int, *, samples: int
    ) -> _EvaluatedLoop:
        """Compare a loop's policy with the baseline prompt on dev queries, tune its fallback, and log the results."""
        has_fallback, seed = self.settings.fallback, self.settings.seed
        policy = FallbackPolicy(
            writer=writer,
            baseline=self.baseline,
            fallback=never_switch() if has_fallback else ALWAYS_SWITCH,
            samples=samples,
            seed=seed,
        )
        compared = await self._labeller.compare_with_baseline(number, "dev", self.splits.dev_examples, policy.generate)
        gains, predicted = compared.gains, compared.advantages
        result = LoopResult(
            loop=number,
            acquired=acquired,
            trained_on=len(trained_on.pairs),
            reward=self._training_experiences(trained_on)[2],
            baseline=mean_interval(compared.baseline),
            without_fallback=_mean_gain(gains, seed),
            with_fallback=_mean_gain(cross_fit_gains(predicted, gains, seed=seed) if has_fallback else gains, seed),
            fallback=tune_on_gains(predicted, gains) if has_fallback else ALWAYS_SWITCH,
            target_calls=self._count_calls(),
        )
        await self._write("loop", encode_loop(result))
        return _EvaluatedLoop(result=result, policy=replace(policy, fallback=result.fallback))

    async def _test(self, best: _EvaluatedLoop) -> Tested | None:
        """Compare the deployed policy with the baseline prompt on the test split; None without a test split."""
        if not self.splits.test:
            return None
        self.evaluator.release_reserve()

        def send(queries: Sequence[str]) -> list[GeneratedPrompt]:
            return [GeneratedPrompt(prompt=prompt, advantage=0.0) for prompt in best.policy.prompts_for(queries)]

        compared = await self._labeller.compare_with_baseline(best.result.loop, "test", self.splits.test, send)
        return Tested(
            baseline=mean_interval(compared.baseline),
            policy=mean_interval(compared.policy),
            gain=_mean_gain(compared.gains, self.settings.seed),
            switch_rate=compared.switch_rate,
            commonest=find_commonest_target(self.splits.test, read_grading(self.evaluator.journal.store)),
        )

    def _count_calls(self) -> int:
        """Count the paid target calls before this position; the log of a resumed run may hold later ones."""
        journal = self.evaluator.journal
        return sum(not row.is_cached for row in journal.store.rollout_rows() if row.position < journal.next_position)

    async def _write(self, kind: EventKind, body: dict[str, object]) -> None:
        journal = self.evaluator.journal
        await journal.write(Event(position=journal.reserve(), kind=kind, body=body))


@dataclass(frozen=True, slots=True, kw_only=True)
class _EvaluatedLoop:
    """A finished loop: its results, and its policy."""

    result: LoopResult
    policy: FallbackPolicy


def _mean_gain(gains: Sequence[float], seed: int) -> Interval:
    return paired_difference(gains, [0.0] * len(gains), method="bootstrap-t", seed=seed)


def _keeps_baseline(fallback: FallbackThreshold) -> bool:
    return fallback.margin == math.inf


def _loops_without_gain(done: Sequence[_EvaluatedLoop]) -> int:
    """Return the number of loops since the largest gain with the fallback.

    While no loop had such a gain, the gain without the fallback counts: it may grow before the threshold is passed.
    """
    gains = [loop.result.with_fallback.estimate for loop in done]
    if max(gains) <= 0.0:
        gains = [loop.result.without_fallback.estimate for loop in done]
    return len(gains) - 1 - gains.index(max(gains))


def _as_outcome(rollout: Rollout) -> OutcomeRow:
    assert rollout.score is not None
    return OutcomeRow(
        query=rollout.query,
        prompt=rollout.prompt.instruction,
        total=rollout.score.value,
        sample_index=rollout.sample_index,
    )


def _as_rows(outcomes: PairOutcomes) -> list[OutcomeRow]:
    return [
        OutcomeRow(
            query=pair.query, prompt=pair.prompt, total=pair.total, repeats=pair.repeats, confidence=pair.confidence
        )
        for pair in outcomes.pairs
    ]
