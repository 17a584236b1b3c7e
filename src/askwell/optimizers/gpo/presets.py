"""Published prompt optimizers as settings of the one loop, and the controls.

A preset expresses a published method as far as the loop can; a comment names what is missing. All use the same family
of meta-prompts and the same budget (8 candidates per step), so that differences are due to the methods.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from types import MappingProxyType

from askwell.core.errors import ConfigError, nearest
from askwell.optimizers.gpo.settings import GPOSettings

_GPO = GPOSettings()
_ASKWELL = replace(
    _GPO,
    direction="P+M+C",
    reflect_after=1,
    lessons=3,
    momentum="diverse",
    pool="all",
    deltas=True,
    schedule="trust",
    budget_mode="enforce",
    refinement="staged",
    parent="pareto",
    restart="scratch",
    plateau=3,
    constraints=("placeholders", "frozen", "length", "copying", "unseen"),
    joint_demos=4,
    length_penalty=0.02,
)

INGREDIENTS: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        "contrast": {"direction": "P+M", "reflect_after": 0},
        "lessons": {"lessons": 0},
        "trajectory": {"pool": "winners", "momentum": "relevance", "deltas": False},
        "trust": {"schedule": "cosine", "budget_mode": "ask", "refinement": "generation"},
        "population": {"parent": "latest"},
        "restarts": {"restart": "none", "plateau": 0},
        "constraints": {"constraints": ()},
        "demos": {"joint_demos": 0},
        "length_penalty": {"length_penalty": 0.0},
        "racing": {},
    }
)
"""What the preset `askwell` adds to GPO, with the settings that switch each off: `without = ["contrast", …]`.

Racing is a setting of the scoring, not of the optimizer: see `optimizers.presets.Preset.racing`.
"""

PRESETS: Mapping[str, GPOSettings] = MappingProxyType(
    {
        "askwell": _ASKWELL,
        "gpo": _GPO,
        # Not expressed: APE also makes its first prompts from examples.
        "ape": replace(_GPO, direction="P", momentum="none", schedule="none", refinement="resampling", parent="best"),
        "opro": replace(_GPO, momentum="importance", pool="all", schedule="none", parent="best"),
        "pe2": replace(_GPO, direction="P+M+R", momentum="recency", schedule="fixed", refinement="editing"),
        "sgdm": replace(_GPO, direction="P+M+R", momentum="summarization", schedule="none"),
        "control-random": replace(_GPO, momentum="random"),
        "control-shuffled": replace(_GPO, momentum="shuffled"),
    }
)

SUMMARIES: Mapping[str, str] = MappingProxyType(
    {
        "askwell": "GPO with all the ingredients that askwell adds; each can be switched off",
        "gpo": "past prompts by relevance, a word budget with cosine decay, generation (arXiv 2402.17564)",
        "ape": "other wordings of the best prompt, without scores or past prompts (arXiv 2211.01910)",
        "opro": "the best of all scored prompts, in ascending order of score (arXiv 2309.03409)",
        "pe2": "reflection, past prompts by recency, a fixed number of words (arXiv 2311.05661)",
        "sgdm": "reflection, and a running summary as momentum (arXiv 2402.17564)",
        "control-random": "`gpo` with random past prompts: measures the value of retrieval",
        "control-shuffled": "`gpo` with permuted scores of past prompts: measures the value of the direction",
    }
)
"""One line per preset, for lists."""


def preset_settings(name: str, **changes: object) -> GPOSettings:
    """Return a preset's settings with some fields changed; `ConfigError` names the nearest match of an unknown name."""
    if name not in PRESETS:
        raise ConfigError(f"unknown preset {name!r}; {nearest(name, PRESETS)}")
    names = {field.name for field in fields(GPOSettings)}
    for field_name in changes:
        if field_name not in names:
            raise ConfigError(f"unknown GPO setting {field_name!r}; {nearest(field_name, names)}")
    return replace(PRESETS[name], **changes)  # pyright: ignore[reportArgumentType]  the fields check their own values


def switch_off(settings: GPOSettings, without: Iterable[str]) -> GPOSettings:
    """Return settings without some ingredients; `ConfigError` names the nearest match of an unknown ingredient."""
    for name in without:
        if name not in INGREDIENTS:
            raise ConfigError(f"unknown ingredient {name!r}; {nearest(name, INGREDIENTS)}")
        settings = replace(settings, **INGREDIENTS[name])  # pyright: ignore[reportArgumentType]  see the table's tests
    return settings
