"""Run several prompts on training examples concurrently."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from askwell.core.errors import RunFailed
from askwell.core.protocols import PromptRunner
from askwell.core.types import Example, Prompt, Rollout

Trial = tuple[Prompt, Sequence[Example]]


async def run_trials(
    run_prompt: PromptRunner, trials: Sequence[Trial], *, step: int
) -> list[list[tuple[Example, Rollout]]]:
    """Return, per trial, its examples with their rollouts; an empty list if too many calls of a trial failed.

    Raises `RunFailed` if every trial failed like that, and any other error of the runner. All trials finish first: when
    a run is stopped, the calls in flight are already paid for and must reach the log.
    """
    results = await asyncio.gather(*(_run_trial(run_prompt, trial, step) for trial in trials), return_exceptions=True)
    errors = [result for result in results if isinstance(result, BaseException)]
    for error in errors:
        if len(errors) == len(results) or not isinstance(error, RunFailed):
            raise error
    return [[] if isinstance(result, BaseException) else result for result in results]


async def _run_trial(run_prompt: PromptRunner, trial: Trial, step: int) -> list[tuple[Example, Rollout]]:
    prompt, examples = trial
    by_id = {example.id: example for example in examples}
    return [(by_id[rollout.example_id], rollout) for rollout in await run_prompt(prompt, examples, step=step)]
