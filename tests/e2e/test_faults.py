"""A server that fails: the result does not change while it can be had, and nothing is made up when it can't."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from tests.support.harness import OPTIMIZER, SUMS, assert_same_events, events, invoke, kinds, optimize_flags, serving
from tests.support.servers import ChatServer, Fault, always, random_faults

NAMED: tuple[Fault, ...] = ("429", "500", "malformed_json", "cut", "hang")
"""The five of the issue: rate limits, server errors, malformed JSON, cut connections, time-outs."""
FAST = ["--timeout", "0.5", "--steps", "2", "--candidates", "3", "--dev", "10"]


def run_clean(server: ChatServer, folder: Path) -> None:
    assert invoke("optimize", *_flags(server), "--run", "clean", "--runs", folder).status == 0


def test_a_run_through_many_faults_equals_the_run_without(server: ChatServer, tmp_path: Path) -> None:
    run_clean(server, tmp_path)
    server.faults = random_faults(seed=3, rate=0.3, faults=NAMED)
    run = invoke("optimize", *_flags(server), "--run", "rough", "--runs", tmp_path)
    assert run.status == 0, run.err
    assert set(server.faults_served) == set(NAMED)
    assert_same_events(events(tmp_path / "rough" / "log.db"), events(tmp_path / "clean" / "log.db"))
    rough, clean = (invoke("show", name, "--runs", tmp_path, "--json").json for name in ("rough", "clean"))
    assert {**rough, "run": "clean"} == clean


@pytest.mark.parametrize("fault", ["429", "500", "malformed_json", "hang", "cut"])
def test_when_every_request_fails_the_run_stops_loudly_without_a_score_and_heals_later(
    fault: Fault, server: ChatServer, tmp_path: Path
) -> None:
    assert fault in get_args(Fault)
    server.faults = always(fault)
    flags = [*_flags(server), "--steps", "1", "--max-attempts", "2", "--timeout", "0.2" if fault == "hang" else "30"]
    run = invoke("optimize", *flags, "--run", "r", "--runs", tmp_path)
    # A connection that never once held is a wrong address as far as anybody can tell: bad input, status 2.
    assert run.status == (2 if fault == "cut" else 1)
    assert _NAMES[fault] in run.err
    if fault == "cut":
        assert "No run was kept" in run.err
        assert not (tmp_path / "r").exists()
        return
    assert f"Go on with: askwell optimize --resume r --runs {tmp_path}" in run.err
    log = events(tmp_path / "r" / "log.db")
    assert not kinds(log).keys() & {"rollout", "step", "result"}, "nothing scored, nothing decided"

    server.faults = lambda _body, _repeat: None
    resumed = invoke("optimize", "--resume", "r", "--runs", tmp_path, "--timeout", "30")
    assert resumed.status == 0, resumed.err
    assert invoke("optimize", *flags, "--timeout", "30", "--run", "clean", "--runs", tmp_path).status == 0
    assert_same_events(events(tmp_path / "r" / "log.db")[1:], events(tmp_path / "clean" / "log.db")[1:])


def test_a_server_that_dies_half_way_costs_nothing_twice(server: ChatServer, tmp_path: Path) -> None:
    run_clean(server, tmp_path)
    limit = server.total_requests + 40
    server.faults = lambda _body, _repeat: "500" if server.total_requests > limit else None
    flags = [*_flags(server), "--max-attempts", "1"]
    run = invoke("optimize", *flags, "--run", "r", "--runs", tmp_path)
    assert run.status == 1
    assert "500" in run.err or "server" in run.err
    log = events(tmp_path / "r" / "log.db")
    assert all(event.body["score"] is not None for event in log if event.kind == "rollout")
    server.faults = lambda _body, _repeat: None
    resumed = invoke("optimize", "--resume", "r", "--runs", tmp_path)
    assert resumed.status == 0, resumed.err
    assert_same_events(events(tmp_path / "r" / "log.db")[1:], events(tmp_path / "clean" / "log.db")[1:])
    assert set(server.answered.values()) == {2}, "each call was answered once for either run"


def test_a_single_call_that_never_succeeds_stops_the_run(tmp_path: Path) -> None:
    def one(body: str, _repeat: int) -> Fault | None:
        return "500" if "one apple" in body or "a plum" in body else None

    with serving(faults=one) as server:
        run = invoke("optimize", *_flags(server), "--max-attempts", "1", "--run", "r", "--runs", tmp_path)
        assert run.status == 1
        assert "target calls failed for good" in run.err
        log = events(tmp_path / "r" / "log.db")
        assert not kinds(log)["result"]
        assert all(event.body["score"] is not None for event in log if event.kind == "rollout")


def test_a_failing_optimizer_stops_the_run_and_says_which_model(server: ChatServer, tmp_path: Path) -> None:
    server.faults = lambda body, _repeat: "500" if OPTIMIZER in body else None
    config = tmp_path / "impatient.toml"
    config.write_text('optimizer_model.max_attempts = 1\noptimizer.embedder = "lexical"\n')
    run = invoke("optimize", config, *_flags(server)[1:], "--run", "r", "--runs", tmp_path)
    assert run.status == 1
    assert f"openai:{OPTIMIZER}" in run.err
    assert "--resume r" in run.err


def _flags(server: ChatServer) -> list[str]:
    return [*optimize_flags(server, SUMS, optimizer=f"openai:{OPTIMIZER}"), *FAST]


_NAMES: dict[str, str] = {
    "429": "Rate limit", "500": "The server had an error", "malformed_json": "is no JSON", "hang": "timeout",
    "cut": "broke",
}  # fmt: skip
