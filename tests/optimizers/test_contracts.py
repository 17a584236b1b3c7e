"""Every preset satisfies the contract of an optimizer."""

from __future__ import annotations

import pytest

from askwell.core.protocols import ChatModel, Optimizer, PromptRunner
from askwell.optimizers.presets import PRESETS, OptimizerParts, configure
from tests.conformance.optimizer import TASK, Make, OptimizerContract

REFERENCES = ("cot", "empty")
PEERS = ("gepa", "dspy-mipro", "dspy-simba")


def maker(preset: str) -> Make:
    chosen = configure(preset, {}, defaults={"total_steps": 3})

    def make(model: ChatModel, run_prompt: PromptRunner) -> Optimizer:
        return chosen.build(
            OptimizerParts(
                model=model,
                train=TASK.splits["train"],
                dev=TASK.splits["dev"],
                render=TASK.render,
                run_prompt=run_prompt,
            )
        )

    return make


@pytest.mark.parametrize("preset", [name for name in PRESETS if name not in (*REFERENCES, *PEERS)], scope="class")
class TestPresets(OptimizerContract):
    @pytest.fixture
    def make(self, preset: str) -> Make:
        return maker(preset)


@pytest.mark.parametrize("preset", REFERENCES, scope="class")
class TestReferences(OptimizerContract):
    asks_model = False

    @pytest.fixture
    def make(self, preset: str) -> Make:
        return maker(preset)
