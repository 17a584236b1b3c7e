"""For authors of plug-ins: fakes, and one conformance class per protocol.

A plug-in's test inherits the class of its protocol and gives it the fixtures that the class names:

    from askwell.testing import ChatModelContract

    class TestMyModel(ChatModelContract):
        @pytest.fixture
        def model(self):
            return MyModel()

Names are loaded when first used: importing this package costs no pytest, numpy, torch or HTTP library.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from askwell.testing.chat_model import ChatModelContract
    from askwell.testing.embedder import EmbedderContract
    from askwell.testing.fakes import FlakyModel, ScriptedModel, SlowModel
    from askwell.testing.likelihood_model import LikelihoodModelContract
    from askwell.testing.metric import MetricContract
    from askwell.testing.optimizer import OptimizerContract
    from askwell.testing.policy import PolicyContract
    from askwell.testing.prompt_writer import PromptWriterContract, TrainerContract
    from askwell.testing.racing_rule import RacingRuleContract
    from askwell.testing.render import RenderContract
    from askwell.testing.run_store import RunStoreContract
    from askwell.testing.scorer import ScorerContract

_HOME_OF = {
    "ChatModelContract": "chat_model",
    "EmbedderContract": "embedder",
    "FlakyModel": "fakes",
    "LikelihoodModelContract": "likelihood_model",
    "MetricContract": "metric",
    "OptimizerContract": "optimizer",
    "PolicyContract": "policy",
    "PromptWriterContract": "prompt_writer",
    "RacingRuleContract": "racing_rule",
    "RenderContract": "render",
    "RunStoreContract": "run_store",
    "ScorerContract": "scorer",
    "ScriptedModel": "fakes",
    "SlowModel": "fakes",
    "TrainerContract": "prompt_writer",
}

__all__ = [
    "ChatModelContract",
    "EmbedderContract",
    "FlakyModel",
    "LikelihoodModelContract",
    "MetricContract",
    "OptimizerContract",
    "PolicyContract",
    "PromptWriterContract",
    "RacingRuleContract",
    "RenderContract",
    "RunStoreContract",
    "ScorerContract",
    "ScriptedModel",
    "SlowModel",
    "TrainerContract",
]


def __getattr__(name: str) -> object:
    """Load a public name from its module when it is first used."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'askwell.testing' has no attribute {name!r}")
    return getattr(importlib.import_module(f"askwell.testing.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
