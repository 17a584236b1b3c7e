"""Read a run's settings from its log, so that its name is enough to resume, plan or retry it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from askwell.api.config import Config, ModelConfig
from askwell.api.config_file import parse_config
from askwell.core.errors import ConfigError
from askwell.runlog import folders
from askwell.runlog.codec import Body
from askwell.runlog.store import SqliteStore

_PARTS = ("data", "metric", "target", "optimizer_model", "trainer")


def read_resumed_config(name: str, overrides: Mapping[str, Any]) -> Config:
    """Read a run's settings from its log; flags may only change how fast and where it runs.

    Raises `ConfigError` for a run that cannot be rebuilt from names, with the parts that have none.
    """
    given = {key: value for key, value in overrides.items() if value is not None}
    folder = Path(given.pop("run.folder", "runs"))
    for key, value in given.items():
        if not _may_change(key):
            raise ConfigError(f"{key} = {value!r} can't change while a run is resumed; start a new run for that")
    header = _header(folder, name)
    if folders.is_training(header):
        raise ConfigError(f"the run {name!r} is a training; resume it by askwell train --resume {name}")
    advice = f"call askwell.optimize again with the same arguments and run={str(folder / name)!r}"
    tree = read_named_settings(header, name, advice=f"{advice}, and nothing is paid for twice")
    for key, value in given.items():
        section, _, field = key.partition(".")
        tree[section][field] = value
    return _parse(tree, folder, name)


def read_resumed_training(name: str, folder: Path, *, processes: int | None = None) -> Config:
    """Read a training's settings from its log; the number of processes may change.

    Raises `ConfigError` as `read_resumed_config` does.
    """
    header = _header(folder, name)
    if not folders.is_training(header):
        raise ConfigError(f"the run {name!r} is not a training; resume it by askwell optimize --resume {name}")
    advice = f"call askwell.train again with the same arguments and run={str(folder / name)!r}"
    tree = read_named_settings(header, name, advice=f"{advice}, and nothing is paid for twice")
    if processes is not None:
        tree["policy"]["processes"] = processes
    return _parse(tree, folder, name)


def read_named_settings(
    header: Mapping[str, object], name: str, *, advice: str, parts: Collection[str] = _PARTS
) -> dict[str, Any]:
    """Return the settings in a run's first event, as a tree for `parse_config`.

    Raises `ConfigError` with `advice` if one of these parts was given from Python as an object.
    """
    if header["settings"] is None:
        raise ConfigError(f"the run {name!r} is an evaluation: give the same command or call again, with the same run")
    tree = cast("dict[str, Any]", json.loads(json.dumps(header["settings"])))
    unnamed = {part: label for part, label in tree.pop("unnamed", {}).items() if part in parts}
    if unnamed:
        listed = ", ".join(f"{part.replace('_', ' ')} ({label})" for part, label in unnamed.items())
        raise ConfigError(
            f"the run {name!r} was started from Python with parts that cannot be found by name: {listed}; {advice}"
        )
    return tree


def _may_change(key: str) -> bool:
    section, _, field = key.partition(".")
    is_volatile = section in {"target", "optimizer_model"} and field in ModelConfig.volatile
    return is_volatile or section == "budget" or key in {"run.trace", "run.force"}


def _header(folder: Path, name: str) -> Body:
    with SqliteStore(folders.find_run(folder, name), read_only=True) as store:
        header = next(store.events(kinds=["run"]), None)
    if header is None:
        raise ConfigError(f"the run {name!r} was stopped before its first event; start it again as before")
    return header.body


def _parse(tree: Mapping[str, Any], folder: Path, name: str) -> Config:
    config = parse_config(tree, source=f"the log of run {name!r}")
    return replace(config, run=replace(config.run, name=name, folder=str(folder)))
