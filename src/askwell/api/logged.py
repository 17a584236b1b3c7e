"""Read a run's settings from its log, so that its name is enough to resume, plan or retry it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from askwell.api.config import Config, ModelConfig
from askwell.api.config_file import parse_config
from askwell.api.endpoints import FIELDS, check_logged_address
from askwell.core.errors import ConfigError
from askwell.policies.data.offline import find_run_log, is_record_file
from askwell.runlog import folders
from askwell.runlog.codec import Body
from askwell.runlog.fold import read_header
from askwell.runlog.reading import read_events
from askwell.runlog.store import SqliteStore

_PARTS = ("data", "metric", "target", "optimizer_model", "trainer")


def read_resumed_config(
    name: str, overrides: Mapping[str, Any], *, called: Collection[str] = ("target", "optimizer_model")
) -> Config:
    """Read a run's settings from its log; flags may only change how fast and where it runs.

    Raises `ConfigError` for a run that cannot be rebuilt from names, with the parts that have none, and where the log
    would send a model of `called` to an address, or with a key, that was never named on this machine.
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
        tree.setdefault(section, {})[field] = value
    return check_addresses(_parse(tree, folder, name), given, name, called)


def read_resumed_training(name: str, folder: Path, overrides: Mapping[str, Any]) -> Config:
    """Read a training's settings from its log; the number of processes and the target's connection may change.

    Other overrides have no effect. Raises `ConfigError` as `read_resumed_config` does.
    """
    given = {key: value for key, value in overrides.items() if value is not None and _may_change(key)}
    header = _header(folder, name)
    if not folders.is_training(header):
        raise ConfigError(f"the run {name!r} is not a training; resume it by askwell optimize --resume {name}")
    advice = f"call askwell.train again with the same arguments and run={str(folder / name)!r}"
    tree = read_named_settings(header, name, advice=f"{advice}, and nothing is paid for twice")
    for key, value in given.items():
        section, _, field = key.partition(".")
        tree.setdefault(section, {})[field] = value
    return check_addresses(_parse(tree, folder, name), given, name, ("target",))


def read_named_settings(
    header: Mapping[str, object], name: str, *, advice: str, parts: Collection[str] = _PARTS
) -> dict[str, Any]:
    """Return the settings in a run's first event, as a tree for `parse_config`.

    Raises `ConfigError` with `advice` if one of these parts was given from Python as an object.
    """
    if header.get("settings") is None:
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
    of_run = {"run.trace", "run.force", "run.max_missing", "policy.processes"}
    return is_volatile or section == "budget" or key in of_run


def check_addresses(config: Config, given: Collection[str], name: str, called: Collection[str] = ("target",)) -> Config:
    """Return a run's config if the addresses and keys of the models that are `called` may be used.

    `given` are the keys that the user gave now. Raises `ConfigError` for an address or a key variable from the log
    that was never named on this machine.
    """
    for section in called:
        named = {field for field in FIELDS if f"{section}.{field}" in given}
        check_logged_address(section, getattr(config, section), named=named, run=name)
    return config


def _header(folder: Path, name: str) -> Body:
    with SqliteStore(folders.find_run(folder, name), read_only=True) as store:
        header = next(read_events(store, kinds=["run"]), None)
    if header is None:
        raise ConfigError(f"the run {name!r} was stopped before its first event; start it again as before")
    return header.body


def _parse(tree: Mapping[str, Any], folder: Path, name: str) -> Config:
    config = parse_config(tree, source=f"the log of run {name!r}")
    return replace(config, run=replace(config.run, name=name, folder=str(folder)))


def read_source_settings(
    sources: Sequence[str],
    folder: Path,
    *,
    parts: Collection[str] = ("data", "metric", "target"),
    given: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the settings of the first run among the sources: a training labels prompts with its task and target.

    Empty if all sources are files. `given` are settings that the user gives beside the log, by dotted key. Raises
    `ConfigError` for a run in which one of `parts` has no name, and for a target whose address or key variable was
    never named on this machine.
    """
    named = [source for source in sources if not is_record_file(source)]
    if not named:
        return {}
    with SqliteStore(find_run_log(named[0], folder), read_only=True) as store:
        header = read_header(store)
    advice = "call askwell.train from Python, or name them with --config or with --data, --metric and --target"
    tree = read_named_settings(header, named[0], parts=parts, advice=advice)
    if "target" in parts:
        given = {key: value for key, value in (given or {}).items() if value is not None}
        own = {key.removeprefix("target."): value for key, value in given.items() if key.startswith("target.")}
        config = parse_config({"target": {**tree.get("target", {}), **own}}, source=f"the log of run {named[0]!r}")
        check_addresses(config, given, named[0], ("target",))
    return tree
