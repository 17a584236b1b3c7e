"""Several prompts tried on training examples at once, through the run's judge."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from askwell.core.errors import RunFailed
from askwell.core.types import Example, Prompt, Rollout
from askwell.optimizers.gpo.direction import Judge

Trial = tuple[Prompt, Sequence[Example]]


async def judged(judge: Judge, trials: Sequence[Trial], *, step: int) -> list[list[tuple[Example, Rollout]]]:
    """Return, for each trial, its examples with their rollouts; none where too many of a trial's calls failed.

    Raises `RunFailed` where that is so of every trial, and at once what else the judge raises; but first all trials are
    let run to their end, for what is in flight when a run is stopped is paid for and has to be written down.
    """
    found = await asyncio.gather(*(_one(judge, trial, step) for trial in trials), return_exceptions=True)
    failed = [one for one in found if isinstance(one, BaseException)]
    for error in failed:
        if len(failed) == len(found) or not isinstance(error, RunFailed):
            raise error
    return [[] if isinstance(one, BaseException) else one for one in found]


async def _one(judge: Judge, trial: Trial, step: int) -> list[tuple[Example, Rollout]]:
    prompt, examples = trial
    by_id = {example.id: example for example in examples}
    return [(by_id[rollout.example_id], rollout) for rollout in await judge(prompt, examples, step=step)]
