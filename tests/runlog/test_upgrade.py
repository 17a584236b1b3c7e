"""A log of format 1 is refused by its number, and `askwell log import` converts it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from askwell.core.errors import DataError, StoreError
from askwell.core.types import Event
from askwell.runlog import transfer
from askwell.runlog.codec import FORMAT
from askwell.runlog.fold import fold, missing_slots, read_result, read_rollouts, read_spend
from askwell.runlog.folders import LOG
from askwell.runlog.server_quirks import describe_quirks
from askwell.runlog.store import SqliteStore
from askwell.runlog.upgrade import upgrade_event, upgrade_events
from askwell.runlog.upgrade_header import SETTINGS, upgrade_header
from tests.support.harness import invoke

OLD = Path(__file__).parents[1] / "data" / "log_format_1.jsonl"
"""Made by the command line before format 2: one step of gpo on a bundled task, each example asked twice."""
OLD_PYTHON = OLD.with_name("log_format_1_python.jsonl")
"""Made by `askwell.optimize` before format 2: one step of gpo on sums, with functions as models."""
ROWS: list[dict[str, Any]] = [json.loads(line) for line in OLD.read_text(encoding="utf-8").splitlines()]


def old_run(folder: Path, rows: Sequence[Mapping[str, Any]] = ROWS) -> Path:
    """Write a log of format 1 as a run's folder."""
    folder.mkdir(parents=True)
    with sqlite3.connect(folder / LOG) as log:
        log.execute("CREATE TABLE events (position INTEGER PRIMARY KEY, kind, key, at, seconds, body)")
        log.executemany(
            "INSERT INTO events VALUES (:position, :kind, :key, :at, :seconds, :body)",
            [{**row, "body": json.dumps(row["body"])} for row in rows],
        )
        log.execute("PRAGMA user_version = 1")
    log.close()
    return folder


def by_kind(events: list[Event]) -> dict[str, list[Event]]:
    return {kind: [event for event in events if event.kind == kind] for kind in {event.kind for event in events}}


def test_an_older_log_is_refused_by_its_number_with_what_to_do(tmp_path: Path) -> None:
    log = old_run(tmp_path / "runs" / "old") / LOG
    for read_only in (True, False):
        with pytest.raises(StoreError, match=rf"format 1, expected {FORMAT}; convert it: askwell log import .*old -o"):
            SqliteStore(log, read_only=read_only)


@pytest.mark.parametrize(
    "command",
    [
        ("show", "old"),
        ("show", "old", "--calls"),
        ("export", "old"),
        ("report", "old"),
        ("retry", "old"),
        ("experiences", "old"),
        ("headroom", "old"),
        ("optimize", "--resume", "old"),
        ("train", "old"),
        ("log", "export", "old"),
    ],
    ids=" ".join,
)
def test_every_command_refuses_an_older_log(command: tuple[str, ...], tmp_path: Path) -> None:
    old_run(tmp_path / "old")
    run = invoke(*command, "--runs", tmp_path)
    assert run.status != 0
    assert "has format 1" in run.err
    assert "askwell log import" in run.err


def test_an_older_run_is_listed_with_its_problem(tmp_path: Path) -> None:
    old_run(tmp_path / "old")
    [row] = invoke("runs", "--runs", tmp_path, "--json").json
    assert "has format 1" in row["problem"]


@pytest.mark.parametrize("source", ["export", "folder", "log", "name"])
def test_log_import_converts_an_older_log(source: str, tmp_path: Path) -> None:
    folder = old_run(tmp_path / "old")
    given = {"export": OLD, "folder": folder, "log": folder / LOG, "name": Path("old")}[source]
    run = invoke("log", "import", given, "-o", "new", "--runs", tmp_path)
    assert run.status == 0, run.err
    with SqliteStore(tmp_path / "new" / LOG, read_only=True) as store:
        events = list(store.events())
        assert [event.position for event in events] == [row["position"] for row in ROWS]
        assert [(event.key, event.at, event.seconds) for event in events] == [
            (row["key"], row["at"], row["seconds"]) for row in ROWS
        ]
        assert {rollout.sample_index for rollout in read_rollouts(store)} == {0, 1}
        folded = fold(store)
        assert len(folded.trajectory) == 3
        assert missing_slots(store, folded) == frozenset()
        assert read_result(store) is not None
        assert read_spend(store)["target"].calls == 22
        assert describe_quirks(store) == ("openai:tiny takes no temperature: it is left out",)


@pytest.mark.parametrize("source", [OLD, OLD_PYTHON], ids=["command line", "Python"])
def test_every_command_that_looks_at_a_run_reads_a_converted_log(source: Path, tmp_path: Path) -> None:
    assert invoke("log", "import", source, "-o", "new", "--runs", tmp_path).status == 0
    assert invoke("show", "new", "--runs", tmp_path, "--json").json["finished"]
    calls = invoke("show", "new", "--calls", "--runs", tmp_path, "--json").json
    [call, *_] = invoke("show", "new", "--call", calls[0]["cell"], "--runs", tmp_path, "--json").json
    assert call["request_is_exact"] is (None if source == OLD else True)  # the log names a checkpoint by its files
    report = invoke("report", "new", "--runs", tmp_path, "-o", tmp_path / "report.html")
    assert report.status == 0, report.err
    exported = invoke("export", "new", "--runs", tmp_path, "--format", "json")
    assert "{input}" in exported.json["messages"][-1]["content"]


def test_a_converted_unfinished_run_is_resumed(tmp_path: Path) -> None:
    rows = [row for row in ROWS if row["kind"] != "result" and row["body"].get("split") != "test"]
    rows += [row for row in ROWS if row["kind"] == "example" and row["body"]["split"] == "test"]
    old_run(tmp_path / "old", rows)
    assert invoke("log", "import", "old", "-o", "new", "--runs", tmp_path).status == 0
    assert not invoke("show", "new", "--runs", tmp_path, "--json").json["finished"]
    resumed = invoke("optimize", "--resume", "new", "--runs", tmp_path, "--json")
    assert resumed.status == 0, resumed.err
    assert invoke("log", "import", OLD, "-o", "whole", "--runs", tmp_path).status == 0
    whole = invoke("show", "whole", "--runs", tmp_path, "--json").json
    assert (resumed.json["best"], resumed.json["spend"]) == (whole["best"], whole["spend"])


def test_a_training_brings_its_policy_along(tmp_path: Path) -> None:
    folder = old_run(tmp_path / "old")
    (folder / "policy").mkdir()
    (folder / "policy" / "policy.json").write_text("{}")
    transfer.import_log(folder, tmp_path / "new" / LOG)
    assert (tmp_path / "new" / "policy" / "policy.json").read_text() == "{}"


def test_only_the_names_in_the_tables_change() -> None:
    events = by_kind([upgrade_event(Event(**row)) for row in ROWS])
    assert set(events) == {"run", "example", "prompt", "proposals", "call", "rollout", "step", "result", "quirk"}
    for row in ROWS:
        [event] = [one for kind in events for one in events[kind] if one.position == row["position"]]
        body = row["body"]
        if row["kind"] == "rollout":
            body = {{"draw": "sample_index"}.get(key, key): value for key, value in body.items()}
        elif row["kind"] == "call":
            body = json.loads(json.dumps(body).replace('"draw"', '"sample_index"'))
        if row["kind"] != "run":
            assert event.body == body


def test_settings_get_their_new_names() -> None:
    header = upgrade_event(Event(**ROWS[0])).body
    assert header["format"] == FORMAT
    for name in ("config", "settings"):
        tree = cast("Mapping[str, Any]", header[name])
        assert tree["optimizer_model"]["model"] == "editor"
        assert tree["optimizer"]["name"] == "gpo"
        assert tree["target"]["repeats"] == 2
        assert not {old for old in SETTINGS if old not in SETTINGS.values() and _holds(tree, old)} - {"optimizer"}
        assert tree["optimizer_model"].keys().isdisjoint({"max_tokens", "seed", "repeats"})
    policy = cast("Mapping[str, Any]", header["settings"])["policy"]
    assert policy.keys() >= {"selector_first", "fallback"}
    assert (policy["method"], policy["acquire"], policy["acquisition"]) == ("qpo", 7, "uncertainty")


def test_both_forms_of_an_old_config_become_the_current_one() -> None:
    python: dict[str, Any] = json.loads(OLD_PYTHON.read_text(encoding="utf-8").partition("\n")[0])
    for row, target, task in (
        (ROWS[0], {"model": "pocket", "temperature": 0.7, "max_tokens": 8, "repeats": 2}, "numbers_even"),
        (python, {"model": "function:sums", "temperature": 0.0, "max_tokens": 512, "repeats": 1}, "task"),
    ):
        config = cast("Mapping[str, Any]", upgrade_header(row["body"])["config"])
        assert config["target"] == {**target, "seed": None}
        assert config["task"] == {"metric": "number", "placement": "Q_end", "labels": False, "name": task}
        assert {"optimizer", "optimizer_model", "racing", "demos", "run", "split"} <= config.keys()
        assert config.keys().isdisjoint({"sampling", "metric", "placement", "loop", "search"})


def _holds(tree: Mapping[str, Any], path: str) -> bool:
    head, _, rest = path.partition(".")
    return head in tree and (not rest or _holds(tree[head], rest))


def test_a_current_log_passes_through() -> None:
    events = list(upgrade_events(Event(**row) for row in ROWS))
    assert list(upgrade_events(events)) == events


def test_a_log_of_a_newer_askwell_is_refused(tmp_path: Path) -> None:
    newer = Event(position=0, kind="run", body={"format": FORMAT + 1})
    with pytest.raises(DataError, match="update askwell"):
        list(upgrade_events([newer]))
    folder = old_run(tmp_path / "newer")
    with sqlite3.connect(folder / LOG) as log:
        log.execute(f"PRAGMA user_version = {FORMAT + 1}")
    log.close()
    with pytest.raises(StoreError, match="update askwell"):
        SqliteStore(folder / LOG, read_only=True)
