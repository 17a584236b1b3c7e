"""Fill the cells of a run that failed for good, and bring its result up to date; nothing answered is paid for twice.

What is filled is written aside: behind everything that has a fixed place in the log, so that a run that is still to be
resumed goes on as it would have. Steps that were taken are not taken again. Of a finished run the best prompt is chosen
anew from the completed dev scores, tested where it was not yet, and a new `result` event supersedes the old one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from askwell import columns, views
from askwell.blocking import Stopper
from askwell.columns import Columns, Place
from askwell.errors import StoreError
from askwell.evaluation import Evaluator, mean, watched
from askwell.feed import Cell
from askwell.job import OptimizeJob, open_run
from askwell.loop import Progress, Watch, result_body
from askwell.records import Body, prompt_id
from askwell.store import ASIDE, RunStore
from askwell.trajectory import Trajectory
from askwell.types import Candidate, Event, Prompt, Split


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What `fill` did."""

    missing: int
    """Cells that were missing, those of a newly chosen prompt's test included."""
    filled: int


def missing_cells(found: Columns, store: RunStore) -> dict[Split, int]:
    """Count the cells that were asked for and never answered, by split; splits without any are left out."""
    counts: dict[Split, int] = {}
    for split, *_ in columns.missing(found, store.cells()):
        counts[cast("Split", split)] = counts.get(cast("Split", split), 0) + 1
    return counts


async def fill(job: OptimizeJob, store: RunStore, stopper: Stopper, watch: Watch) -> Repaired:
    """Ask again for what is missing on dev and test. Caps hold, over all that the run has spent.

    Raises `StoreError` where the run has scored nothing yet, `RunFailed` where nothing of a prompt can be answered.
    """
    side = replace(job.side, max_missing=1.0)
    async with open_run(
        store, stopper, header=job.header, side=side, optimizer_model=job.optimizer_model, caps=job.caps
    ) as opened:
        journal, evaluator = opened.journal, opened.evaluator
        found = columns.read(store)
        if not len(found.trajectory):
            raise StoreError("the run has not scored its first prompt yet: there is nothing to fill, resume it instead")
        repair = _Repair(evaluator=evaluator, store=store, watch=watch, steps=job.settings.steps)
        dev = await repair.fill(found.trajectory.candidates, "dev")
        final = views.result(store.events(kinds=["result"]))
        if final is None:
            return dev
        initial, best = _chosen(columns.read(store))
        earlier = [one for one in found.trajectory.complete if prompt_id(one.prompt) == final["best"]]
        test = await repair.fill([initial, best, *earlier], "test")
        found = columns.read(store)
        body = result_body(cast("str", final["reason"]), initial, best, found)
        if _findings(body) != _findings(final):
            await journal.write(Event(position=ASIDE, kind="result", body=body))
        return Repaired(missing=dev.missing + test.missing, filled=dev.filled + test.filled)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Repair:
    evaluator: Evaluator
    store: RunStore
    watch: Watch
    steps: int

    async def fill(self, candidates: Sequence[Candidate], split: Split) -> Repaired:
        found = columns.read(self.store)
        failed = columns.missing(found, self.store.cells())
        prompts = list(dict.fromkeys(candidate.prompt for candidate in candidates))
        cells = [cell for prompt in prompts for cell in self._missing(prompt, split, found, failed)]
        if not cells:
            return Repaired(missing=0, filled=0)
        before = self.evaluator.done
        filled = 0
        rollouts = self.evaluator.rollouts(cells)
        async for rollout in watched(rollouts, lambda: self._show(found.trajectory, split, before, len(cells))):
            filled += rollout.score is not None
        return Repaired(missing=len(cells), filled=filled)

    def _missing(self, prompt: Prompt, split: Split, found: Columns, failed: Iterable[Place]) -> Iterator[Cell]:
        """Lay out what failed, and what was never asked for (a test that a cap cut short; not what a race spared)."""
        known, name = found.of(prompt, split), prompt_id(prompt)
        gaps = {(example, draw) for place, owner, example, draw in failed if (place, owner) == (split, name)}
        raced = split == "dev" and all(one.partial for one in found.trajectory.candidates if one.prompt == prompt)
        step = max((one.step for one in found.trajectory.candidates if one.prompt == prompt), default=0)
        for example in self.evaluator.task.splits.get(split, ()):
            for draw in range(self.evaluator.sampling.repeats):
                if (example.id, draw) in gaps or (example.id not in known and not raced):
                    yield Cell(position=ASIDE, step=step, split=split, prompt=prompt, example=example, draw=draw)

    def _show(self, history: Trajectory, split: Split, before: int, total: int) -> None:
        self.watch(
            Progress(
                step=history.next_step - 1,
                steps=self.steps,
                stage=f"filling {total} missing {split} cells",
                cells_done=self.evaluator.done - before,
                cells_total=total,
                trajectory=history,
            )
        )


def _chosen(found: Columns) -> tuple[Candidate, Candidate]:
    """Return the initial candidate and the best one, by all dev scores there are now."""
    rescored: list[Candidate] = []
    for candidate in found.trajectory.candidates:
        scores = found.of(candidate.prompt, "dev")
        score = mean(scores[example_id] for example_id in sorted(scores)) if scores else candidate.score
        rescored.append(replace(candidate, score=score, n=len(scores), example_scores=scores))
    history = Trajectory(candidates=tuple(rescored))
    return history.candidates[0], history.best


def _findings(body: Body) -> Mapping[str, object]:
    return {name: body[name] for name in ("initial", "best", "dev", "test")}
