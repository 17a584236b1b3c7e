"""Published prompt optimizers as settings of the one loop, and the controls.

A preset says how far the loop expresses the published method; what it does not express stands in its comment. All use
the same meta-prompt family and the same budget (8 candidates a step), so that differences are the methods' own.
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
"""What the preset `askwell` adds to GPO, and the settings that take each away: `without = ["contrast", …]`.

Racing is no setting of the search but of the scoring: see `methods.Preset.racing`.
"""

PRESETS: Mapping[str, GPOSettings] = MappingProxyType(
    {
        "askwell": _ASKWELL,
        "gpo": _GPO,
        # APE also makes its first prompts from examples.
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
        "askwell": "GPO and all that we found worth adding to it; each ingredient can be switched off",
        "gpo": "past prompts by relevance, a word budget that decays by a cosine, generation (arXiv 2402.17564)",
        "ape": "other wordings of the best prompt: no scores, no past (arXiv 2211.01910)",
        "opro": "the best prompts of all that were scored, in ascending order of score (arXiv 2309.03409)",
        "pe2": "reflection, past prompts by recency, a fixed number of words (arXiv 2311.05661)",
        "sgdm": "reflection, and a running summary as momentum (arXiv 2402.17564)",
        "control-random": "`gpo` with any past prompts: what is retrieval worth?",
        "control-shuffled": "`gpo` with past prompts that carry each other's scores: what is the direction worth?",
    }
)
"""One line a preset, for lists."""


def preset(name: str, **changes: object) -> GPOSettings:
    """Return a preset with some fields changed; `ConfigError` names the nearest match of an unknown name or field."""
    if name not in PRESETS:
        raise ConfigError(f"unknown preset {name!r}; {nearest(name, PRESETS)}")
    known = {field.name for field in fields(GPOSettings)}
    for field_name in changes:
        if field_name not in known:
            raise ConfigError(f"unknown GPO setting {field_name!r}; {nearest(field_name, known)}")
    return replace(PRESETS[name], **changes)  # pyright: ignore[reportArgumentType]  the fields check their own values


def switched_off(settings: GPOSettings, without: Iterable[str]) -> GPOSettings:
    """Return settings with some ingredients taken away; `ConfigError` names the nearest match of an unknown one."""
    for name in without:
        if name not in INGREDIENTS:
            raise ConfigError(f"unknown ingredient {name!r}; {nearest(name, INGREDIENTS)}")
        settings = replace(settings, **INGREDIENTS[name])  # pyright: ignore[reportArgumentType]  see the table's tests
    return settings
