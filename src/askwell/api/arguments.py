"""Convert the arguments of a Python call to a `Config`: names become config keys, objects go to `Config.objects`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeAlias, cast

from askwell.api.config import Config, DataLike, Objects
from askwell.api.config_file import parse_config, refuse_model_name
from askwell.core.errors import ConfigError, DataError, nearest
from askwell.core.protocols import ChatModel, Metric
from askwell.engine.evaluator import Sampling
from askwell.models.function import FunctionModel
from askwell.models.wrappers.retry import Retrying
from askwell.tasks.demos import NONE
from askwell.tasks.load import ExampleSource
from askwell.tasks.metrics import from_callable
from askwell.tasks.splits import SPLITS

ModelLike: TypeAlias = ChatModel | str | Mapping[str, Any] | Callable[..., Any]
"""A model, its name, the keys of its config section ({"model": "openai:NAME", "base_url": "…"}), or a function from
text to text (sync or async)."""
MetricLike: TypeAlias = Metric | str | Callable[..., Any]
"""A metric, an answer type, or a function that returns a float or (score, feedback). Empty: the benchmark's, else
exact."""


def build_config(
    *,
    data: DataLike,
    target: ModelLike,
    metric: MetricLike,
    placement: str,
    sampling: Sampling | None,
    concurrency: int,
    optimizer_model: ModelLike | None = None,
    sections: Mapping[str, Any] | None = None,
) -> Config:
    """Build the config of a call. `sections` are the arguments that have the form of config sections.

    Raises `ConfigError` like a config file with the same content.
    """
    task, objects = _split_data(data)
    target_keys, target_object = _split_model(target)
    optimizer_keys, optimizer_object = ({}, None) if optimizer_model is None else _split_model(optimizer_model)
    tree: dict[str, Any] = {
        **(sections or {}),
        "task": {**task, "placement": placement, **({"metric": metric} if isinstance(metric, str) else {})},
        "target": {**asdict(sampling or Sampling()), "concurrency": concurrency, **target_keys},
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


def refuse_optimizer_model(optimizer: object) -> None:
    """Raise `ConfigError` if a model was given as `optimizer`, which is the name of an algorithm."""
    refuse_model_name(optimizer, "optimizer")
    if not isinstance(optimizer, str):
        raise ConfigError(
            f"optimizer = {optimizer!r} is not the name of an optimizer; give a model or function as optimizer_model="
        )


def _split_model(model: ModelLike) -> tuple[dict[str, Any], ChatModel | None]:
    """Return a model's config keys, or the model itself if it is an object."""
    if isinstance(model, str):
        return {"model": model}, None
    if isinstance(model, Mapping):
        return dict(cast("Mapping[str, Any]", model)), None
    return {}, model if isinstance(model, ChatModel) else Retrying(FunctionModel(model))


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
