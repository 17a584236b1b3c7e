"""The optimization loop: propose prompts, score them on the dev split, log the step, repeat.

A new run and a resumed run use the same code: the history is read from the log, and calls that were answered before are
answered from the log. The test split is used once, after the last step.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from askwell.core.errors import BudgetExhausted, RunFailed, StoreError, UnusableReplies
from askwell.core.protocols import Optimizer
from askwell.core.settings_tree import flatten_settings
from askwell.core.trajectory import Trajectory
from askwell.core.types import Candidate, Event, EventKind, Example, Prompt, Proposal, Rollout, Split
from askwell.core.validation import check_at_least
from askwell.engine.evaluator import Evaluator, Interrupted
from askwell.engine.progress import Progress, Watch, with_progress
from askwell.engine.race import Race, RaceSettings, cut_blocks
from askwell.engine.replies.first_look import Finding, format_finding, read_first_look
from askwell.engine.rollout_queue import RolloutSlot
from askwell.engine.scores import mean, scores_by_prompt
from askwell.runlog.codec import (
    decode_example,
    encode_candidate,
    encode_example,
    encode_proposal,
    encode_rejection,
    prompt_id,
)
from askwell.runlog.fold import RunFold, find_resume_point, fold, read_result
from askwell.runlog.reading import read_events
from askwell.runlog.store import UNORDERED, RunStore
from askwell.runlog.writer import Journal
from askwell.tasks.task import Task

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSettings:
    """When to stop, and the seed."""

    steps: int = 18
    """Most optimization steps; the paper's three epochs of six."""
    patience: int = 0
    """Stop after this many steps without a better dev score; 0 runs all steps."""
    seed: int = 0
    """Seed of everything: same seed, same log."""

    def __post_init__(self) -> None:
        check_at_least("steps", self.steps, 0)
        check_at_least("patience", self.patience, 0)


async def run(
    *,
    initial: Sequence[Prompt],
    optimizer: Optimizer,
    evaluator: Evaluator,
    settings: LoopSettings,
    racing: RaceSettings | None = None,
    watch: Watch = lambda _: None,
    force: bool = False,
) -> Trajectory:
    """Run (or resume) the loop over the evaluator's log, test the winner, and return the history.

    `racing` says how a step's candidates are scored on dev; None scores each of them on the whole split. The initial
    prompts are always scored on the whole split. A run that was ended by a cap goes on if that cap is higher now.

    Raises `UnusableReplies` before the first step if most replies to the initial prompt cannot be scored; `force` makes
    that a warning.
    """
    store = evaluator.journal.store
    history = fold(store).trajectory
    resume = find_resume_point(store)
    if resume.ended and not evaluator.is_extended(resume.ended):
        return history
    evaluator.journal.next_position = resume.position
    pending = list(resume.proposals)
    driver = _Driver(evaluator=evaluator, settings=settings, racing=racing, watch=watch)
    reason = ""
    while not len(history) or not (reason := driver.stop_reason(history)):
        if history.next_step == 1 and not pending:
            driver.look_at_first_replies(history, force=force)
        try:
            pending = pending or await driver.propose(history, initial, optimizer)
            history = await driver.score(history, pending)
        except BudgetExhausted as exhausted:
            if not len(history):
                raise  # nothing was scored: there is no best prompt to end with
            reason = str(exhausted)
            break
        except RunFailed:
            if not evaluator.refused:
                raise
            reason = evaluator.refused  # the budget refused the optimizer model's calls, which is no fault
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

    async def propose(self, history: Trajectory, initial: Sequence[Prompt], optimizer: Optimizer) -> list[Proposal]:
        """Request the next step's prompts and log them with their texts, before any of them is scored."""
        step = history.next_step
        if not len(history):
            proposals = [Proposal(prompt=prompt, origin="initial") for prompt in dict.fromkeys(initial)]
        else:
            self._show(history, "proposing prompts")
            proposals = await optimizer.propose(history, seed=derive_seed(self.settings.seed, "step", step))
        rejected = [encode_rejection(proposal) for proposal in proposals if proposal.rejected]
        accepted = [proposal for proposal in proposals if not proposal.rejected]
        # A step without a usable prompt is still a step: the current prompt stays.
        accepted = accepted or [Proposal(prompt=history.current.prompt, origin="kept")]
        journal = self.evaluator.journal
        new_prompts = [proposal.prompt for proposal in accepted if history.find(proposal.prompt) is None]
        texts = journal.prompt_events(new_prompts)
        body: dict[str, object] = {"step": step, "proposals": [encode_proposal(proposal) for proposal in accepted]}
        if rejected:
            body["rejected"] = rejected
        await journal.write(*texts, Event(position=journal.reserve(), kind="proposals", body=body))
        return accepted

    async def score(self, history: Trajectory, proposals: Sequence[Proposal]) -> Trajectory:
        """Score the new prompts on the dev split and log the step; prompts scored before cost nothing."""
        step = history.next_step
        earlier = {proposal.prompt: history.find(proposal.prompt) for proposal in proposals}
        to_score = [prompt for prompt, candidate in earlier.items() if candidate is None or candidate.partial]
        slots = self.evaluator.slots(to_score, split="dev", step=step)
        stage = f"step {step}: scoring {len(to_score)} prompt{'s' * (len(to_score) != 1)}"
        body: dict[str, object] = {"step": step}
        partial: set[Prompt] = set()
        racing = self.racing
        # The initial prompts (step 0) have nothing to race against.
        if step and racing is not None and racing.method != "full":
            race = self._race(racing, history, proposals, slots)
            scores = await scores_by_prompt(self._with_progress(race.rollouts(), len(slots), history, stage))
            partial = {prompt for prompt in to_score if not race.is_complete(prompt)}
            body["race"] = {"calls": race.calls, "full": sum(earlier[slot.prompt] is None for slot in slots)}
        else:
            rollouts = self.evaluator.rollouts(slots)
            scores = await scores_by_prompt(self._with_progress(rollouts, len(slots), history, stage))
        candidates = [_candidate(proposal, step, history, scores, partial) for proposal in proposals]
        body["candidates"] = [
            encode_candidate(candidate, reused=candidate.prompt not in scores) for candidate in candidates
        ]
        await self._write("step", body)
        history = history.extended(candidates)
        self._show(history, "step done")
        return history

    def look_at_first_replies(self, history: Trajectory, *, force: bool) -> None:
        """Pass on what is wrong with the initial prompt's replies; raise `UnusableReplies` unless `force`."""
        findings = read_first_look(self.evaluator.journal.store, history.candidates[0].prompt, "dev")
        for finding in findings:
            if finding.stops and not force:
                raise UnusableReplies(
                    f"stopped before the first step: {format_finding(finding)} Nothing is lost: start a new run with "
                    "the advice, or resume this one with force, which pays for no reply again"
                )
            log.warning("%s", format_finding(finding))
        if findings:
            self._show(history, "looking at the first replies", findings=findings)

    def _race(
        self, racing: RaceSettings, history: Trajectory, proposals: Sequence[Proposal], slots: Sequence[RolloutSlot]
    ) -> Race:
        """Race the proposed prompts against the best so far.

        The blocks are the same in all steps, so that known scores fill whole blocks; their order differs, so that the
        prompts of successive steps aren't all selected on the same first blocks.
        """
        best = history.top(racing.incumbents)
        penalties = {entrant.prompt: entrant.penalty for entrant in (*best, *proposals)}
        earlier = {prompt: history.find(prompt) for prompt in penalties}
        return Race(
            self.evaluator,
            slots,
            entrants=penalties,
            known={prompt: candidate.example_scores for prompt, candidate in earlier.items() if candidate},
            settings=racing,
            blocks=cut_blocks(
                self.evaluator.task.splits["dev"],
                racing.block,
                seed=derive_seed(self.settings.seed, "blocks"),
                order_seed=derive_seed(self.settings.seed, "blocks", history.next_step),
            ),
        )

    async def finish(self, history: Trajectory, reason: str) -> None:
        """Run the initial prompt and the winner on the test split, once."""
        self.evaluator.release_reserve()
        first, best = history.candidates[0], history.best
        prompts = list(dict.fromkeys([first.prompt, best.prompt]))
        slots = self.evaluator.slots(prompts, split="test", step=history.next_step)
        try:
            rollouts = self.evaluator.rollouts(slots)
            await scores_by_prompt(self._with_progress(rollouts, len(slots), history, "testing the winner"))
        except BudgetExhausted as exhausted:  # the reserve was estimated at average cost, and the test cost more
            reason = f"{exhausted}, and the final test was cut short"
        store = self.evaluator.journal.store
        body = encode_result(reason, first, best, fold(store))
        await self._write("result", body)
        if read_result(store) != body:  # a retry corrected the result before the run went on: its event is later
            await self.evaluator.journal.write(Event(position=UNORDERED, kind="result", body=body))
        self._show(history, "done")

    def stop_reason(self, history: Trajectory) -> str:
        """Return why the run should end here, or "". A function of the history alone, so that a resumed run agrees."""
        steps_done = history.next_step - 1
        if steps_done >= self.settings.steps:
            return f"all {self.settings.steps} steps done"
        if history.best.score >= 1.0:
            return "perfect dev score"
        if self.settings.patience and steps_done - history.best.step >= self.settings.patience:
            return f"no better dev score in {self.settings.patience} steps"
        return ""

    def _with_progress(
        self, rollouts: AsyncGenerator[Rollout, None], total: int, history: Trajectory, stage: str
    ) -> AsyncGenerator[Rollout, None]:
        before = self.evaluator.done

        def show() -> None:
            self._show(history, stage, done=self.evaluator.done - before, total=total)

        return with_progress(rollouts, show)

    def _show(
        self, history: Trajectory, stage: str, *, done: int = 0, total: int = 0, findings: tuple[Finding, ...] = ()
    ) -> None:
        self.watch(
            Progress(
                step=max(0, history.next_step - 1),
                steps=self.settings.steps,
                stage=stage,
                rollouts_done=done,
                rollouts_total=total,
                trajectory=history,
                findings=findings,
            )
        )

    async def _write(self, kind: EventKind, body: dict[str, object]) -> None:
        journal = self.evaluator.journal
        await journal.write(Event(position=journal.reserve(), kind=kind, body=body))


async def begin(journal: Journal, *, header: Mapping[str, object], task: Task) -> None:
    """Write a run's first events (settings, every example it may use) or check that a begun run has the same ones.

    Raises `StoreError` if the log was begun with other settings or other data.
    """
    begun = next(read_events(journal.store, kinds=["run"]), None)
    if begun is not None:
        _refuse_other_settings(begun.body, header)
    examples: list[tuple[Split, Example]] = [
        (split, example) for split, members in task.splits.items() for example in members
    ]
    if begun is not None:
        _refuse_other_examples(journal.store, examples)
    first = journal.reserve(1 + len(examples))
    opening = [] if begun else [Event(position=first, kind="run", body=header)]
    await journal.write(
        *opening,
        *(
            Event(position=first + 1 + index, kind="example", body=encode_example(example, split))
            for index, (split, example) in enumerate(examples)
        ),
    )


def encode_result(reason: str, initial: Candidate, best: Candidate, logged: RunFold) -> dict[str, object]:
    """Encode the event that ends a run; a later one supersedes it."""
    scores = {candidate.prompt: logged.scores_of(candidate.prompt, "test") for candidate in (initial, best)}
    return {
        "reason": reason,
        "initial": prompt_id(initial.prompt),
        "best": prompt_id(best.prompt),
        "dev": {"initial": initial.score, "best": best.score, "n": best.n},
        "test": {
            prompt_id(prompt): {"score": mean(by_example.values()), "n": len(by_example)}
            for prompt, by_example in scores.items()
        },
    }


def derive_seed(seed: int, *path: object) -> int:
    """Return a seed for one use: a pure function of the run's seed and of what it is for (63 bits)."""
    text = "/".join(str(part) for part in (seed, *path))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def _candidate(
    proposal: Proposal,
    step: int,
    history: Trajectory,
    scores: Mapping[Prompt, Mapping[str, float]],
    partial: Collection[Prompt],
) -> Candidate:
    earlier = history.find(proposal.prompt)
    by_example = {**(earlier.example_scores if earlier else {}), **scores.get(proposal.prompt, {})}
    # A prompt that wasn't run again in this step keeps its score as logged.
    reused = earlier if proposal.prompt not in scores else None
    return Candidate(
        step=step,
        prompt=proposal.prompt,
        score=reused.score if reused else mean(by_example[example_id] for example_id in sorted(by_example)),
        n=reused.n if reused else len(by_example),
        parent=proposal.parent,
        origin=proposal.origin,
        lesson=proposal.lesson,
        penalty=proposal.penalty,
        example_scores=by_example,
        partial=proposal.prompt in partial,
    )


def _refuse_other_settings(begun: Mapping[str, object], given: Mapping[str, object]) -> None:
    before, now = (dict(flatten_settings(cast("Mapping[str, object]", header["config"]))) for header in (begun, given))
    changed = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    if changed:
        changes = "; ".join(f"{name}: {before.get(name)!r} then, {now.get(name)!r} now" for name in changed)
        raise StoreError(f"this run was begun with other settings ({changes}): resume it as it was, or name a new run")


def _refuse_other_examples(store: RunStore, given: Sequence[tuple[Split, Example]]) -> None:
    """Raise `StoreError` with the first example that is not as it was logged."""
    logged = [
        (cast("Split", event.body["split"]), decode_example(event.body)) for event in store.events(kinds=["example"])
    ]
    if not logged or logged == list(given):
        return
    advice = "give the data as it was, or name a new run"
    for number, ((split_then, then), (split_now, now)) in enumerate(zip(logged, given, strict=False), 1):
        if (split_then, then) != (split_now, now):
            what = _describe_change(then, now) if split_then == split_now else f"{split_then} then, {split_now} now"
            raise StoreError(
                f"this run was begun with other data: example {number} of the run ({split_then}, id {then.id!r}) "
                f"differs ({what}); {advice}"
            )
    if len(logged) < len(given) and next(store.events(kinds=["prompt"]), None) is None:
        return  # killed while its examples were being written
    raise StoreError(f"this run was begun with other data: {len(logged)} examples then, {len(given)} now; {advice}")


def _describe_change(then: Example, now: Example) -> str:
    """Name the first field in which an example differs."""
    for name in ("input", "target", "meta", "id"):
        before, after = getattr(then, name), getattr(now, name)
        if before != after:
            return f"{name}: {before!r} then, {after!r} now"
    return "its fields are in another form"
