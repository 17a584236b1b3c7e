"""askwell finds prompts that make a language model answer better, learnt from your own examples.

    import askwell

    result = askwell.optimize(prompt="Answer the question.", data="questions.jsonl", target="openai:MODEL",
                              optimizer_model="openai:LARGER-MODEL", metric="number")
    print(result.prompt, result.interval, result.diff())

Names are loaded when first used: importing askwell costs neither an HTTP library nor torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from askwell.core.version import __version__ as __version__

if TYPE_CHECKING:
    from askwell.api.evaluate import evaluate
    from askwell.api.open import load_policy, open  # noqa: A004 - read as askwell.open
    from askwell.api.optimize import Result, optimize, plan
    from askwell.api.plan import Plan
    from askwell.api.train import train
    from askwell.core.errors import (
        AskwellError,
        BudgetExhausted,
        ConfigError,
        DataError,
        ModelError,
        RunFailed,
        StoreError,
        UnusableReplies,
    )
    from askwell.core.protocols import ChatModel
    from askwell.core.types import Completion, Example, Message, Prompt, Request, Rollout, Score
    from askwell.engine.budget import Caps
    from askwell.engine.evaluator import Sampling
    from askwell.engine.loop import LoopSettings
    from askwell.engine.race import RaceSettings
    from askwell.policies.train_job import Trained
    from askwell.report.evaluation import Evaluation
    from askwell.tasks.demos import Demos
    from askwell.tasks.load import load
    from askwell.tasks.metrics import grade, metric

_HOMES = {
    "askwell.engine.budget": ("Caps",),
    "askwell.api.evaluate": ("evaluate",),
    "askwell.api.optimize": ("Result", "optimize", "plan"),
    "askwell.core.errors": (
        "AskwellError", "BudgetExhausted", "ConfigError", "DataError", "ModelError", "RunFailed", "StoreError",
        "UnusableReplies",
    ),
    "askwell.engine.evaluator": ("Sampling",),
    "askwell.engine.loop": ("LoopSettings",),
    "askwell.core.protocols": ("ChatModel",),
    "askwell.api.plan": ("Plan",),
    "askwell.engine.race": ("RaceSettings",),
    "askwell.tasks.demos": ("Demos",),
    "askwell.policies.train_job": ("Trained",),
    "askwell.api.open": ("load_policy", "open"),
    "askwell.report.evaluation": ("Evaluation",),
    "askwell.api.train": ("train",),
    "askwell.tasks.metrics": ("grade", "metric"),
    "askwell.tasks.load": ("load",),
    "askwell.core.types": ("Completion", "Example", "Message", "Prompt", "Request", "Rollout", "Score"),
}  # fmt: skip
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "AskwellError",
    "BudgetExhausted",
    "Caps",
    "ChatModel",
    "Completion",
    "ConfigError",
    "DataError",
    "Demos",
    "Evaluation",
    "Example",
    "LoopSettings",
    "Message",
    "ModelError",
    "Plan",
    "Prompt",
    "RaceSettings",
    "Request",
    "Result",
    "Rollout",
    "RunFailed",
    "Sampling",
    "Score",
    "StoreError",
    "Trained",
    "UnusableReplies",
    "evaluate",
    "grade",
    "load",
    "load_policy",
    "metric",
    "open",
    "optimize",
    "plan",
    "train",
]


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'askwell' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({name for name in globals() if name.startswith("__")} | {*__all__})
