"""Runs in batches from the command line: half the price, killed and resumed without paying twice, stopped in order."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from askwell.core.types import Event
from tests.support.batch_servers import BatchServer, Fate, ServedBatch, batch_server
from tests.support.harness import SUMS, Answerer, askwell, assert_same_events, ended, events, invoke, start
from tests.support.servers import ChatServer

SMALL = ["--train", "6", "--dev", "12", "--test", "12", "--steps", "2", "--candidates", "4"]


@pytest.fixture
def server() -> Iterator[BatchServer]:
    answerer = Answerer.of()
    with batch_server(chat=ChatServer(reply=answerer.reply)) as running:
        yield running


def config(folder: Path, server: BatchServer, *more: str) -> Path:
    path = folder / "batch.toml"
    path.write_text(
        "\n".join([
            'prompt = "Let\'s think step by step."',
            f'task = {{ data = {json.dumps(str(SUMS))}, metric = "number" }}',
            'optimizer = { name = "askwell" }',
            "[target]",
            'model = "openai:tiny"',
            f"base_url = {json.dumps(server.base_url)}",
            "batch = true",
            "batch_poll_s = 0.1",
            "prices = { input = 1000.0, output = 1000.0 }",
            *more,
        ])
    )  # fmt: skip
    return path


def settled(log: Path) -> list[Event]:
    """What a run's log says in its own order, without what stands aside."""
    return [event for event in events(log) if event.position < 1 << 40]


def batches_noted(log: Path) -> int:
    return sum("keys" in event.body["batch"] for event in events(log) if event.kind == "note")  # type: ignore[operator]


def test_a_run_in_batches_finds_what_a_direct_one_finds_at_half_the_price(server: BatchServer, tmp_path: Path) -> None:
    path = config(tmp_path, server)
    run = askwell("optimize", path, *SMALL, "--run", "b", cwd=tmp_path)
    assert run.status == 0, run.err
    direct = askwell("optimize", path, *SMALL, "--no-batch", "--racing", "full", "--run", "d", cwd=tmp_path)
    assert direct.status == 0, direct.err
    ours, theirs = (settled(tmp_path / "runs" / name / "log.db") for name in ("b", "d"))
    assert [scores(event) for event in ours] == [scores(event) for event in theirs]
    assert cost(ours) < 0.75 * cost(theirs)
    assert len(server.batches) >= 3
    assert "batch batch1:" in run.err


def scores(event: Event) -> object:
    return event.position, event.kind, event.body.get("score"), event.body.get("candidates")


def cost(found: list[Event]) -> float:
    completions: list[Any] = [event.body["completion"] for event in found if event.kind == "rollout"]
    return sum(one.get("cost_usd", 0.0) for one in completions)


Moment = Callable[[BatchServer, "subprocess.Popen[str]"], None]


def at_the_making(number: int) -> Moment:
    """Kill when the batch is made, before its maker hears of it."""

    def arm(server: BatchServer, process: subprocess.Popen[str]) -> None:
        def kill(batch: ServedBatch) -> None:
            if batch.number == number:
                process.kill()

        server.on_batch = kill

    return arm


def while_it_is_on(number: int, delay_s: float) -> Moment:
    def arm(server: BatchServer, process: subprocess.Popen[str]) -> None:
        def kill(batch: ServedBatch) -> None:
            if batch.number == number:
                threading.Timer(delay_s, process.kill).start()

        server.on_batch = kill

    return arm


def first_expires(body: dict[str, Any], batch: int) -> Fate:
    return "expired" if batch == 1 and len(body["messages"][-1]["content"]) % 3 == 0 else "answered"


@pytest.mark.parametrize(
    "moment",
    [at_the_making(1), at_the_making(3), while_it_is_on(1, 0.1), while_it_is_on(2, 0.25), while_it_is_on(2, 0.45)],
    ids=["making the first", "making the third", "first on", "second on", "second ending"],
)
def test_a_killed_run_in_batches_pays_for_nothing_twice(tmp_path: Path, moment: Moment) -> None:
    logs: list[list[Event]] = []
    for name in ("whole", "killed"):
        with batch_server(chat=ChatServer(reply=Answerer.of().reply), seconds=0.3) as server:
            path = config(tmp_path, server)
            process = start("optimize", path, *SMALL, "--run", name, cwd=tmp_path)
            if name == "killed":
                moment(server, process)
            first = ended(process)
            assert (first.status != 0) == (name == "killed"), first.err
            if name == "killed":
                server.on_batch = lambda _: None
                again = askwell("optimize", "--resume", name, "--base-url", server.base_url, cwd=tmp_path)
                assert again.status == 0, again.err
            assert set(server.paid.values()) == {1}
            log = settled(tmp_path / "runs" / name / "log.db")
            scored = sum(event.kind == "rollout" and not event.body.get("cached") for event in log)
            assert len(server.paid) == 1 + scored  # the first call is the check of the model
            logs.append([event for event in log if event.kind != "run"])  # which holds the address
    assert_same_events(*logs)


def test_a_batch_that_expires_in_part_is_completed_by_the_next(server: BatchServer, tmp_path: Path) -> None:
    server.fate = first_expires
    run = invoke("optimize", config(tmp_path, server), *SMALL, "--run", "b", "--runs", tmp_path, "--json")
    assert run.status == 0, run.err
    assert run.json["missing"] == 0
    assert set(server.paid.values()) == {1}


def test_ctrl_c_names_the_batch_and_a_resumed_run_fetches_it(server: BatchServer, tmp_path: Path) -> None:
    server.seconds = 3.0
    process = start("optimize", config(tmp_path, server), *SMALL, "--run", "b", cwd=tmp_path)
    log = tmp_path / "runs" / "b" / "log.db"
    while not server.batches:
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    stopped = ended(process, timeout_s=20)
    assert stopped.status == 130
    assert "Batch batch1 goes on at the provider" in stopped.err
    assert "--resume b" in stopped.err
    refused = askwell("optimize", "--resume", "b", "--no-batch", cwd=tmp_path)
    assert (refused.status, "batch1" in refused.err) == (2, True)
    server.seconds = 0.2
    again = askwell("optimize", "--resume", "b", cwd=tmp_path)
    assert again.status == 0, again.err
    assert set(server.paid.values()) == {1}
    assert batches_noted(log) == len(server.batches)


def test_evaluating_in_batches(server: BatchServer, tmp_path: Path) -> None:
    flags = ["evaluate", config(tmp_path, server), "--prompt", "Add up.", "--prompt", "Count.", "--runs", tmp_path]
    nameless = invoke(*flags)
    assert (nameless.status, "--run NAME" in nameless.err) == (2, True)
    run = invoke(*flags, "--run", "e", "--json")
    assert run.status == 0, run.err
    assert len(server.batches) == 1
    assert set(server.paid.values()) == {1}
    paid = server.paid.total()
    assert invoke(*flags, "--run", "e", "--json").json["prompts"] == run.json["prompts"]
    assert server.paid.total() == paid


def test_caps_hold_in_batches(server: BatchServer, tmp_path: Path) -> None:
    path = config(tmp_path, server)
    calls = invoke("optimize", path, *SMALL, "--run", "c", "--runs", tmp_path, "--budget-calls", "70", "--json")
    assert calls.status == 0, calls.err
    assert server.paid.total() <= 70
    whole = invoke("optimize", path, *SMALL, "--run", "w", "--runs", tmp_path, "--json").json["spend"]["target"]
    cap = 0.6 * whole["cost_usd"]
    dollars = invoke("optimize", path, *SMALL, "--run", "u", "--runs", tmp_path, "--budget-usd", f"{cap}", "--json")
    assert dollars.status == 0, dollars.err
    assert dollars.json["spend"]["target"]["cost_usd"] <= 1.1 * cap


def test_a_plan_in_batches(server: BatchServer, tmp_path: Path) -> None:
    path = config(tmp_path, server)
    found = invoke("plan", path, *SMALL, "--json").json
    direct = invoke("plan", path, *SMALL, "--no-batch", "--racing", "full", "--json").json
    assert found["expected_usd"] == pytest.approx(0.5 * direct["expected_usd"])
    assert found["worst_usd"] == direct["worst_usd"]
    assert found["worst_seconds"] > 4 * 86_400
    text = invoke("plan", path, *SMALL).out
    assert "up to 24 hours" in " ".join(text.split())


def test_what_cannot_be_asked_in_batches_is_told(server: BatchServer, tmp_path: Path) -> None:
    path = config(tmp_path, server)
    several = invoke("optimize", path, *SMALL, "--base-url", server.base_url, "--base-url", "http://b/v1")
    assert (several.status, "one endpoint" in several.err) == (2, True)
    local = invoke("optimize", path, *SMALL, "--target", "pocket")
    assert (local.status, "no batches for 'pocket'" in local.err) == (2, True)
    theirs = invoke("optimize", config(tmp_path, server, "[optimizer_model]", "batch = true"), *SMALL)
    assert (theirs.status, "optimizer_model.batch" in theirs.err) == (2, True)
