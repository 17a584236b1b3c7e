"""Retry the calls of a run that failed permanently, and update its result; no answered call is paid for twice.

Retried rollouts are written as unordered, after all events with a fixed position in the log: a run that is resumed
later continues as it would have. Finished steps are not repeated. For a finished run, the best prompt is chosen
again from the completed dev scores, tested if it wasn't yet, and a new `result` event supersedes the old one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from askwell.core.errors import StoreError
from askwell.core.event_loop import Stopper
from askwell.core.trajectory import Trajectory
from askwell.core.types import Candidate, Event, Prompt, Split
from askwell.engine.evaluator import Evaluator
from askwell.engine.jobs import OptimizeJob, open_run
from askwell.engine.loop import encode_result
from askwell.engine.progress import Progress, Watch, with_progress
from askwell.engine.rollout_queue import RolloutSlot
from askwell.engine.scores import mean
from askwell.runlog.bodies import OPTIMIZATION_RESULT
from askwell.runlog.codec import Body, prompt_id
from askwell.runlog.fold import RunFold, SlotKey, fold, missing_slots, read_result
from askwell.runlog.store import UNORDERED, RunStore


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryResult:
    """The result of `retry_missing`."""

    missing: int
    """Calls that were missing, including those of the test of a newly chosen prompt."""
    filled: int


async def retry_missing(job: OptimizeJob, store: RunStore, stopper: Stopper, watch: Watch) -> RetryResult:
    """Make the missing calls on dev and test again. Caps apply to all that the run has spent.

    Raises `StoreError` if the run has scored nothing yet, `RunFailed` if no call of a prompt can be answered.
    """
    # Whatever is still missing was missing before: no share of it is a reason to stop.
    target_setup = replace(job.target_setup, max_missing=1.0)
    async with open_run(
        store, stopper, header=job.header, target_setup=target_setup, optimizer_model=job.optimizer_model, caps=job.caps
    ) as opened:
        journal, evaluator = opened.journal, opened.evaluator
        logged = fold(store)
        if not len(logged.trajectory):
            raise StoreError("the run has not scored its first prompt yet: there is nothing to fill, resume it instead")
        retry = _Retry(evaluator=evaluator, store=store, watch=watch, steps=job.settings.steps)
        dev = await retry.fill(logged.trajectory.candidates, "dev")
        final = read_result(store, OPTIMIZATION_RESULT)
        if final is None:
            return dev
        initial, best = _choose_best(fold(store))
        earlier_best = [c for c in logged.trajectory.complete if prompt_id(c.prompt) == final["best"]]
        test = await retry.fill([initial, best, *earlier_best], "test")
        body = encode_result(cast("str", final["reason"]), initial, best, fold(store))
        if _outcome(body) != _outcome(final):
            await journal.write(Event(position=UNORDERED, kind="result", body=body))
        return RetryResult(missing=dev.missing + test.missing, filled=dev.filled + test.filled)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Retry:
    evaluator: Evaluator
    store: RunStore
    watch: Watch
    steps: int

    async def fill(self, candidates: Sequence[Candidate], split: Split) -> RetryResult:
        logged = fold(self.store)
        failed = missing_slots(self.store, logged)
        prompts = list(dict.fromkeys(candidate.prompt for candidate in candidates))
        slots = [slot for prompt in prompts for slot in self._missing_slots(prompt, split, logged, failed)]
        if not slots:
            return RetryResult(missing=0, filled=0)
        before = self.evaluator.done
        filled = 0
        rollouts = self.evaluator.rollouts(slots)
        async for rollout in with_progress(rollouts, lambda: self._show(logged.trajectory, split, before, len(slots))):
            filled += rollout.score is not None
        return RetryResult(missing=len(slots), filled=filled)

    def _missing_slots(
        self, prompt: Prompt, split: Split, logged: RunFold, failed: Iterable[SlotKey]
    ) -> Iterator[RolloutSlot]:
        """Lay out the calls that failed and those never made (a test cut short by a cap; not what a race skipped)."""
        scored, name = logged.scores_of(prompt, split), prompt_id(prompt)
        failed_here = {
            (example, sample)
            for slot_split, slot_prompt, example, sample in failed
            if (slot_split, slot_prompt) == (split, name)
        }
        candidates = [candidate for candidate in logged.trajectory.candidates if candidate.prompt == prompt]
        # A candidate that lost a race lacks examples on purpose: only its failed calls are made again.
        lost_race = split == "dev" and all(candidate.partial for candidate in candidates)
        step = max((candidate.step for candidate in candidates), default=0)
        for example in self.evaluator.task.splits.get(split, ()):
            for sample_index in range(self.evaluator.sampling.repeats):
                if (example.id, sample_index) in failed_here or (example.id not in scored and not lost_race):
                    yield RolloutSlot(
                        position=UNORDERED,
                        step=step,
                        split=split,
                        prompt=prompt,
                        example=example,
                        sample_index=sample_index,
                    )

    def _show(self, history: Trajectory, split: Split, before: int, total: int) -> None:
        self.watch(
            Progress(
                step=history.next_step - 1,
                steps=self.steps,
                stage=f"retrying {total} missing {split} calls",
                rollouts_done=self.evaluator.done - before,
                rollouts_total=total,
                trajectory=history,
            )
        )


def _choose_best(logged: RunFold) -> tuple[Candidate, Candidate]:
    """Return the initial candidate and the best one, by all current dev scores."""
    rescored: list[Candidate] = []
    for candidate in logged.trajectory.candidates:
        scores = logged.scores_of(candidate.prompt, "dev")
        score = mean(scores[example_id] for example_id in sorted(scores)) if scores else candidate.score
        rescored.append(replace(candidate, score=score, n=len(scores), example_scores=scores))
    history = Trajectory(candidates=tuple(rescored))
    return history.candidates[0], history.best


def _outcome(body: Body) -> Mapping[str, object]:
    return {name: body.get(name) for name in ("initial", "best", "dev", "test")}
