"""Any change of any event body ends in one message of askwell's, or in nothing: never in a traceback."""

from __future__ import annotations

import copy
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from askwell.cli.service import ServeOptions, build_service
from askwell.core.errors import AskwellError
from tests.support.harness import Ended, events, invoke, optimize_flags, serving
from tests.support.trainings import logged, train

VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1.5, 1e308, 10**400, "", "x", "train", "failed", "\ud800", [], [[]], ["x"], [1, 2, 3], {},
    {"x": {}},
)  # fmt: skip
"""What a field may be replaced by: each kind of JSON, and values of the right kind that mean nothing."""

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "5"))
"""Changed bodies per kind of run; each is read by all commands, which takes a second or two."""
READERS: Sequence[tuple[str, ...]] = (
    ("runs",), ("runs", "--json"),
    ("show", "r"), ("show", "r", "--json"), ("show", "r", "--calls"), ("show", "r", "--diff"),
    ("show", "r", "--call", "best:EXAMPLE"),
    ("report", "r"), ("report", "r", "--format", "md"),
    ("export", "r"), ("export", "r", "--format", "json"), ("export", "r", "--format", "promptfoo"),
    ("export", "r", "--format", "dspy"), ("export", "r", "--format", "langchain"),
    ("log", "export", "r", "-o", "OUT"), ("log", "export", "r", "--table", "rollouts", "-o", "OUT"),
    ("log", "import", "r", "-o", "again"),
    ("experiences", "r"), ("headroom", "r"), ("compare", "r"), ("train", "r", "--scorer", "knn", "--run", "p"),
    ("policy", "show", "r"), ("policy", "prompt", "r", "2 and 3"),
    ("plan", "--resume", "r", "--api-key-env", "ABSENT"), ("serve", "r"),
)  # fmt: skip


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The logs of an optimization with races, and of a training with loops."""
    folder = tmp_path_factory.mktemp("pristine")
    with serving() as server:
        flags = [*optimize_flags(server, optimizer="openai:rewriter"), "--racing", "askwell", "--demos", "joint"]
        run = invoke("optimize", *flags, "--run", "r", "--runs", folder, env={"OPENAI_API_KEY": "k"})
    assert run.status == 0, run.err
    train(logged(folder / "rows.jsonl"), folder / "t")
    return {"optimization": folder / "r", "training": folder / "t"}


def read(command: Sequence[str], folder: Path, example: str = "") -> Ended:
    """Run a command; the application of `serve` is built, and not bound to a port."""
    if command[0] == "serve":
        return serve(folder)
    names = {"OUT": str(folder / "out"), "best:EXAMPLE": f"best:{example}"}
    return invoke(*(names.get(part, part) for part in command), "--runs", folder)


def serve(folder: Path) -> Ended:
    address = {"target.base_url": "http://127.0.0.1:9/v1", "target.api_key_env": "ABSENT"}
    try:
        build_service("r", folder, overrides=address, options=ServeOptions())
    except AskwellError as error:
        return Ended(status=error.exit_status, out="", err=str(error))
    return Ended(status=0, out="", err="")


def rewrite(log: Path, position: int, body: object) -> None:
    with sqlite3.connect(log) as database:
        text = body if isinstance(body, str | bytes) else json.dumps(body)
        database.execute("UPDATE events SET body = ? WHERE position = ?", (text, position))
    database.close()


def paths(value: object, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the place of each value inside a body."""
    yield at
    items: Any = ()
    if isinstance(value, dict):
        items = cast("dict[str, object]", value).items()
    elif isinstance(value, list):
        items = enumerate(cast("list[object]", value))
    for key, inner in items:
        yield from paths(inner, (*at, key))


def changed(body: Any, path: Sequence[str | int], new: object, *, drop: bool) -> object:
    """Return a body in which the value at a path is another one, or missing."""
    if not path:
        return new
    result = copy.deepcopy(body)
    inner = result
    for key in path[:-1]:
        inner = inner[key]
    if drop:
        del inner[path[-1]]
    else:
        inner[path[-1]] = new
    return result


@pytest.mark.slow
@pytest.mark.parametrize("kind_of_run", ["optimization", "training"])
@settings(
    deadline=None,
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_change_of_a_body_is_one_message_or_nothing(
    kind_of_run: str, data: st.DataObject, pristine: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    shutil.copytree(pristine[kind_of_run], folder / "r")
    found = events(folder / "r" / "log.db")
    kind = data.draw(st.sampled_from(sorted({event.kind for event in found})))
    event = data.draw(st.sampled_from([event for event in found if event.kind == kind][:40]))
    path = data.draw(st.sampled_from(sorted(paths(event.body), key=str)))
    body = changed(event.body, path, data.draw(st.sampled_from(VALUES)), drop=data.draw(st.booleans()))
    rewrite(folder / "r" / "log.db", event.position, json.dumps(body))
    example = next(str(one.body["id"]) for one in found if one.body.get("split") == "dev")
    for command in READERS:
        read(command, folder, example)
    shutil.rmtree(folder)


DAMAGES: Sequence[tuple[str, object, str]] = (
    ("prompt", {"id": "x"}, "instruction"),
    ("prompt", {"id": "x", "instruction": 5}, "instruction"),
    ("prompt", "{not JSON", "not JSON"),
    ("prompt", "[1]", "not an event"),
    ("prompt", "[" * 100_000, "not JSON"),
    ("run", {}, "config"),
    ("run", {"config": []}, "config"),
    ("run", {"config": {"name": ["x"]}}, "config.name"),
    ("step", {"step": 1}, "candidates"),
    ("step", {"step": 0, "candidates": [{"prompt": "gone", "score": 0.5, "n": 1}]}, "no earlier event holds"),
    ("step", {"step": "0", "candidates": []}, "step"),
    ("rollout", {"step": 0}, "split"),
    ("rollout", {"split": "dev", "prompt": "p", "example": "e", "score": [7, "", ""]}, "score"),
    ("result", {"reason": "x"}, "best"),
    ("result", {"best": "gone", "initial": "gone", "reason": "x"}, "best prompt 'gone'"),
)  # fmt: skip
"""Kind of the event that is replaced, its new body, and the words that say what is wrong with it."""


@pytest.mark.parametrize(("kind", "body", "words"), DAMAGES)
def test_a_damaged_log_is_named_with_its_position_and_hides_no_other_run(
    kind: str, body: object, words: str, pristine: dict[str, Path], tmp_path: Path
) -> None:
    shutil.copytree(pristine["optimization"], tmp_path / "good")
    shutil.copytree(pristine["optimization"], tmp_path / "bad")
    position = next(event.position for event in events(tmp_path / "bad" / "log.db") if event.kind == kind)
    rewrite(tmp_path / "bad" / "log.db", position, body)
    rows = {row["run"]: row for row in invoke("runs", "--runs", tmp_path, "--json").json}
    assert rows["good"]["finished"]
    assert words in rows["bad"]["problem"]
    shown = invoke("show", "bad", "--runs", tmp_path)
    assert (shown.status, words in shown.err) == (2, True)
    if "gone" not in str(body) and kind != "result":
        assert f"run 'bad', position {position}: " in shown.err


@pytest.mark.parametrize(("kind", "body", "words"), DAMAGES[:-2])
def test_a_damaged_log_is_not_imported(
    kind: str, body: object, words: str, pristine: dict[str, Path], tmp_path: Path
) -> None:
    shutil.copytree(pristine["optimization"], tmp_path / "bad")
    position = next(event.position for event in events(tmp_path / "bad" / "log.db") if event.kind == kind)
    rewrite(tmp_path / "bad" / "log.db", position, body)
    imported = invoke("log", "import", tmp_path / "bad", "-o", "new", "--runs", tmp_path)
    if "gone" in str(body):  # a reference is looked up when it is followed
        return
    assert (imported.status, f"position {position}" in imported.err) == (2, True)
    assert not (tmp_path / "new" / "log.db").exists()
