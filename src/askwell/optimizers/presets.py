"""Every optimizer by name: the table that `[optimizer] name`, `--optimizer` and `optimize(optimizer=…)` look in.

A preset is an algorithm with its settings filled in. Any of them may be changed.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from types import MappingProxyType
from typing import Any

from askwell.core.errors import ConfigError, nearest
from askwell.core.protocols import ChatModel, Optimizer, PromptRunner, Render
from askwell.core.types import Example
from askwell.engine.race import RaceSettings
from askwell.optimizers.baselines.capo import CAPO, CAPOSettings
from askwell.optimizers.baselines.dspy_optimizers import mipro_search, simba_search
from askwell.optimizers.baselines.evoprompt import EvoPrompt, EvoPromptSettings
from askwell.optimizers.baselines.external import ExternalSearch as PeerSearch
from askwell.optimizers.baselines.external import Peer, PeerSettings
from askwell.optimizers.baselines.gepa_optimizer import gepa_search
from askwell.optimizers.baselines.protegi import ProTeGi, ProTeGiSettings
from askwell.optimizers.baselines.references import Reference, ReferenceSettings
from askwell.optimizers.gpo import presets as gpo_presets
from askwell.optimizers.gpo.optimizer import GPO
from askwell.optimizers.gpo.settings import GPOSettings
from askwell.tasks.task import Task

log = logging.getLogger(__name__)
DEFAULT_OPTIMIZER = "askwell"


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerParts:
    """What every optimizer is made of, beside its settings."""

    model: ChatModel
    """The optimizer model."""
    train: Sequence[Example]
    """The only examples an optimizer sees."""
    dev: Sequence[Example]
    """Only for searches with a validation loop of their own (other packages'), and only to be scored on."""
    render: Render
    run_prompt: PromptRunner
    """Tries a prompt on training examples."""


def _everybody(_settings: object) -> RaceSettings:
    return RaceSettings()


def _askwell_race(_settings: object) -> RaceSettings:
    return RaceSettings(method="askwell")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A named optimizer: what it does in one line, its settings (a frozen dataclass), and what makes it from them."""

    summary: str
    settings: Any
    make: Callable[[OptimizerParts, Any], Optimizer]
    most_steps: int | None = None
    """Steps after which the method has nothing more to propose; None for one that goes on."""
    racing: Callable[[Any], RaceSettings] = _everybody
    """How its candidates are scored where the run does not say, given its settings."""
    ingredients: frozenset[str] = frozenset()
    """What `without` may switch off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredOptimizer:
    """A preset with its settings as this run has them."""

    name: str
    settings: Any
    make: Callable[[OptimizerParts, Any], Optimizer]
    most_steps: int | None = None
    racing: RaceSettings = field(default_factory=RaceSettings)
    """How candidates are scored where the run does not say."""

    def steps(self, wanted: int) -> int:
        """Return how many steps to make where so many are wanted."""
        return wanted if self.most_steps is None else min(wanted, self.most_steps)

    def maker(self, task: Task) -> Callable[[ChatModel, PromptRunner], Optimizer]:
        """Return who makes the optimizer of a run on this task, once its model and its prompt runner are there."""
        train, dev = task.splits.get("train", ()), task.splits["dev"]
        return lambda model, run_prompt: self.optimizer(
            OptimizerParts(model=model, train=train, dev=dev, render=task.render, run_prompt=run_prompt)
        )

    def optimizer(self, parts: OptimizerParts) -> Optimizer:
        """Make who proposes. Raises `ConfigError` where the parts don't do (reflection without a train split)."""
        return self.make(parts, self.settings)

    def identity(self) -> dict[str, object]:
        """Return what decides the proposals, as it stands in the log."""
        return {"name": self.name, **json.loads(json.dumps(asdict(self.settings)))}  # as it is read back: lists


def configure(
    name: str, changes: Mapping[str, Any], *, defaults: Mapping[str, Any] | None = None
) -> ConfiguredOptimizer:
    """Return an optimizer with some of its settings changed.

    `defaults` are values of the run as a whole, used where the optimizer has such a setting. Raises `ConfigError` with
    the nearest match of an unknown optimizer or setting.
    """
    if name not in PRESETS:
        raise ConfigError(f"unknown optimizer {name!r}; {nearest(name, PRESETS)}")
    preset = PRESETS[name]
    without, changes = _without(preset, changes)
    settings = gpo_presets.switched_off(preset.settings, without)
    known = {field.name for field in fields(settings)}
    given = {name: value for name, value in (defaults or {}).items() if name in known and name not in changes}
    settings = _changed(replace(settings, **given), changes, name)
    racing = RaceSettings() if "racing" in without else preset.racing(settings)
    return ConfiguredOptimizer(
        name=name, settings=settings, make=preset.make, most_steps=preset.most_steps, racing=racing
    )


def _without(preset: Preset, changes: Mapping[str, Any]) -> tuple[Sequence[str], Mapping[str, Any]]:
    """Return which ingredients to switch off, and the other changes."""
    rest = dict(changes)
    without = rest.pop("without", ()) if preset.ingredients else ()
    _check_type("without", without, like=())
    return without, rest


def _changed(settings: Any, changes: Mapping[str, Any], owner: str) -> Any:  # noqa: ANN401 - each preset's own class
    """Lay changes over settings; a table's are laid over the settings of its name."""
    known = {field.name for field in fields(settings)}
    given: dict[str, Any] = {}
    for name, value in changes.items():
        if name not in known:
            raise ConfigError(f"the optimizer {owner!r} has no setting {name!r}; {nearest(name, known)}")
        like = getattr(settings, name)
        _check_type(name, value, like=like)
        given[name] = _changed(like, value, f"{owner}.{name}") if is_dataclass(like) else value
    return replace(settings, **given)


def _check_type(name: str, value: object, *, like: object) -> None:
    """Refuse a value of another type than the preset's own: TOML and Python callers may give anything."""
    expected = _types_like(like)
    if not isinstance(value, expected) or isinstance(value, bool) != isinstance(like, bool):
        raise ConfigError(
            f"{name} = {value!r}: expected a {expected[-1].__name__}, such as the optimizer's own {like!r}"
        )


def _types_like(like: object) -> tuple[type, ...]:
    if is_dataclass(like):
        return (Mapping,)
    kind = type(like)
    if kind is float:
        return (int, float)
    return (list, tuple) if kind is tuple else (kind,)


def _askwell(parts: OptimizerParts, settings: GPOSettings) -> GPO:
    if not parts.train:
        log.warning("no training examples: no contrast, no demonstrations, and no examples for the optimizer model")
        settings = gpo_presets.switched_off(settings, ("contrast", "demos", "restarts"))
    return _gpo(parts, settings)


def _gpo(parts: OptimizerParts, settings: GPOSettings) -> GPO:
    return GPO(
        model=parts.model, train=parts.train, render=parts.render, settings=settings, run_prompt=parts.run_prompt
    )


def _peer(search: PeerSearch, origin: str) -> Callable[[OptimizerParts, PeerSettings], Peer]:
    def make(parts: OptimizerParts, settings: PeerSettings) -> Peer:
        return Peer(
            search=search,
            origin=origin,
            model=parts.model,
            run_prompt=parts.run_prompt,
            train=parts.train,
            dev=parts.dev,
            settings=settings,
        )

    return make


_PEERS: Mapping[str, tuple[PeerSearch, str]] = {
    "gepa": (gepa_search, "GEPA's own package: reflective mutation, Pareto front (pip install 'askwell[gepa]')"),
    "dspy-mipro": (mipro_search, "DSPy's MIPROv2: instructions and demonstrations (pip install 'askwell[dspy]')"),
    "dspy-simba": (simba_search, "DSPy's SIMBA: rules and demonstrations (pip install 'askwell[dspy]')"),
}


def _protegi(parts: OptimizerParts, settings: ProTeGiSettings) -> ProTeGi:
    return ProTeGi(
        model=parts.model, train=parts.train, render=parts.render, run_prompt=parts.run_prompt, settings=settings
    )


def _evoprompt(parts: OptimizerParts, settings: EvoPromptSettings) -> EvoPrompt:
    return EvoPrompt(model=parts.model, train=parts.train, render=parts.render, settings=settings)


def _capo(parts: OptimizerParts, settings: CAPOSettings) -> CAPO:
    return CAPO(
        model=parts.model, train=parts.train, render=parts.render, run_prompt=parts.run_prompt, settings=settings
    )


def _capo_race(settings: CAPOSettings) -> RaceSettings:
    """Race as published: in blocks of 30, against the population, until as many are left."""
    size = settings.population
    return RaceSettings(method="capo-paired-t", block=30, survivors=size, incumbents=size)


def _reference(_parts: OptimizerParts, settings: ReferenceSettings) -> Reference:
    return Reference(settings=settings)


_BASELINES: Mapping[str, Preset] = {
    "apo": Preset(
        summary="ProTeGi: a beam edited along criticisms of its errors, chosen by a bandit (arXiv 2305.03495)",
        settings=ProTeGiSettings(),
        make=_protegi,
    ),
    "evoprompt-ga": Preset(
        summary="a population crossed and mutated, parents drawn by their scores (arXiv 2309.08532)",
        settings=EvoPromptSettings(evolution="ga"),
        make=_evoprompt,
    ),
    "evoprompt-de": Preset(
        summary="differential evolution: what two prompts differ in, changed, put into the best (arXiv 2309.08532)",
        settings=EvoPromptSettings(evolution="de"),
        make=_evoprompt,
    ),
    "capo": Preset(
        summary="instructions and demonstrations crossed and mutated, charged for length (arXiv 2504.16005)",
        settings=CAPOSettings(),
        make=_capo,
        racing=_capo_race,
    ),
    "empty": Preset(
        summary="reference: no prompt at all", settings=ReferenceSettings(instruction=""), make=_reference, most_steps=1
    ),
    "cot": Preset(
        summary="reference: let the model think step by step",
        settings=ReferenceSettings(instruction="Let's think step by step."),
        make=_reference,
        most_steps=1,
    ),
}

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        name: Preset(
            summary=gpo_presets.SUMMARIES[name],
            settings=settings,
            make=_askwell if name == "askwell" else _gpo,
            racing=_askwell_race if name == "askwell" else _everybody,
            ingredients=frozenset(gpo_presets.INGREDIENTS if name == "askwell" else ()),
        )
        for name, settings in gpo_presets.PRESETS.items()
    }
    | {
        name: Preset(summary=summary, settings=PeerSettings(), make=_peer(search, name), most_steps=1)
        for name, (search, summary) in _PEERS.items()
    }
    | _BASELINES
)
"""Add an optimizer here. `askwell optimizers` lists them."""
