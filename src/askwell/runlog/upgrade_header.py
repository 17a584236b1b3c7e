"""Convert the first event of a format-1 log, which holds the run's settings.

Format 1 had two forms of `config`: the command line logged its sections as they were given, the Python API logged
a form of its own. Format 2 has one form, with defaults filled in, so that `askwell show --call` can rebuild a request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from askwell.models.bundled import MAX_REPLY_TOKENS
from askwell.runlog.codec import FORMAT, Body
from askwell.tasks.benchmarks import BENCHMARKS

OLDEST = 1
"""The oldest format that can be converted."""

SETTINGS: Mapping[str, str] = {
    "optimizer": "optimizer_model",
    "search": "optimizer",
    "optimizer.preset": "optimizer.name",
    "target.draws": "target.repeats",
    "sampling.draws": "sampling.repeats",
    "policy.preset": "policy.method",
    "policy.collect": "policy.acquire",
    "policy.choice": "policy.acquisition",
    "policy.choosing": "policy.selector_first",
    "policy.guard": "policy.fallback",
}
"""Old path of a setting -> new path. They are applied in this order: `optimizer` has to make room for `search`."""

VALUES: Mapping[str, Mapping[object, object]] = {
    "policy.method": {"paper": "qpo"},
    "policy.acquisition": {"information": "uncertainty"},
}
"""New path of a setting -> old value -> new value."""

REMOVED: Mapping[str, frozenset[str]] = {"optimizer_model": frozenset({"max_tokens", "seed", "draws"})}
"""Section -> keys that it no longer has; the optimizer sets them for each request."""

_EVALUATION = frozenset({"task", "split", "target", "name", "prompt"})
"""The sections that determine the results of an evaluation."""
_PYTHON_KEYS = frozenset({"target", "sampling", "metric", "placement", "optimizer_model", "loop", "prompts"})
"""Keys of the Python API's form of `config` that moved into sections."""


def upgrade_header(body: Body) -> Body:
    """Return the body of a run's first event in the current format; a current one is returned as it is."""
    if body.get("format") != OLDEST:
        return body
    trees = {name: _rename(cast("Body", body[name])) for name in ("config", "settings") if body.get(name)}
    if "config" in trees:
        trees["config"] = _resolve(trees["config"])
    return {**body, "format": FORMAT, **trees}


def _rename(tree: Body) -> Body:
    for old, new in SETTINGS.items():
        tree = move_key(tree, old.split("."), new.rpartition(".")[2])
    for path, values in VALUES.items():
        tree = _replace_value(tree, path.split("."), values)
    for section, removed in REMOVED.items():
        table = tree.get(section)
        if isinstance(table, Mapping):
            kept = {key: value for key, value in cast("Body", table).items() if key not in removed}
            tree = {**tree, section: kept}
    return tree


def _resolve(config: Body) -> Body:
    """Return a renamed `config` with the sections that format 2 has, defaults filled in."""
    config = _sections_of_python_call(config) if "sampling" in config else config
    if not isinstance(config.get("task"), Mapping):
        return config  # made by a benchmark script: it has no sections
    if isinstance(config.get("prompt"), list):
        config = {key: value for key, value in config.items() if key in _EVALUATION}
    task, target = cast("Body", config["task"]), cast("Body", config["target"])
    return {
        **config,
        "task": _resolve_task(task, cast("str", config["name"])),
        "target": {
            "model": target["model"],
            "temperature": target["temperature"] or 0.0,
            "max_tokens": target["max_tokens"] or (MAX_REPLY_TOKENS if target["model"] == "pocket" else 512),
            "seed": target["seed"],
            "repeats": target["repeats"],
        },
    }


def _resolve_task(task: Body, name: str) -> Body:
    """Return the keys of the task that determine a run's results; a benchmark has its own metric and placement."""
    data = cast("str", task["data"])
    benchmark = BENCHMARKS.get(data.removeprefix("bench:")) if data.startswith("bench:") else None
    metric, placement = "" if data.startswith("pocket:") else "exact", "Q_end"
    if benchmark is not None:
        metric, placement = benchmark.answer_type, benchmark.placement
    return {
        "metric": task["metric"] or metric,
        "placement": task["placement"] or placement,
        "labels": task["labels"],
        "name": name,
    }


def _sections_of_python_call(config: Body) -> Body:
    """Return the Python API's form of `config` as sections."""
    sections: dict[str, object] = {key: value for key, value in config.items() if key not in _PYTHON_KEYS}
    sections["task"] = {"data": "", "metric": config["metric"], "placement": config["placement"], "labels": False}
    sections["split"] = {"train": None, "dev": None, "test": None, "seed": 0}  # Python had no other choice
    sections["target"] = {"model": config["target"], **cast("Body", config["sampling"])}
    if "optimizer_model" in config:
        sections["optimizer_model"] = {"model": config["optimizer_model"], "temperature": None}
    if "loop" in config:
        loop = dict(cast("Body", config["loop"]))
        sections["racing"] = loop.pop("racing")
        sections["run"] = loop
    if "prompts" in config:
        sections["prompt"] = config["prompts"]
    return sections


def move_key(tree: Body, path: list[str], name: str) -> Body:
    """Rename the key at a path, in its position; a tree without it is returned as it is."""
    head, *rest = path
    inner = tree.get(head)
    if head not in tree:
        return tree
    if not rest:
        return {(name if key == head else key): value for key, value in tree.items()}
    if not isinstance(inner, Mapping):
        return tree
    moved = move_key(cast("Body", inner), rest, name)
    return tree if moved is inner else {**tree, head: moved}


def _replace_value(tree: Body, path: list[str], values: Mapping[object, object]) -> Body:
    head, *rest = path
    if head not in tree:
        return tree
    inner = tree[head]
    if rest:
        return {**tree, head: _replace_value(cast("Body", inner), rest, values)} if isinstance(inner, Mapping) else tree
    return {**tree, head: values.get(inner, inner)} if isinstance(inner, str) else tree
