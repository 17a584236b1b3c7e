"""A saved policy from anywhere is loaded, or refused as one `DataError`; nothing else happens."""

from __future__ import annotations

import copy
import json
import pickle
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from askwell.core.errors import ConfigError, DataError
from askwell.core.types import Prompt
from askwell.policies.fixed import FixedPolicy
from askwell.policies.protocols import PromptWriter
from askwell.policies.saved_policy import load_policy, save_policy
from askwell.policies.selection.selection import fit_selection
from tests.support.policy_worlds import phrased, table

GUARD: dict[str, Any] = {"margin": 0.1, "gain": 0.0, "error": 0.0, "switched": 0.5, "queries": 3}
FIXED: dict[str, Any] = {"format": 1, "kind": "fixed", "prompt": {"id": "x", "instruction": "Answer."}}
WRITER: dict[str, Any] = {**FIXED, "kind": "writer", "guard": GUARD, "samples": 0, "seed": 0}


def never(folder: Path) -> PromptWriter:
    raise AssertionError(f"{folder} was loaded")


def refused(folder: Path, body: object) -> str:
    text = body if isinstance(body, str) else json.dumps(body)
    (folder / "policy.json").write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        load_policy(folder, read_writer=never)
    return str(caught.value)


def test_a_fixed_prompt_is_loaded_as_it_was_saved(tmp_path: Path) -> None:
    policy = FixedPolicy(prompt=Prompt(instruction="Answer. \ud800"))
    save_policy(FixedPolicy(prompt=Prompt(instruction="Answer.")), tmp_path)
    assert load_policy(tmp_path, read_writer=never) == FixedPolicy(prompt=Prompt(instruction="Answer."))
    assert policy.prompts_for(["q"]) == [policy.prompt]


def write(file: Path, arrays: Mapping[str, Any]) -> None:
    np.savez(file, **arrays)  # pyright: ignore[reportArgumentType] - its stub takes a keyword for one of the arrays


WRONG: list[tuple[Any, str]] = [
    ("", "no readable policy"),
    ("[" * 100_000, "no readable policy"),
    ([], "expected a JSON object"),
    ({}, "not a policy of format 1"),
    ({**FIXED, "format": 2}, "not a policy of format 1"),
    ({**FIXED, "kind": ["fixed"]}, "not a policy of format 1"),
    ({**FIXED, "kind": {"a": 1}}, "not a policy of format 1"),
    ({"format": 1, "kind": "fixed"}, "prompt: field required"),
    ({**FIXED, "prompt": "x"}, "prompt: "),
    ({**FIXED, "prompt": {"instruction": 5}}, "prompt.instruction: "),
    ({**FIXED, "prompt": {"instruction": "x", "demos": [dict[str, object]()]}}, "prompt.demos.0.id: "),
    ({**WRITER, "guard": None}, "guard: "),
    ({**WRITER, "guard": {**GUARD, "margin": "sometimes"}}, "guard.margin"),
    ({**WRITER, "guard": {**GUARD, "gain": float("nan")}}, "guard.gain: "),
    ({**WRITER, "samples": -1}, "samples: "),
    ({**WRITER, "samples": True}, "samples: "),
    ({**WRITER, "seed": "0"}, "seed: "),
]


@pytest.mark.parametrize(("body", "words"), WRONG)
def test_a_wrong_file_is_refused_with_its_field(body: object, words: str, tmp_path: Path) -> None:
    assert words in refused(tmp_path, body)


def test_a_link_in_a_policys_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "writer").mkdir()
    (tmp_path / "writer" / "policy.safetensors").symlink_to("/etc/hostname")
    assert "symbolic link" in refused(tmp_path, WRITER)


VALUES: tuple[Any, ...] = (None, True, -1, 10**9, 1.5, float("nan"), "x", [], [[]], ["x"], {}, {"kind": "x"})
SCORERS = ("multitask", "trees", "knn")


@pytest.fixture(scope="module")
def selections(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """One saved selection policy per scorer."""
    pytest.importorskip("sklearn")
    folder, (found, rates) = tmp_path_factory.mktemp("selections"), phrased(60, seed=0)
    data = table(rates, repeats=3, seed=1, queries=found)
    for scorer in SCORERS:
        save_policy(fit_selection(data, seed=0, scorer=scorer), folder / scorer)
    return {scorer: folder / scorer for scorer in SCORERS}


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(cast("dict[str, Any]", value).items())
    elif isinstance(value, list):
        items = list(enumerate(cast("list[Any]", value)[:2]))
    return [at, *(path for key, inner in items for path in paths(inner, (*at, key)))]


@pytest.mark.parametrize("scorer", SCORERS)
def test_any_change_of_a_selection_policy_is_refused_or_harmless(
    scorer: str, selections: Mapping[str, Path], tmp_path: Path
) -> None:
    shutil.copytree(selections[scorer], tmp_path / "p")
    body = json.loads((tmp_path / "p" / "policy.json").read_text(encoding="utf-8"))
    places = [path for path in paths(body) if path]
    for number in range(200):
        path, value = places[number * 7 % len(places)], VALUES[number % len(VALUES)]
        changed = copy.deepcopy(body)
        inner = changed
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        (tmp_path / "p" / "policy.json").write_text(json.dumps(changed), encoding="utf-8")
        use(tmp_path / "p")


def use(folder: Path) -> None:
    """Load and use a policy; anything but one of askwell's errors fails the test."""
    try:
        prompts = load_policy(folder, read_writer=never).prompts_for(["What is 2 + 2?", ""])
    except (DataError, ConfigError):
        return
    assert all(isinstance(prompt.instruction, str) for prompt in prompts)


@pytest.mark.parametrize("scorer", SCORERS)
def test_any_change_of_a_selection_policys_arrays_is_refused_or_harmless(
    scorer: str, selections: Mapping[str, Path], tmp_path: Path
) -> None:
    shutil.copytree(selections[scorer], tmp_path / "p")
    file = tmp_path / "p" / "arrays.npz"
    with np.load(file) as archive:
        arrays: dict[str, Any] = {name: archive[name] for name in archive.files}
    for name, array in arrays.items():
        for other in (array[:1], -array, array * np.nan, array.astype("U8"), np.zeros(0), np.zeros_like(array)):
            changed: dict[str, Any] = {**arrays, name: other}
            write(file, changed)
            use(tmp_path / "p")
        write(file, {key: value for key, value in arrays.items() if key != name})
        use(tmp_path / "p")
    for data in (b"", b"PK", pickle.dumps([1]), file.read_bytes()[:200]):
        file.write_bytes(data)
        use(tmp_path / "p")


def test_trees_that_go_round_in_circles_are_refused(selections: Mapping[str, Path], tmp_path: Path) -> None:
    shutil.copytree(selections["trees"], tmp_path / "p")
    file = tmp_path / "p" / "arrays.npz"
    with np.load(file) as archive:
        arrays: dict[str, Any] = {name: archive[name] for name in archive.files}
    left = next(name for name in arrays if name.endswith(".left"))
    write(file, {**arrays, left: np.zeros_like(arrays[left])})
    with pytest.raises(DataError, match="does not fit together"):
        load_policy(tmp_path / "p", read_writer=never)
