"""GEPA (arXiv 2507.19457) through its own package: reflective mutation with a Pareto front over validation examples.

The package decides everything but where the calls go: minibatches of training examples, reflection on replies and
feedback, acceptance on the minibatch, the front over the dev split, and its stopping at `target_calls` evaluations.
Feedback says whether a reply was right and, if not, what the right answer is (as its default adapter does).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from askwell.baselines.peers import Bridge
from askwell.errors import ConfigError
from askwell.types import Example, Message, Prompt, Rollout

COMPONENT = "instruction"
REFLECTION_TEMPERATURE = 1.0


def gepa_search(
    bridge: Bridge, *, initial: Prompt, train: Sequence[Example], dev: Sequence[Example], seed: int
) -> Prompt:
    """Run `gepa.optimize` and return its best candidate. Needs the `gepa` extra."""
    try:
        import gepa
    except ImportError as error:
        raise ConfigError("the preset 'gepa' needs its package: pip install 'askwell[gepa]'") from error

    def reflect(asked: str | list[dict[str, Any]]) -> str:
        turns = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
        messages = [Message(role=turn["role"], content=str(turn["content"])) for turn in turns]
        return bridge.ask(messages, temperature=REFLECTION_TEMPERATURE)

    found: Any = gepa.optimize(
        seed_candidate={COMPONENT: initial.instruction},
        trainset=list(train),
        valset=list(dev),
        adapter=_Adapter(bridge, initial, dev),
        reflection_lm=reflect,
        max_metric_calls=bridge.target_calls,
        stop_callbacks=[lambda _state: bridge.over],
        logger=_Silent(),
        display_progress_bar=False,
        seed=seed,
    )
    return Prompt(instruction=found.best_candidate[COMPONENT], demos=initial.demos)


class _Adapter:
    """GEPA's way to run a candidate: here, askwell's evaluator."""

    propose_new_texts = None

    def __init__(self, bridge: Bridge, initial: Prompt, dev: Sequence[Example]) -> None:
        self._bridge = bridge
        self._demos = initial.demos
        self._dev = {example.id for example in dev}

    def evaluate(self, batch: list[Example], candidate: dict[str, str], capture_traces: bool = False) -> Any:  # noqa: FBT001, FBT002
        from gepa import EvaluationBatch

        prompt = Prompt(instruction=candidate[COMPONENT], demos=self._demos)
        split = "dev" if batch and batch[0].id in self._dev else "train"
        rollouts = self._bridge.score(prompt, batch, split=split)
        return EvaluationBatch(
            outputs=[rollout.completion.text for rollout in rollouts],
            scores=[0.0 if rollout.score is None else rollout.score.value for rollout in rollouts],
            trajectories=list(zip(batch, rollouts, strict=True)) if capture_traces else None,
        )

    def make_reflective_dataset(
        self, candidate: dict[str, str], eval_batch: Any, components_to_update: list[str]
    ) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        del candidate
        records = [_record(example, rollout) for example, rollout in eval_batch.trajectories]
        return dict.fromkeys(components_to_update, records)


def _record(example: Example, rollout: Rollout) -> dict[str, str]:
    target = example.target if isinstance(example.target, str) else " or ".join(example.target)
    right = rollout.score is not None and rollout.score.value >= 1
    feedback = "The response is correct." if right else f"The response is wrong. The correct answer is {target!r}."
    return {"Inputs": example.input, "Generated Outputs": rollout.completion.text, "Feedback": feedback}


class _Silent:
    def log(self, message: str) -> None:
        """Drop it: the run's own log has every call."""
