"""The rule for target calls that fail, in plain evaluation and in races.

1. A failed call is never a score.
2. Every failed call is retried once, after the waiting slots: a rate limit or an outage may be over by then. A request
   that the server rejects as bad while it answers others (too long for the context, for example) is missing at once.
3. If the first `dead_after` results of all are failures, the endpoint counts as dead and the run stops at once.
4. A slot that failed twice is missing. If more than `max_missing` (a share of the requested slots) are missing, or all
   slots of one prompt, the run stops: such a prompt would have no honest score. The rejected requests of one example do
   not count: under any prompt the server rejects that row, which is more than the share in a small data set.
5. Otherwise the missing slots are logged as unordered, so that their positions stay free and a resumed run or a later
   retry can still fill them.

The run stops with `RunFailed`, or with `ModelError` if no call was ever answered and no connection could be made (a
wrong address) or every request was rejected (a wrong model name). An authentication fault is not covered: the evaluator
raises `ModelError` at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from askwell.core.errors import ModelError, RunFailed
from askwell.core.types import Event, Prompt, Rollout
from askwell.engine.rollout_queue import RolloutSlot
from askwell.runlog.codec import encode_rollout
from askwell.runlog.store import UNORDERED
from askwell.runlog.writer import Journal


class MissingCalls:
    """Apply the rule above to the results of one evaluation or race."""

    def __init__(self, *, target: str, journal: Journal, max_missing: float, dead_after: int) -> None:
        self._target = target
        self._journal = journal
        self._max_missing = max_missing
        self._dead_after = dead_after
        self._answered: set[Prompt] = set()
        self._failed_once: list[Rollout] = []
        self._missing: list[Rollout] = []

    @property
    def any_answered(self) -> bool:
        return bool(self._answered)

    def record_answer(self, prompt: Prompt) -> None:
        """Note that a call of this prompt was answered."""
        self._answered.add(prompt)

    def record_failure(self, slot: RolloutSlot, rollout: Rollout, *, requested: int) -> RolloutSlot | None:
        """Return the slot to retry; None if no retry can help, or if this was its second failure.

        `requested` is the number of slots requested so far. Raises if the endpoint counts as dead.
        """
        is_rejected = rollout.completion.fault == "bad_request" and self.any_answered
        if slot.is_retry or is_rejected:
            self._missing.append(rollout)
            return None
        self._failed_once.append(rollout)
        if not self._answered and len(self._failed_once) >= self._dead_after:
            raise self._failure(self._failed_once, requested)
        return replace(slot, is_retry=True)

    def check_share(self, *, of: int, requested: int) -> None:
        """Raise if more slots are missing than the allowed share of `of` slots."""
        if self._counted_missing() > self._max_missing * of:
            raise self._failure(self._missing, requested)

    async def finish(self, *, requested: int) -> AsyncGenerator[Rollout, None]:
        """Log the missing slots and yield their rollouts (score None). Raises if there are too many."""
        if not self._answered and not self._missing:
            self._missing = self._failed_once  # nothing was answered, so nothing was retried
        if any(rollout.prompt not in self._answered for rollout in self._missing):
            raise self._failure(self._missing, requested)
        self.check_share(of=requested, requested=requested)
        for rollout in self._missing:
            await self._journal.write(Event(position=UNORDERED, kind="rollout", body=encode_rollout(rollout)))
            yield rollout

    def _counted_missing(self) -> int:
        """Count the missing slots, without the rejected requests of the one example that has most of them."""
        rejected = Counter(rollout.example_id for rollout in self._missing if rollout.completion.fault == "bad_request")
        return len(self._missing) - max(rejected.values(), default=0)

    def _failure(self, failed: Sequence[Rollout], requested: int) -> RunFailed | ModelError:
        faults = Counter(rollout.completion.fault or "unknown" for rollout in failed)
        counts = ", ".join(f"{count} × {fault}" for fault, count in faults.most_common())
        words = Counter(rollout.completion.error for rollout in failed).most_common(1)[0][0]
        if set(faults) == {"connection"} and next(self._journal.store.events(kinds=["rollout"]), None) is None:
            return ModelError(f"{self._target} cannot be reached: {words}")
        if set(faults) == {"bad_request"} and not self.any_answered:
            return ModelError(f"{self._target}: {words}")
        repair = "repair the endpoint"
        if set(faults) == {"bad_request"}:
            repair = (
                "leave out the examples that the server rejects, or allow more missing calls (run.max_missing, "
                "--max-missing)"
            )
        return RunFailed(
            f"{len(failed)} of {requested} target calls failed for good ({counts}); the server's most frequent error: "
            f"{words!r}. None of them was scored, and what succeeded is in the log: {repair} and resume"
        )
