"""The fixed prompts."""

from askwell.core.trajectory import Trajectory
from askwell.core.types import Candidate, Prompt
from askwell.optimizers.baselines.references import Reference, ReferenceSettings


async def test_a_reference_is_proposed_once() -> None:
    reference = Reference(settings=ReferenceSettings(instruction="Think."))
    first = Candidate(step=0, prompt=Prompt(instruction="Answer."), score=0.1, n=9)
    found = await reference.propose(Trajectory(candidates=(first,)), seed=1)
    assert [one.prompt for one in found] == [Prompt(instruction="Think.")]
    later = Candidate(step=1, prompt=found[0].prompt, score=0.1, n=9)
    assert await reference.propose(Trajectory(candidates=(first, later)), seed=2) == []
