"""All optimizers by name: the table behind `[optimizer] name`, `--optimizer` and `optimize(optimizer=…)`.

A preset is an algorithm with its settings. Any setting may be changed.
"""

from __future__ import annotations

import importlib.util
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
from askwell.models.embedder import require_package
from askwell.optimizers.baselines.bridge import ExternalSettings
from askwell.optimizers.baselines.capo import CAPO, CAPOSettings
from askwell.optimizers.baselines.dspy_optimizers import run_mipro, run_simba
from askwell.optimizers.baselines.evoprompt import EvoPrompt, EvoPromptSettings
from askwell.optimizers.baselines.external import ExternalOptimizer, ExternalSearch
from askwell.optimizers.baselines.gepa_optimizer import run_gepa
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
    """What every optimizer is built from, besides its settings."""

    model: ChatModel
    """The optimizer model."""
    train: Sequence[Example]
    """The only examples that an optimizer may look at."""
    dev: Sequence[Example]
    """Only for scoring, in optimizers of other packages that have their own validation loop."""
    render: Render
    run_prompt: PromptRunner
    """Runs a prompt on training examples."""


def _make_full_evaluation(_settings: object) -> RaceSettings:
    return RaceSettings()


def _make_askwell_race(_settings: object) -> RaceSettings:
    return RaceSettings(method="askwell")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A named optimizer: a one-line summary, its settings (a frozen dataclass), and the function that builds it."""

    summary: str
    settings: Any
    make: Callable[[OptimizerParts, Any], Optimizer]
    max_steps: int | None = None
    """Steps after which the method proposes nothing more; None for no limit."""
    racing: Callable[[Any], RaceSettings] = _make_full_evaluation
    """How its candidates are scored unless the run's settings say otherwise, given its settings."""
    ingredients: frozenset[str] = frozenset()
    """Names that `without` may switch off."""
    package: str = ""
    """Package that it needs, which is also the name of the extra; empty for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredOptimizer:
    """A preset with the settings of this run."""

    name: str
    settings: Any
    make: Callable[[OptimizerParts, Any], Optimizer]
    max_steps: int | None = None
    racing: RaceSettings = field(default_factory=RaceSettings)
    """How candidates are scored unless the run's settings say otherwise."""
    package: str = ""
    """As in `Preset`."""

    def require_packages(self) -> None:
        """Raise `ConfigError` if a package that this optimizer needs is not installed."""
        if self.package and importlib.util.find_spec(self.package) is None:
            raise ConfigError(
                f"the optimizer {self.name!r} needs the package {self.package!r}: pip install 'askwell[{self.package}]'"
            )
        require_package(getattr(self.settings, "embedder", ""))

    def limit_steps(self, requested: int) -> int:
        """Return the number of steps to make: as requested, at most `max_steps`."""
        return requested if self.max_steps is None else min(requested, self.max_steps)

    def factory(self, task: Task) -> Callable[[ChatModel, PromptRunner], Optimizer]:
        """Return a function that builds the optimizer for this task from its model and its prompt runner."""
        train, dev = task.splits.get("train", ()), task.splits["dev"]
        return lambda model, run_prompt: self.build(
            OptimizerParts(model=model, train=train, dev=dev, render=task.render, run_prompt=run_prompt)
        )

    def build(self, parts: OptimizerParts) -> Optimizer:
        """Build the optimizer. Raises `ConfigError` if a part is missing (reflection without a train split)."""
        return self.make(parts, self.settings)

    def identity(self) -> dict[str, object]:
        """Return what determines the proposals, as the log stores it."""
        # Through JSON: a log read back has lists, not tuples, and the two are compared.
        return {"name": self.name, **json.loads(json.dumps(asdict(self.settings)))}


def configure(
    name: str, changes: Mapping[str, Any], *, defaults: Mapping[str, Any] | None = None
) -> ConfiguredOptimizer:
    """Return an optimizer with some of its settings changed.

    `defaults` are values of the whole run; they apply if the optimizer has a setting of that name. Raises `ConfigError`
    with the nearest match of an unknown optimizer or setting.
    """
    if name not in PRESETS:
        raise ConfigError(f"unknown optimizer {name!r}; {nearest(name, PRESETS)}")
    preset = PRESETS[name]
    without, changes = _split_ingredients(preset, changes)
    settings = gpo_presets.switch_off(preset.settings, without)
    names = {field.name for field in fields(settings)}
    given = {key: value for key, value in (defaults or {}).items() if key in names and key not in changes}
    settings = _apply_changes(replace(settings, **given), changes, name)
    racing = RaceSettings() if "racing" in without else preset.racing(settings)
    return ConfiguredOptimizer(
        name=name,
        settings=settings,
        make=preset.make,
        max_steps=preset.max_steps,
        racing=racing,
        package=preset.package,
    )


def _split_ingredients(preset: Preset, changes: Mapping[str, Any]) -> tuple[Sequence[str], Mapping[str, Any]]:
    """Split changes into the ingredients to switch off and all others."""
    rest = dict(changes)
    without = rest.pop("without", ()) if preset.ingredients else ()
    _check_type("without", without, like=())
    return without, rest


def _apply_changes(settings: Any, changes: Mapping[str, Any], owner: str) -> Any:  # noqa: ANN401 - each preset's own class
    """Return settings with changes applied, recursively for nested tables."""
    names = {field.name for field in fields(settings)}
    given: dict[str, Any] = {}
    for name, value in changes.items():
        if name not in names:
            raise ConfigError(f"the optimizer {owner!r} has no setting {name!r}; {nearest(name, names)}")
        like = getattr(settings, name)
        _check_type(name, value, like=like)
        given[name] = _apply_changes(like, value, f"{owner}.{name}") if is_dataclass(like) else value
    return replace(settings, **given)


def _check_type(name: str, value: object, *, like: object) -> None:
    """Refuse a value of another type than the preset's: TOML and Python callers may give anything."""
    expected = _accepted_types(like)
    # A bool is an int in Python, but `true` is no number of steps.
    if not isinstance(value, expected) or isinstance(value, bool) != isinstance(like, bool):
        raise ConfigError(
            f"{name} = {value!r}: expected a {expected[-1].__name__}, such as the optimizer's own {like!r}"
        )


def _accepted_types(like: object) -> tuple[type, ...]:
    if is_dataclass(like):
        return (Mapping,)
    kind = type(like)
    if kind is float:
        return (int, float)
    return (list, tuple) if kind is tuple else (kind,)


def _make_askwell(parts: OptimizerParts, settings: GPOSettings) -> GPO:
    if not parts.train:
        log.warning("no training examples: no contrast, no demonstrations, and no examples for the optimizer model")
        settings = gpo_presets.switch_off(settings, ("contrast", "demos", "restarts"))
    return _make_gpo(parts, settings)


def _make_gpo(parts: OptimizerParts, settings: GPOSettings) -> GPO:
    return GPO(
        model=parts.model, train=parts.train, render=parts.render, settings=settings, run_prompt=parts.run_prompt
    )


def _make_external(
    search: ExternalSearch, origin: str
) -> Callable[[OptimizerParts, ExternalSettings], ExternalOptimizer]:
    def make(parts: OptimizerParts, settings: ExternalSettings) -> ExternalOptimizer:
        return ExternalOptimizer(
            search=search,
            origin=origin,
            model=parts.model,
            run_prompt=parts.run_prompt,
            train=parts.train,
            dev=parts.dev,
            settings=settings,
        )

    return make


_EXTERNAL: Mapping[str, tuple[ExternalSearch, str]] = {
    "gepa": (run_gepa, "GEPA's own package: reflective mutation, Pareto front (pip install 'askwell[gepa]')"),
    "dspy-mipro": (run_mipro, "DSPy's MIPROv2: instructions and demonstrations (pip install 'askwell[dspy]')"),
    "dspy-simba": (run_simba, "DSPy's SIMBA: rules and demonstrations (pip install 'askwell[dspy]')"),
}


def _make_protegi(parts: OptimizerParts, settings: ProTeGiSettings) -> ProTeGi:
    return ProTeGi(
        model=parts.model, train=parts.train, render=parts.render, run_prompt=parts.run_prompt, settings=settings
    )


def _make_evoprompt(parts: OptimizerParts, settings: EvoPromptSettings) -> EvoPrompt:
    return EvoPrompt(model=parts.model, train=parts.train, render=parts.render, settings=settings)


def _make_capo(parts: OptimizerParts, settings: CAPOSettings) -> CAPO:
    return CAPO(
        model=parts.model, train=parts.train, render=parts.render, run_prompt=parts.run_prompt, settings=settings
    )


def _make_capo_race(settings: CAPOSettings) -> RaceSettings:
    """Race as published: in blocks of 30, together with the population, until `population` prompts are left."""
    size = settings.population
    return RaceSettings(method="capo-paired-t", block=30, survivors=size, incumbents=size)


def _make_reference(_parts: OptimizerParts, settings: ReferenceSettings) -> Reference:
    return Reference(settings=settings)


_BASELINES: Mapping[str, Preset] = {
    "apo": Preset(
        summary="ProTeGi: a beam, edited along criticisms of its errors and selected by a bandit (arXiv 2305.03495)",
        settings=ProTeGiSettings(),
        make=_make_protegi,
    ),
    "evoprompt-ga": Preset(
        summary="a genetic algorithm: parents drawn by score, crossed and mutated (arXiv 2309.08532)",
        settings=EvoPromptSettings(evolution="ga"),
        make=_make_evoprompt,
    ),
    "evoprompt-de": Preset(
        summary="differential evolution: differences of two prompts, mutated and added to the best (arXiv 2309.08532)",
        settings=EvoPromptSettings(evolution="de"),
        make=_make_evoprompt,
    ),
    "capo": Preset(
        summary="instructions and demonstrations, crossed and mutated, with a length penalty (arXiv 2504.16005)",
        settings=CAPOSettings(),
        make=_make_capo,
        racing=_make_capo_race,
    ),
    "empty": Preset(
        summary="reference: no prompt at all",
        settings=ReferenceSettings(instruction=""),
        make=_make_reference,
        max_steps=1,
    ),
    "cot": Preset(
        summary='reference: "Let\'s think step by step."',
        settings=ReferenceSettings(instruction="Let's think step by step."),
        make=_make_reference,
        max_steps=1,
    ),
}

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        name: Preset(
            summary=gpo_presets.SUMMARIES[name],
            settings=settings,
            make=_make_askwell if name == "askwell" else _make_gpo,
            racing=_make_askwell_race if name == "askwell" else _make_full_evaluation,
            ingredients=frozenset(gpo_presets.INGREDIENTS if name == "askwell" else ()),
        )
        for name, settings in gpo_presets.PRESETS.items()
    }
    | {
        name: Preset(
            summary=summary,
            settings=ExternalSettings(),
            make=_make_external(search, name),
            max_steps=1,
            package=name.partition("-")[0],
        )
        for name, (search, summary) in _EXTERNAL.items()
    }
    | _BASELINES
)
"""All presets. Add an optimizer here; `askwell optimizers` lists them."""
