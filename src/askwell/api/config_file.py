"""Read a `Config` from a TOML file, flags or a tree of plain values; a wrong key or value is refused by name."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast, get_type_hints

from pydantic import TypeAdapter, ValidationError

from askwell.api.config import Config, Objects, OptimizerConfig, OptimizerModelConfig, PolicyConfig
from askwell.core.decoding import read_text_file
from askwell.core.errors import ConfigError, nearest
from askwell.core.renamed import refuse_key, refuse_value
from askwell.engine.race import RaceSettings
from askwell.policies.settings import LoopsSettings, ModelSettings, TrainSettings

_Section = TypeVar("_Section")

POLICY_SETTINGS = (LoopsSettings, ModelSettings, TrainSettings)
"""Classes whose fields are settings of a policy's method; a name that two have means the first class's field."""
_MODEL_KEYS = frozenset(field.name for field in fields(OptimizerModelConfig)) - {
    "batch"
}  # optimizers have a `batch` too


def read_config(path: Path | None, overrides: Mapping[str, Any], *, base: Mapping[str, Any] | None = None) -> Config:
    """Read a TOML file (if any), overridden by flags. Raises `ConfigError` with the key, the expectation and the file.

    `overrides` maps dotted keys ("target.concurrency") to values; None keeps the file's value. `base` is a tree with
    the values of keys that neither the file nor the flags give, such as those of another run.
    """
    tree = merge_trees(base or {}, {} if path is None else read_toml(path))
    for key, value in overrides.items():
        if value is None:
            continue
        *sections, last = key.split(".")
        table = tree
        for section in sections:
            table = _subtable(table, section, path)
        table[last] = value
    return parse_config(tree, source="the flags" if path is None else str(path))


def merge_trees(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tree of `base` with the keys of `changes`, section by section."""
    merged = copy.deepcopy(dict(base))
    for name, value in changes.items():
        old = merged.get(name)
        if isinstance(old, dict) and isinstance(value, Mapping):
            merged[name] = {**cast("dict[str, Any]", old), **cast("Mapping[str, Any]", value)}
        else:
            merged[name] = value
    return merged


def parse_config(tree: Mapping[str, Any], *, source: str = "the config", objects: Objects | None = None) -> Config:
    """Parse a tree of settings. Raises `ConfigError` with the key and the nearest known key."""
    try:
        return _parse(tree, objects or Objects())
    except ConfigError as error:
        raise ConfigError(f"in {source}: {error}") from error


def _parse(tree: Mapping[str, Any], objects: Objects) -> Config:
    hints = _hints(Config)
    sections: dict[str, Any] = {"objects": objects}
    for name, value in tree.items():
        if name not in hints or name == "objects":
            raise _unknown(name, hints.keys() - {"objects"})
        if name == "prompt":
            sections[name] = _check_value(hints[name], value, name)
        elif not isinstance(value, Mapping):
            raise ConfigError(f"{name} = {value!r} must be a table: [{name}]")
        else:
            sections[name] = _section(name, hints[name], cast("Mapping[str, Any]", value))
    return Config(**sections)


def _section(name: str, kind: Any, table: Mapping[str, Any]) -> Any:  # noqa: ANN401 - each section's own class
    if name == "racing":
        changes = _check_values(table, (RaceSettings,), name)
        _build(RaceSettings, changes, name)
        return changes
    if kind is OptimizerConfig:
        own, settings = _split_section(kind, table)
        _refuse_model(own, settings)
        return OptimizerConfig(**_check_values(own, (kind,), name), settings=settings)
    if kind is PolicyConfig:
        own, settings = _split_section(kind, table)
        values = _check_values(settings, POLICY_SETTINGS, name, beside=kind)
        for part in POLICY_SETTINGS:
            _build(part, {key: value for key, value in values.items() if key in _hints(part)}, name)
        return _build(kind, {**_check_values(own, (kind,), name), "settings": values}, name)
    return _build(kind, _check_values(table, (kind,), name), name)


def _split_section(kind: type, table: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Separate a section's own keys from the settings beside them."""
    own = _hints(kind).keys() - {"settings"}
    return (
        {key: value for key, value in table.items() if key in own},
        {key: value for key, value in table.items() if key not in own},
    )


def _refuse_model(own: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Refuse settings of the optimizer model: its name instead of the optimizer's, or one of its keys."""
    refuse_model_name(own.get("name"), "optimizer.name")
    for key in settings:
        refuse_key(f"optimizer.{key}")
        if key in _MODEL_KEYS:
            raise ConfigError(
                f"optimizer.{key} is a key of the optimizer model: write it as optimizer_model.{key} ([optimizer] is "
                "the algorithm)"
            )


def refuse_model_name(name: object, key: str) -> None:
    """Raise `ConfigError` if a model's name was given for the optimizer, which is an algorithm."""
    if isinstance(name, str) and (":" in name or name in {"editor", "pocket"}):
        raise ConfigError(
            f"{key} = {name!r} is a model: give it as optimizer_model (the optimizer is the algorithm: askwell, gpo, …)"
        )


def _check_values(
    table: Mapping[str, Any], kinds: Iterable[type], at: str, *, beside: type | None = None
) -> dict[str, Any]:
    """Check each value of a table against the field of its name, in the first class that has this field."""
    hints: dict[str, Any] = {}
    for kind in kinds:
        hints = {**_hints(kind), **hints}
    if beside is not None:
        hints.pop("seed", None)  # the run's
    valid_keys = {*hints, *({} if beside is None else _hints(beside))} - {"settings"}
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in hints:
            raise _unknown(f"{at}.{key}", valid_keys)
        if value is None:  # in a log's settings None means that the key was not given
            continue
        values[key] = _check_value(hints[key], value, f"{at}.{key}")
    return values


def _check_value(hint: Any, value: object, key: str) -> Any:  # noqa: ANN401 - of the field's own type
    refuse_value(key, value)
    try:
        return _adapter(hint).validate_python(value)
    except ValidationError as error:
        message = error.errors()[0]["msg"]
        if key.endswith(".headers"):  # the values may be secrets
            raise ConfigError(f'{key} is not a table of texts; give for example {{X-Team = "research"}}') from None
        raise ConfigError(f"{key} = {value!r}: {message[0].lower()}{message[1:]}") from error


def _build(kind: type[_Section], values: Mapping[str, Any], at: str) -> _Section:
    try:
        return kind(**values)
    except ConfigError as error:
        message = str(error)
        is_of_field = message.partition(" ")[0] in {field.name for field in fields(cast("Any", kind))}
        raise ConfigError(f"{at}.{message}" if is_of_field else f"[{at}] {message}") from error


def _unknown(key: str, valid_keys: Iterable[str]) -> ConfigError:
    refuse_key(key)
    return ConfigError(f"unknown key {key!r}; {nearest(key.rpartition('.')[2], valid_keys)}")


@cache
def _hints(kind: type) -> dict[str, Any]:
    """Return the fields of a dataclass with their types."""
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


@cache
def _adapter(hint: Any) -> TypeAdapter[Any]:  # noqa: ANN401 - any type
    return TypeAdapter(hint)


def _subtable(tree: dict[str, Any], section: str, path: Path | None) -> dict[str, Any]:
    table: object = tree.setdefault(section, {})
    if not isinstance(table, dict):
        raise ConfigError(f"in {path}: {section} = {table!r} must be a table: [{section}]")
    return cast("dict[str, Any]", table)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a config file as a tree of plain values. Raises `ConfigError` if it cannot be read."""
    try:
        return tomllib.loads(read_text_file(path))
    except FileNotFoundError as error:
        raise ConfigError(f"no config file {str(path)!r}; give the path of a TOML file, or flags alone") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the config file {str(path)!r} is not valid TOML: {error}") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read the config file {str(path)!r}: {error}") from error
