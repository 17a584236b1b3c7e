"""Presets by name: each can be built; a misspelt name or a value of the wrong type is refused with a hint."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest

from askwell.api.build_jobs import configure_optimizer
from askwell.api.config import OptimizerConfig
from askwell.core.errors import ConfigError
from askwell.optimizers.gpo.optimizer import GPO
from askwell.optimizers.gpo.presets import INGREDIENTS
from askwell.optimizers.gpo.presets import PRESETS as GPO_PRESETS
from askwell.optimizers.gpo.settings import GPOSettings
from askwell.optimizers.presets import PRESETS, OptimizerParts, configure
from askwell.testing.fakes import ScriptedModel
from tests.support.gpo_simulation import NUMBERS, q_end
from tests.support.gpo_steps import JudgeByTable


def parts() -> OptimizerParts:
    return OptimizerParts(
        model=ScriptedModel(()), train=NUMBERS, dev=NUMBERS, render=q_end, run_prompt=JudgeByTable([])
    )


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_builds_an_optimizer_that_states_its_demand(name: str) -> None:
    chosen = configure(name, {})
    assert chosen.build(parts()).demand(1).proposals >= 1
    assert chosen.identity()["name"] == name
    assert "\n" not in PRESETS[name].summary


def test_all_gpo_presets_are_listed() -> None:
    assert set(GPO_PRESETS) <= set(PRESETS)


@pytest.mark.parametrize(
    ("preset", "changes", "words"),
    [
        ("gppo", {}, "unknown optimizer 'gppo'; did you mean 'gpo'"),
        ("gpo", {"candidate": 3}, "no setting 'candidate'; did you mean 'candidates'"),
        ("gpo", {"candidates": "many"}, "candidates = 'many': expected a int"),
        ("gpo", {"candidates": True}, "candidates = True"),
        ("gpo", {"candidates": 2.5}, "candidates = 2.5"),
        ("gpo", {"candidates": 0}, "candidates is 0"),
        ("gpo", {"temperature": "hot"}, "temperature = 'hot'"),
        ("gpo", {"without": ["trust"]}, "no setting 'without'"),
        ("askwell", {"without": ["trusst"]}, "unknown ingredient 'trusst'; did you mean 'trust'"),
        ("askwell", {"without": "trust"}, "without = 'trust'"),
        ("askwell", {"trust": {"frist": 1.0}}, "'askwell.trust' has no setting 'frist'; did you mean 'first'"),
        ("askwell", {"trust": 1.0}, "trust = 1.0"),
        ("askwell", {"trust": {"first": 9.0}}, "least <= first <= most"),
        ("askwell", {"constraints": ["copyign"]}, "unknown constraint 'copyign'; did you mean 'copying'"),
    ],
)
def test_invalid_settings_are_refused(preset: str, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        configure(preset, changes)


@pytest.mark.parametrize("name", sorted(INGREDIENTS))
def test_every_ingredient_of_the_default_preset_can_be_switched_off_by_name(name: str) -> None:
    whole, without = configure("askwell", {}).settings, configure("askwell", {"without": [name]}).settings
    changed = {field.name for field in fields(whole) if getattr(whole, field.name) != getattr(without, field.name)}
    assert changed == set(INGREDIENTS[name])


def test_the_default_preset_races_unless_that_is_switched_off() -> None:
    assert configure("askwell", {}).racing.method == "askwell"
    assert configure("askwell", {"without": ["racing"]}).racing.method == "full"
    assert configure("gpo", {}).racing.method == "full"
    capo = configure("capo", {"population": 6}).racing
    assert (capo.method, capo.block, capo.survivors, capo.incumbents) == ("capo-paired-t", 30, 6, 6)


def test_without_all_its_ingredients_the_default_preset_is_gpo() -> None:
    assert configure("askwell", {"without": list(INGREDIENTS)}).settings == GPO_PRESETS["gpo"]


def test_without_training_examples_the_default_preset_does_without_them() -> None:
    made = configure("askwell", {}).build(replace(parts(), train=()))
    assert made.demand(1).train_calls == 0
    assert made.demand(1).demos == 0
    assert isinstance(made, GPO)
    assert made.settings.restart == "none"
    with pytest.raises(ConfigError, match="train split"):
        configure("apo", {}).build(replace(parts(), train=()))


def test_a_table_of_settings_changes_the_presets_own() -> None:
    found = configure("askwell", {"trust": {"first": 1.0}, "limits": {"frozen": ["Reply in JSON."]}}).settings
    assert (found.trust.first, found.trust.least, found.limits.frozen) == (1.0, 0.5, ("Reply in JSON.",))


def test_an_identity_survives_json() -> None:
    identity = configure("askwell", {}).identity()
    assert json.loads(json.dumps(identity)) == identity


def test_an_integer_is_accepted_for_a_float_setting() -> None:
    assert configure("gpo", {"temperature": 1}).settings.temperature == 1


def test_defaults_of_the_run_apply_unless_the_section_sets_them() -> None:
    found = configure_optimizer(OptimizerConfig(name="opro", settings={"total_steps": 3}), steps=7, temperature=0.5)
    assert isinstance(found.settings, GPOSettings)
    assert (found.settings.momentum, found.settings.total_steps, found.settings.temperature) == ("importance", 3, 0.5)
    assert configure_optimizer(OptimizerConfig(), steps=7, temperature=None).settings.total_steps == 7
    assert {field.name for field in fields(GPOSettings)} <= set(found.identity())
