"""The Python API: settings, and builders that turn names into the objects of a job.

The public functions are `askwell.optimize`, `askwell.plan`, `askwell.evaluate` and `askwell.train`. They are not
re-exported here, because modules of this package have the same names.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from askwell.api.config import Config
    from askwell.api.config_file import parse_config, read_config
    from askwell.api.optimize import Result
    from askwell.api.plan import Plan
    from askwell.report.evaluation import Evaluation

_HOMES = {
    "Config": "askwell.api.config",
    "Evaluation": "askwell.report.evaluation",
    "Plan": "askwell.api.plan",
    "Result": "askwell.api.optimize",
    "parse_config": "askwell.api.config_file",
    "read_config": "askwell.api.config_file",
}

__all__ = ["Config", "Evaluation", "Plan", "Result", "parse_config", "read_config"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'askwell.api' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
