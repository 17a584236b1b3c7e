"""GEPA (arXiv 2507.19457) through its own package: reflective mutation with a Pareto front over validation examples.

The package decides everything except how calls are made: minibatches of training examples, reflection on replies and
feedback, acceptance on the minibatch, the front over the dev split, and its stopping at `target_calls` evaluations.
Feedback says whether a reply was right and, if not, what the right answer is (as its default adapter does).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from askwell.core.errors import ConfigError
from askwell.core.types import Example, Message, Prompt, Rollout, Split
from askwell.optimizers.baselines.bridge import Bridge, score_value
from askwell.optimizers.baselines.external import SearchTask

COMPONENT = "instruction"
REFLECTION_TEMPERATURE = 1.0


def run_gepa(bridge: Bridge, task: SearchTask) -> Prompt:
    """Run `gepa.optimize` and return its best candidate. Needs the `gepa` extra."""
    try:
        gepa: Any = import_module("gepa")
    except ImportError as error:
        raise ConfigError("the optimizer 'gepa' needs its package: pip install 'askwell[gepa]'") from error

    def reflect(prompt: str) -> str:
        return bridge.ask([Message(role="user", content=prompt)], temperature=REFLECTION_TEMPERATURE)

    def is_over(_state: object) -> bool:
        return bridge.over

    result = gepa.optimize(
        seed_candidate={COMPONENT: task.initial.instruction},
        trainset=list(task.train),
        valset=list(task.dev),
        adapter=_Adapter(bridge, task),
        reflection_lm=reflect,
        max_metric_calls=task.settings.target_calls,
        stop_callbacks=[is_over],
        logger=_Silent(),
        display_progress_bar=False,
        seed=task.seed,
    )
    return Prompt(instruction=result.best_candidate[COMPONENT], demos=task.initial.demos)


class _Adapter:
    """The adapter through which GEPA runs a candidate on askwell's evaluator."""

    propose_new_texts = None

    def __init__(self, bridge: Bridge, task: SearchTask) -> None:
        self._bridge = bridge
        self._demos = task.initial.demos
        self._dev = {example.id for example in task.dev}

    def evaluate(self, batch: list[Example], candidate: dict[str, str], capture_traces: bool = False) -> Any:
        prompt = Prompt(instruction=candidate[COMPONENT], demos=self._demos)
        # GEPA does not say which split a batch is from, but never mixes the two in one batch.
        split: Split = "dev" if batch and batch[0].id in self._dev else "train"
        rollouts = self._bridge.score(prompt, batch, split=split)
        return import_module("gepa").EvaluationBatch(
            outputs=[rollout.completion.text for rollout in rollouts],
            scores=[score_value(rollout) for rollout in rollouts],
            trajectories=list(zip(batch, rollouts, strict=True)) if capture_traces else None,
        )

    def make_reflective_dataset(
        self, candidate: dict[str, str], eval_batch: Any, components_to_update: list[str]
    ) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        del candidate
        records = [_make_record(example, rollout) for example, rollout in eval_batch.trajectories]
        return dict.fromkeys(components_to_update, records)


def _make_record(example: Example, rollout: Rollout) -> dict[str, str]:
    target = example.target if isinstance(example.target, str) else " or ".join(example.target)
    right = score_value(rollout) >= 1
    feedback = "The response is correct." if right else f"The response is wrong. The correct answer is {target!r}."
    return {"Inputs": example.input, "Generated Outputs": rollout.completion.text, "Feedback": feedback}


class _Silent:
    def log(self, message: str) -> None:
        """Discard it: the run's log has every call."""
