"""Every preset satisfies the contract of an optimizer."""

from __future__ import annotations

import pytest

from askwell.core.protocols import ChatModel, Optimizer, PromptRunner
from askwell.optimizers.presets import PRESETS, OptimizerParts, configure
from askwell.testing import OptimizerContract
from askwell.testing.optimizer_run import TASK, MakeOptimizer

REFERENCES = ("cot", "empty")
PEERS = ("gepa", "dspy-mipro", "dspy-simba")


def maker(preset: str) -> MakeOptimizer:
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
    def make_optimizer(self, preset: str) -> MakeOptimizer:
        return maker(preset)


@pytest.mark.parametrize("preset", REFERENCES, scope="class")
class TestReferences(OptimizerContract):
    calls_model = False

    @pytest.fixture
    def make_optimizer(self, preset: str) -> MakeOptimizer:
        return maker(preset)
