"""Published prompt optimizers as settings of the one loop, and the controls.

A preset says how far the loop expresses the published method; what it does not express stands in its comment. All use
the same meta-prompt family and the same budget (8 candidates a step), so that differences are the methods' own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from types import MappingProxyType

from askwell.errors import ConfigError, nearest
from askwell.gpo.settings import GPOSettings

_GPO = GPOSettings()

PRESETS: Mapping[str, GPOSettings] = MappingProxyType(
    {
        # The paper's best: P+M, relevance, cosine without warm-up, generation.
        "gpo": _GPO,
        # Monte Carlo search around the best prompt: no scores, no past. APE also makes its first prompts from examples.
        "ape": replace(_GPO, direction="P", momentum="none", schedule="none", refinement="resampling", parent="best"),
        # Textual gradients on wrong examples. ProTeGi keeps a beam and picks by bandit; the loop's beam is 1.
        "apo": replace(_GPO, direction="P+M+R", momentum="none", schedule="none", refinement="editing", parent="best"),
        # The best prompts of all that were scored, in ascending order of score.
        "opro": replace(_GPO, momentum="importance", pool="all", schedule="none", parent="best"),
        # Reflection, past prompts by recency, a fixed number of words.
        "pe2": replace(_GPO, direction="P+M+R", momentum="recency", schedule="fixed", refinement="editing"),
        # Reflection, and a running summary as momentum.
        "sgdm": replace(_GPO, direction="P+M+R", momentum="summarization", schedule="none"),
        # What is retrieval worth? Any past prompts, with their true scores.
        "control-random": replace(_GPO, momentum="random"),
        # What is the direction worth? The relevant prompts, with each other's scores.
        "control-shuffled": replace(_GPO, momentum="shuffled"),
    }
)


def preset(name: str, **changes: object) -> GPOSettings:
    """Return a preset with some fields changed; `ConfigError` names the nearest match of an unknown name or field."""
    if name not in PRESETS:
        raise ConfigError(f"unknown preset {name!r}; {nearest(name, PRESETS)}")
    known = {field.name for field in fields(GPOSettings)}
    for field_name in changes:
        if field_name not in known:
            raise ConfigError(f"unknown GPO setting {field_name!r}; {nearest(field_name, known)}")
    return replace(PRESETS[name], **changes)  # pyright: ignore[reportArgumentType]  the fields check their own values
