"""The whole idea on one page: propose prompts, score them on the dev split, write the step down, go on from the best.

A new run and a resumed run are the same code: history is read from the log, and what was answered before is answered
from there. The test split is touched once, after the last step.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from askwell import columns, views
from askwell.budget import Demand
from askwell.checks import at_least
from askwell.columns import Columns
from askwell.errors import BudgetExhausted, RunFailed, StoreError
from askwell.evaluation import Evaluator, Interrupted, mean, scores_by_prompt, watched
from askwell.feed import Cell
from askwell.journal import Journal
from askwell.race import Race, RaceSettings, cut_blocks
from askwell.records import candidate_body, example_body, prompt_id, proposal_body, rejection_body
from askwell.tasks.base import Task
from askwell.trajectory import Trajectory
from askwell.types import Candidate, Event, EventKind, Example, Prompt, Proposal, Rollout, Split


class Optimizer(Protocol):
    """Proposes prompts worth scoring.

    Contract: all state is the trajectory (so resuming is replaying), all randomness is the seed; returns no proposal
    twice, may return none; what it turned down itself (`rejected`) it returns too, to be written down and not scored;
    never looks at the dev or test examples. Raises `ModelError` or `RunFailed` where its model gives nothing to work
    with.
    """

    async def propose(self, trajectory: Trajectory, *, seed: int) -> list[Proposal]: ...

    def demand(self, step: int) -> Demand:
        """Return the most that `propose` asks for in this step (1 is the first), never less."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSettings:
    """When to stop, and where randomness starts."""

    steps: int = 18
    """Optimization steps at the most; the paper's three epochs of six."""
    patience: int = 0
    """Stop after this many steps without a better dev score; 0 goes on to the last step."""
    seed: int = 0
    """Seed of everything: same seed, same log."""

    def __post_init__(self) -> None:
        at_least("steps", self.steps, 0)
        at_least("patience", self.patience, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a run stands; handed to the watcher after everything that changes it."""

    step: int
    steps: int
    stage: str
    cells_done: int
    cells_total: int
    trajectory: Trajectory


Watch = Callable[[Progress], None]


async def run(
    *,
    initial: Sequence[Prompt],
    optimizer: Optimizer,
    evaluator: Evaluator,
    settings: LoopSettings,
    racing: RaceSettings | None = None,
    watch: Watch = lambda _: None,
) -> Trajectory:
    """Run (or go on with) the loop over the evaluator's log, test the winner, and return the history.

    `racing` says how a step's candidates are scored on dev; None scores all of them on all of it. The initial prompts
    always get all of it.
    """
    store = evaluator.journal.store
    history = columns.read(store).trajectory
    if views.result(store.events(kinds=["result"])) is not None:
        return history
    resume = views.resume_point(store.events(kinds=views.RESUMING))
    evaluator.journal.next_position = resume.position
    pending = list(resume.proposals)
    driver = _Driver(evaluator=evaluator, settings=settings, racing=racing, watch=watch)
    reason = ""
    while not len(history) or not (reason := driver.stop_reason(history)):
        try:
            pending = pending or await driver.proposals(history, initial, optimizer)
            history = await driver.step(history, pending)
        except BudgetExhausted as exhausted:
            if not len(history):
                raise  # nothing was scored: there is no best so far to end with
            reason = str(exhausted)
            break
        except RunFailed:
            if not evaluator.refused:
                raise
            reason = evaluator.refused  # the optimizer model's calls were not made, which is no fault
            break
        pending = []
        if evaluator.stopping:
            raise Interrupted
    await driver.finish(history, reason)
    return history


@dataclass(frozen=True, slots=True, kw_only=True)
class _Driver:
    evaluator: Evaluator
    settings: LoopSettings
    racing: RaceSettings | None
    watch: Watch

    async def proposals(self, history: Trajectory, initial: Sequence[Prompt], optimizer: Optimizer) -> list[Proposal]:
        """Ask for the next step's prompts and log them with their texts, before any of them is scored."""
        number = history.next_step
        if not len(history):
            found = [Proposal(prompt=prompt, origin="initial") for prompt in dict.fromkeys(initial)]
        else:
            self._show(history, "proposing prompts")
            found = await optimizer.propose(history, seed=derive_seed(self.settings.seed, "step", number))
        rejected = [rejection_body(proposal) for proposal in found if proposal.rejected]
        found = [proposal for proposal in found if not proposal.rejected]
        # A step without a usable prompt is still a step: the current prompt stays.
        found = found or [Proposal(prompt=history.current.prompt, origin="kept")]
        journal = self.evaluator.journal
        unseen = [proposal.prompt for proposal in found if history.find(proposal.prompt) is None]
        texts = journal.prompt_events(unseen)
        body: dict[str, object] = {"step": number, "proposals": [proposal_body(proposal) for proposal in found]}
        if rejected:
            body["rejected"] = rejected
        await journal.write(*texts, Event(position=journal.reserve(), kind="proposals", body=body))
        return found

    async def step(self, history: Trajectory, proposals: Sequence[Proposal]) -> Trajectory:
        """Score what is new on the dev split and commit the step; what was scored before costs nothing."""
        number = history.next_step
        known = {proposal.prompt: history.find(proposal.prompt) for proposal in proposals}
        unseen = [prompt for prompt, found in known.items() if found is None or found.partial]
        cells = self.evaluator.cells(unseen, split="dev", step=number)
        stage = f"step {number}: scoring {len(unseen)} prompts"
        body: dict[str, object] = {"step": number}
        partial: set[Prompt] = set()
        racing = self.racing
        if number and racing is not None and racing.method != "full":
            race = self._race(racing, history, proposals, cells)
            scores = await scores_by_prompt(self._watched(race.rollouts(), len(cells), history, stage))
            partial = {prompt for prompt in unseen if not race.is_complete(prompt)}
            body["race"] = {"calls": race.calls, "full": sum(known[cell.prompt] is None for cell in cells)}
        else:
            scores = await scores_by_prompt(self._watched(self.evaluator.rollouts(cells), len(cells), history, stage))
        candidates = [_candidate(proposal, number, history, scores, partial) for proposal in proposals]
        body["candidates"] = [candidate_body(one, reused=one.prompt not in scores) for one in candidates]
        await self._write("step", body)
        history = history.extended(candidates)
        self._show(history, "step done")
        return history

    def _race(
        self, racing: RaceSettings, history: Trajectory, proposals: Sequence[Proposal], cells: Sequence[Cell]
    ) -> Race:
        """Set the proposed prompts against the best so far. Blocks are the same in all steps, their order is not."""
        best = history.top(racing.incumbents)
        penalties = {one.prompt: one.penalty for one in (*best, *proposals)}
        known = {prompt: history.find(prompt) for prompt in penalties}
        return Race(
            self.evaluator,
            cells,
            entrants=penalties,
            known={prompt: found.example_scores for prompt, found in known.items() if found},
            settings=racing,
            blocks=cut_blocks(
                self.evaluator.task.splits["dev"],
                racing.block,
                seed=derive_seed(self.settings.seed, "blocks"),
                order_seed=derive_seed(self.settings.seed, "blocks", history.next_step),
            ),
        )

    async def finish(self, history: Trajectory, reason: str) -> None:
        """Touch the test split once: the initial prompt and the winner, side by side."""
        self.evaluator.open_for_the_test()
        first, best = history.candidates[0], history.best
        prompts = list(dict.fromkeys([first.prompt, best.prompt]))
        cells = self.evaluator.cells(prompts, split="test", step=history.next_step)
        try:
            rollouts = self.evaluator.rollouts(cells)
            await scores_by_prompt(self._watched(rollouts, len(cells), history, "testing the winner"))
        except BudgetExhausted as exhausted:  # what was kept back for the test was reckoned at average cost
            reason = f"{exhausted}, and the final test was cut short"
        body = result_body(reason, first, best, columns.read(self.evaluator.journal.store))
        await self._write("result", body)
        self._show(history, "done")

    def stop_reason(self, history: Trajectory) -> str:
        """Say why the run should end here, or nothing. A function of the history alone, so a resumed run agrees."""
        made = history.next_step - 1
        if made >= self.settings.steps:
            return f"all {self.settings.steps} steps done"
        if history.best.score >= 1.0:
            return "perfect dev score"
        if self.settings.patience and made - history.best.step >= self.settings.patience:
            return f"no better dev score in {self.settings.patience} steps"
        return ""

    def _watched(
        self, rollouts: AsyncGenerator[Rollout, None], total: int, history: Trajectory, stage: str
    ) -> AsyncGenerator[Rollout, None]:
        begun = self.evaluator.done

        def see() -> None:
            self._show(history, stage, done=self.evaluator.done - begun, total=total)

        return watched(rollouts, see)

    def _show(self, history: Trajectory, stage: str, *, done: int = 0, total: int = 0) -> None:
        self.watch(
            Progress(
                step=max(0, history.next_step - 1),
                steps=self.settings.steps,
                stage=stage,
                cells_done=done,
                cells_total=total,
                trajectory=history,
            )
        )

    async def _write(self, kind: EventKind, body: dict[str, object]) -> None:
        journal = self.evaluator.journal
        await journal.write(Event(position=journal.reserve(), kind=kind, body=body))


async def begin(journal: Journal, *, header: Mapping[str, object], task: Task) -> None:
    """Write a run's first events (settings, every example it may use) or check that a begun run has the same ones.

    Raises `StoreError` where the log was begun with other settings or other data.
    """
    known = next(journal.store.events(kinds=["run"]), None)
    if known is not None:
        _refuse_other_settings(known.body, header)
    examples: list[tuple[Split, Example]] = [
        (split, example) for split, members in task.splits.items() for example in members
    ]
    first = journal.reserve(1 + len(examples))
    opening = [] if known else [Event(position=first, kind="run", body=header)]
    await journal.write(
        *opening,
        *(
            Event(position=first + 1 + index, kind="example", body=example_body(example, split))
            for index, (split, example) in enumerate(examples)
        ),
    )


def result_body(reason: str, initial: Candidate, best: Candidate, found: Columns) -> dict[str, object]:
    """Spell the event that ends a run; a later one supersedes it."""
    scores = {one.prompt: found.of(one.prompt, "test") for one in (initial, best)}
    return {
        "reason": reason,
        "initial": prompt_id(initial.prompt),
        "best": prompt_id(best.prompt),
        "dev": {"initial": initial.score, "best": best.score, "n": best.n},
        "test": {
            prompt_id(prompt): {"score": mean(cells.values()), "n": len(cells)} for prompt, cells in scores.items()
        },
    }


def derive_seed(seed: int, *path: object) -> int:
    """Return a seed for one use: a pure function of the run's seed and what it is for (63 bits)."""
    text = "/".join(str(part) for part in (seed, *path))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def _candidate(
    proposal: Proposal,
    step: int,
    history: Trajectory,
    scores: Mapping[Prompt, Mapping[str, float]],
    partial: Collection[Prompt],
) -> Candidate:
    known = history.find(proposal.prompt)
    found = {**(known.example_scores if known else {}), **scores.get(proposal.prompt, {})}
    told = known if proposal.prompt not in scores else None
    return Candidate(
        step=step,
        prompt=proposal.prompt,
        score=told.score if told else mean(found[example_id] for example_id in sorted(found)),
        n=told.n if told else len(found),
        parent=proposal.parent,
        origin=proposal.origin,
        lesson=proposal.lesson,
        penalty=proposal.penalty,
        example_scores=found,
        partial=proposal.prompt in partial,
    )


def _refuse_other_settings(known: Mapping[str, object], given: Mapping[str, object]) -> None:
    before, now = (dict(_flat(cast("Mapping[str, object]", header["config"]))) for header in (known, given))
    other = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    if other:
        changes = "; ".join(f"{name}: {before.get(name)!r} then, {now.get(name)!r} now" for name in other)
        raise StoreError(f"this run was begun with other settings ({changes}): resume it as it was, or name a new run")


def _flat(settings: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield each setting of nested sections with its dotted name."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(cast("Mapping[str, object]", value), f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
