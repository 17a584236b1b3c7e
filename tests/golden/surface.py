"""What the command line offers: commands, flags, and the shape of what `--json` prints."""

from __future__ import annotations

import json
import pkgutil
import random
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import chdir
from pathlib import Path
from typing import Any, cast

import click

from tests.support.harness import ROOT, invoke

SURFACE = Path(__file__).with_name("surface.json")
TASK = "numbers_max+words_first+review_sentiment"
ON_POCKET = (
    "--data", f"pocket:{TASK}", "--prompt", "Do the task.", "--train", "12", "--dev", "24", "--test", "24", "--target",
    "pocket", "--racing", "full", "--candidates", "3", "--steps", "1",
)  # fmt: skip
CALLS: dict[str, tuple[str, ...]] = {
    "optimize": ("optimize", *ON_POCKET, "--run", "mixed"),
    "plan": ("plan", *ON_POCKET),
    "evaluate": (
        "evaluate", "--data", f"pocket:{TASK}", "--limit", "6", "--target", "pocket", "--prompt", "A", "--prompt", "B",
    ),
    "runs": ("runs",),
    "show": ("show", "mixed"),
    "show --cells": ("show", "mixed", "--cells"),
    "show --cell": ("show", "mixed", "--cell", "best:numbers_max/dev/0/0"),
    "retry": ("retry", "mixed"),
    "presets": ("presets",),
    "data list": ("data", "list", "numbers"),
    "data show": ("data", "show", "gsm8k"),
    "data check": ("data", "check", "--data", f"pocket:{TASK}"),
    "experiences": ("experiences", "first.jsonl"),
    "headroom": ("headroom", "first.jsonl"),
    "train": (
        "train", "mixed", "--run", "policy", "--base", "pocket", "--loops", "1", "--epochs", "1", "--samples", "0",
        "--force",
    ),
    "train, as published": (
        "train", "mixed", "--run", "published", "--preset", "paper", "--base", "pocket", "--loops", "1", "--epochs",
        "1", "--force",
    ),
    "train --scorer": ("train", "first.jsonl", "--run", "chosen", "--scorer", "knn"),
    "compare": ("compare", "first.jsonl", "--scorer", "knn"),
    "compare of a training": ("compare", "policy", "--scorer", "knn"),
    "policy show": ("policy", "show", "policy"),
    "policy show, selection": ("policy", "show", "chosen"),
    "policy prompt": ("policy", "prompt", "chosen", "Sum 3 and 4."),
    "policy estimate": ("policy", "estimate", "chosen", "second.jsonl"),
}  # fmt: skip
"""Small real runs, in an order in which each finds what it needs; `--json` is added to each."""

Parameters = dict[str, dict[str, Any]]
"""Names of a parameter, such as "-o / --output" -> what it takes."""
Shape = dict[str, str]
"""JSON path -> the types seen there, such as {"best.test": "null|object"}; `[]` stands for any element."""


def click_root() -> click.Command:
    """Return the command behind the console script `askwell`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return cast("click.Command", pkgutil.resolve_name(project["scripts"]["askwell"]))


def commands(root: click.Command | None = None) -> dict[str, Parameters]:
    """Return every command, by its name on the command line, with its parameters."""
    root = root or click_root()
    return {
        " ".join(path): {_names(parameter): _description(parameter) for parameter in command.params}
        for path, command in _walk((), root)
    }


def _walk(path: tuple[str, ...], command: click.Command) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if path:
        yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from _walk((*path, name), child)


def _names(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Option):
        return " / ".join([*parameter.opts, *parameter.secondary_opts])
    return parameter.human_readable_name


def _description(parameter: click.Parameter) -> dict[str, Any]:
    """Say what a parameter takes; what is as usual is left out."""
    kind = cast("dict[str, Any]", parameter.type.to_info_dict())
    is_option = isinstance(parameter, click.Option)
    described = {
        "type": kind["name"],
        "choices": list(kind.get("choices", ())),
        "range": [kind[bound] for bound in ("min", "max") if kind.get(bound) is not None],
        "required": parameter.required,
        "multiple": parameter.multiple if is_option else parameter.nargs != 1,
        "flag": is_option and parameter.is_flag,
    }
    described = {key: value for key, value in described.items() if value}
    # click's marks for "no default" differ by version and by kind of parameter; only plain values are compared.
    return described | ({"default": parameter.default} if isinstance(parameter.default, str | int | float) else {})


def json_shapes(folder: Path, translate: Callable[[Sequence[str]], Sequence[str]] = tuple) -> dict[str, Shape]:
    """Make the calls of `CALLS` in a folder and return the shape of what each prints.

    `translate` turns an old command line into the present one.
    """
    shapes: dict[str, Shape] = {}
    with chdir(folder):
        _write_records(Path("first.jsonl"), seed=0)
        _write_records(Path("second.jsonl"), seed=1)
        for name, arguments in CALLS.items():
            call = invoke(*translate((*arguments, "--json")))
            assert call.status == 0, (name, call.err)
            shapes[name] = shape_of(call.json)
    return shapes


def shape_of(value: object) -> Shape:
    """Return the paths of a JSON value and their types."""
    types: dict[str, set[str]] = {}
    for path, kind in _paths("", value):
        types.setdefault(path, set()).add(kind)
    return {path: "|".join(sorted(kinds)) for path, kinds in sorted(types.items())}


def _paths(path: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        yield path, "object"
        for key, member in cast("Mapping[str, object]", value).items():
            yield from _paths(f"{path}.{key}".removeprefix("."), member)
    elif isinstance(value, list):
        yield path, "array"
        for element in cast("list[object]", value):
            yield from _paths(f"{path}[]", element)
    else:
        yield path, _KINDS[type(value)]


_KINDS: dict[type, str] = {
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    type(None): "null",
}


def _write_records(path: Path, *, seed: int) -> None:
    """Write outcomes of two kinds of queries, each with a prompt that suits it."""
    rng = random.Random(seed)
    lines = [
        {
            "query": query,
            "prompt": prompt,
            "score": float(rng.random() < (0.8 if is_sum == (prompt == "Add.") else 0.2)),
        }
        for number in range(60)
        for is_sum in [number % 2 == 0]
        for query in [f"{'Sum' if is_sum else 'Which weighs more of'} {number + 100 * seed} and {rng.randrange(90)}?"]
        for prompt in ("Add.", "Think step by step.")
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
