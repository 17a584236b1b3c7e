"""Single steps of GPO: past prompts, an optimizer model, and what it received."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from askwell.core.trajectory import Trajectory
from askwell.core.types import Candidate, Completion, Example, Prompt, Request, Rollout, Score, Split
from askwell.optimizers.gpo.optimizer import GPO
from askwell.optimizers.gpo.presets import preset_settings
from askwell.testing.fakes import ScriptedModel
from tests.support.gpo_simulation import NUMBERS, q_end

START = "Let's think step by step."
REFLECTING: dict[str, Any] = {
    "direction": "P+M+R",
    "momentum": "none",
    "schedule": "none",
    "refinement": "editing",
    "parent": "best",
}


def history(*scored: tuple[str, float]) -> Trajectory:
    """One winner a step, the first at step 0."""
    return Trajectory(
        candidates=tuple(
            Candidate(step=step, prompt=Prompt(instruction=text), score=score, n=48)
            for step, (text, score) in enumerate(scored)
        )
    )


def numbered(request: Request) -> str:
    return f"<START>Prompt number {request.sample_index}.<END>"


def gpo(model: ScriptedModel, *, name: str = "gpo", run_prompt: Any = None, **changes: object) -> GPO:
    return GPO(
        model=model, train=NUMBERS, render=q_end, settings=preset_settings(name, **changes), run_prompt=run_prompt
    )


def sent(model: ScriptedModel, place: int = -1) -> str:
    return model.requests[place].messages[0].content


class JudgeByTable:
    """A target that gets some training examples wrong; remembers what it was tried on."""

    def __init__(self, wrong: Sequence[str], failed: Sequence[str] = ()) -> None:
        self.wrong, self.failed = wrong, failed
        self.batches: list[list[str]] = []

    async def __call__(
        self,
        prompt: Prompt,
        examples: Sequence[Example],
        *,
        step: int,
        split: Split = "train",
        temperature: float | None = None,
        sample_index: int = 0,
    ) -> list[Rollout]:
        self.batches.append([example.id for example in examples])
        return [
            Rollout(
                step=step, split=split, prompt=prompt, example_id=example.id, query=example.input,
                sample_index=sample_index,
                completion=Completion(text=f"reply to {example.id}"),
                score=None if example.id in self.failed else Score(value=float(example.id not in self.wrong)),
            )
            for example in examples
        ]  # fmt: skip
