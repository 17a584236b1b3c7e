"""Describe the arguments of the Python functions once, and convert those of a call to a `Config`.

Names become config keys, objects go to `Config.objects`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import wraps
from pathlib import Path
from typing import Any, ForwardRef, ParamSpec, TypeAlias, TypedDict, TypeVar, cast

from askwell.api.config import DEFAULT_PROMPT, Config, DataLike, Objects
from askwell.api.config_file import parse_config, refuse_model_name
from askwell.core.errors import ConfigError, DataError, nearest
from askwell.core.protocols import ChatModel, Metric
from askwell.core.renamed import refuse_argument
from askwell.engine.budget import Caps
from askwell.engine.evaluator import Sampling
from askwell.engine.loop import LoopSettings
from askwell.engine.race import RaceSettings
from askwell.models.function import FunctionModel
from askwell.models.wrappers.retry import Retrying
from askwell.optimizers.presets import DEFAULT_OPTIMIZER
from askwell.tasks.demos import NONE, Demos
from askwell.tasks.examples import ExampleSource
from askwell.tasks.metrics import from_callable
from askwell.tasks.splits import SPLITS

_Given = ParamSpec("_Given")
_Returned = TypeVar("_Returned")

ModelLike: TypeAlias = ChatModel | str | Mapping[str, Any] | Callable[..., Any]
"""A model, its name, the keys of its config section ({"model": "openai:NAME", "base_url": "…"}), or a function from
text to text (sync or async)."""
MetricLike: TypeAlias = Metric | str | Callable[..., Any]
"""A metric, an answer type, or a function that returns a float or (score, feedback). Empty: the benchmark's, else
exact."""


class RequiredArguments(TypedDict):
    """The arguments that every call must give."""

    data: DataLike
    """A file, "hf:owner/name", "bench:NAME", "pocket:TASK", records, examples, or one of these per split."""
    target: ModelLike
    """The model that answers."""


class TaskArguments(RequiredArguments, total=False):
    """The arguments that `evaluate`, `optimize`, `plan` and `train` share; each has a flag of the same name."""

    fields: Mapping[str, str] | None
    """Where input, target and id come from: {"input": "question", "target": "answer"} (see `askwell.load`)."""
    records: str | None
    """The dotted path to the list of records in a JSON file."""
    limit: int | None
    """The maximum number of examples that are read."""
    data_folder: str | Path | None
    """The folder with a benchmark's own files; by default it comes from the hub."""
    metric: MetricLike
    """How replies are graded."""
    placement: str
    """The position of the instruction; by default at the end of the question."""
    base_url: str | Sequence[str]
    """The endpoint of a target that is given by name; several make a pool."""
    sampling: Sampling | None
    """Temperature, length and repeats of the target's replies."""
    concurrency: int
    """Most requests in flight (16)."""


class OptimizeArguments(TaskArguments, total=False):
    """The arguments that `optimize` and `plan` share."""

    prompt: str
    """The instruction to start from."""
    optimizer: str
    """The algorithm that proposes prompts; `askwell optimizers` lists them."""
    settings: Mapping[str, Any] | None
    """Changed settings of the algorithm: {"candidates": 4}."""
    optimizer_model: ModelLike
    """The model that writes the proposals; by default the bundled editor."""
    optimizer_model_base_url: str | Sequence[str]
    """The endpoint of an optimizer model that is given by name."""
    demos: Demos | None
    """Which training examples a prompt shows; a function is shown none unless asked."""
    loop: LoopSettings | None
    """The number of steps, when to stop, and the seed."""
    racing: RaceSettings | None
    """How candidates are scored; by default the optimizer's own way."""
    caps: Caps | None
    """The most that the run may spend."""


def build_optimize_config(given: OptimizeArguments) -> Config:
    """Build the config of `optimize` and `plan`. Raises `ConfigError` like a config file with the same content."""
    optimizer = given.get("optimizer", DEFAULT_OPTIMIZER)
    _refuse_optimizer_model(optimizer)
    parts: dict[str, Any] = {name: given.get(argument) for name, argument in _SECTIONS.items()}
    sections = {name: asdict(part) for name, part in parts.items() if part is not None}
    return build_config(
        given,
        optimizer_model=(given.get("optimizer_model", "editor"), given.get("optimizer_model_base_url")),
        sections={
            "prompt": given.get("prompt", DEFAULT_PROMPT),
            "optimizer": {**(given.get("settings") or {}), "name": optimizer},
            **sections,
        },
    )


_SECTIONS: Mapping[str, str] = {"demos": "demos", "run": "loop", "racing": "racing", "budget": "caps"}
"""Section of the config -> the argument that has its form."""


def build_config(
    given: TaskArguments,
    *,
    optimizer_model: tuple[ModelLike, str | Sequence[str] | None] | None = None,
    sections: Mapping[str, Any] | None = None,
) -> Config:
    """Build the config of a call. `sections` are the arguments that have the form of config sections.

    Raises `ConfigError` like a config file with the same content.
    """
    target, metric = given["target"], given.get("metric", "")
    target_keys, target_object = _split_model(target, given.get("base_url"), "base_url")
    optimizer_keys, optimizer_object = (
        ({}, None) if optimizer_model is None else _split_model(*optimizer_model, "optimizer_model_base_url")
    )
    task, objects = _split_data(given["data"])
    sampling, concurrency = given.get("sampling") or Sampling(), given.get("concurrency", 16)
    tree: dict[str, Any] = {
        **(sections or {}),
        "task": {**task, **_task_keys(given), **({"metric": metric} if isinstance(metric, str) else {})},
        "target": {**asdict(sampling), "concurrency": concurrency, **target_keys},
        "optimizer_model": optimizer_keys,
    }
    is_function = not isinstance(target, str | Mapping | ChatModel)
    if is_function and "demos" not in tree:
        tree["demos"] = {"choice": NONE}  # a function may not expect a conversation
    objects = replace(
        objects,
        metric=None if isinstance(metric, str) else from_callable(metric),
        target=target_object,
        optimizer_model=optimizer_object,
    )
    return parse_config(tree, source="the arguments", objects=objects)


def _refuse_optimizer_model(optimizer: object) -> None:
    """Raise `ConfigError` if a model was given as `optimizer`, which is the name of an algorithm."""
    refuse_model_name(optimizer, "optimizer")
    if not isinstance(optimizer, str):
        raise ConfigError(
            f"optimizer = {optimizer!r} is not the name of an optimizer; give a model or function as optimizer_model="
        )


def _task_keys(given: TaskArguments) -> dict[str, Any]:
    """Return the arguments about the data as keys of the task section."""
    folder = given.get("data_folder")
    keys = {
        "fields": given.get("fields"),
        "records": given.get("records"),
        "limit": given.get("limit"),
        "folder": None if folder is None else str(folder),
        "placement": given.get("placement"),
    }
    return {key: value for key, value in keys.items() if value is not None}


def _split_model(
    model: ModelLike, base_url: str | Sequence[str] | None, argument: str
) -> tuple[dict[str, Any], ChatModel | None]:
    """Return a model's config keys, or the model itself if it is an object."""
    if isinstance(model, str):
        keys = {"model": model}
    elif isinstance(model, Mapping):
        keys = dict(cast("Mapping[str, Any]", model))
    elif base_url:
        raise ConfigError(f"{argument} = {base_url!r} is for a model that is given by name; the given one has its own")
    else:
        return {}, model if isinstance(model, ChatModel) else Retrying(FunctionModel(model))
    if not base_url:
        return keys, None
    if "base_url" in keys:
        raise ConfigError(f"{argument} = {base_url!r} and the model's own {keys['base_url']!r} are given; give one")
    return {**keys, "base_url": base_url if isinstance(base_url, str) else tuple(base_url)}, None


def _split_data(data: DataLike) -> tuple[dict[str, Any], Objects]:
    """Return the sources of examples as keys of the task section, or the examples themselves."""
    if isinstance(data, str | Path):
        return {"data": str(data)}, Objects()
    if not isinstance(data, Mapping):
        return {}, Objects(data=data)
    sources = cast("Mapping[str, ExampleSource]", data)
    for name in sources:
        if name not in SPLITS:
            raise DataError(f"data has a split {name!r}; {nearest(str(name), SPLITS)}")
    if all(isinstance(source, str | Path) for source in sources.values()):
        return {name: str(source) for name, source in sources.items()}, Objects()
    return {}, Objects(data=sources)


def takes(arguments: type) -> Callable[[Callable[_Given, _Returned]], Callable[_Given, _Returned]]:
    """Decorate a function with `**arguments: Unpack[…]`: its signature shows each one, and wrong names are refused.

    Python itself accepts any name there. The decorated function raises `TypeError` for an unknown or a missing
    argument, as for any other function, and `ConfigError` with the new name for a renamed one.
    """

    def decorate(function: Callable[_Given, _Returned]) -> Callable[_Given, _Returned]:
        signature = _spread(inspect.signature(function), arguments)

        @wraps(function)
        def checked(*args: _Given.args, **kwargs: _Given.kwargs) -> _Returned:
            for name in kwargs:
                refuse_argument(name)
                if name not in signature.parameters:
                    hint = nearest(name, signature.parameters)
                    raise TypeError(f"{function.__name__}() got an unexpected keyword argument {name!r}; {hint}")
            signature.bind(*args, **kwargs)
            return function(*args, **kwargs)

        checked.__signature__ = signature  # type: ignore[attr-defined]
        return checked

    return decorate


def _spread(signature: inspect.Signature, arguments: type) -> inspect.Signature:
    """Return the signature with the keys of the `TypedDict` in place of `**arguments`."""
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    keyword = [p for p in own if p.kind is p.KEYWORD_ONLY]
    others = [p for p in own if p.kind is not p.KEYWORD_ONLY]
    return signature.replace(parameters=[*others, *_parameters(arguments), *keyword])


def _parameters(arguments: type) -> Iterator[inspect.Parameter]:
    required: frozenset[str] = getattr(arguments, "__required_keys__", frozenset())
    for name, note in arguments.__annotations__.items():
        yield inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if name in required else ...,
            annotation=note.__forward_arg__ if isinstance(note, ForwardRef) else note,
        )
