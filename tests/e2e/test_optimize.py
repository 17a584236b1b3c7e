"""The main job from the command line: optimize against an HTTP server, look at the run, evaluate its prompt."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from askwell import load_policy
from askwell.core.types import Event
from askwell.runlog.fold import fold
from tests.support.harness import (
    BBH,
    OPTIMIZER,
    START,
    SUMS,
    Answerer,
    askwell,
    assert_same_events,
    calls_logged,
    calls_seen,
    clean_environment,
    events,
    invoke,
    is_check,
    kinds,
    optimize_flags,
    serving,
)
from tests.support.logs import stored
from tests.support.servers import ChatServer


@pytest.mark.parametrize("data", [SUMS, BBH], ids=["our file", "BBH"])
def test_optimizing_a_bbh_file_on_a_server(data: Path, tmp_path: Path) -> None:
    if not data.exists():
        pytest.skip(f"{data} is not here: it is a benchmark file, not part of the repository")
    with serving(reply=Answerer.of(data).reply) as server:
        run = askwell("optimize", *optimize_flags(server, data), "--run", "first", cwd=tmp_path)
        assert run.status == 0, run.err
        log = events(tmp_path / "runs" / "first" / "log.db")

        table = run.out.splitlines()
        [initial], [optimized] = ([line for line in table if name in line] for name in ("│ initial", "│ optimized"))
        assert START in initial
        assert len(re.findall(r"\d+\.\d \[", optimized)) == 2, "dev and test, each with an interval"
        calls = len(calls_logged(log) & set(calls_seen(server)))
        assert re.search(rf"Target: {calls} calls, [\d,]+ \+ [\d,]+ tokens", run.out)
        assert re.search(r"This session: [\d,]+ calls · [\d,]+ tokens .* s$", run.out, re.MULTILINE)
        assert "Run log: runs/first/log.db" in run.out
        steps = kinds(log)["step"]
        assert 2 <= steps <= 4, "the initial prompt, and at most three steps: fewer where one reached 100"
        assert f"step {steps - 1}/3 done" in run.err

        assert log[0].kind == "run"
        assert [event for event in log if not is_check(event)][-1].kind == "result"
        assert kinds(log)["example"] == 30
        assert max(calls_seen(server).values()) == 1, "no call was made twice"


def test_the_test_split_is_touched_once_and_by_two_prompts_only(server: ChatServer, tmp_path: Path) -> None:
    assert invoke("optimize", *optimize_flags(server), "--run", "r", "--runs", tmp_path).status == 0
    log = events(tmp_path / "r" / "log.db")
    tested = [place for place, event in enumerate(log) if event.body.get("split") == "test" and event.kind == "rollout"]
    last_step = max(place for place, event in enumerate(log) if event.kind == "step")
    assert min(tested) > last_step
    assert len({event.body["prompt"] for event in log[min(tested) :] if event.kind == "rollout"}) <= 2


def test_json_show_runs_and_evaluate_tell_the_same_story(server: ChatServer, tmp_path: Path) -> None:
    run = invoke("optimize", *optimize_flags(server), "--run", "r", "--runs", tmp_path, "--json")
    assert run.status == 0, run.err
    found = run.json
    log = events(tmp_path / "r" / "log.db")
    history = fold(stored(log)).trajectory
    assert found["run"] == "r"
    assert found["prompt"] == found["best"]["prompt"] == history.best.prompt.instruction
    assert found["best"]["dev"]["estimate"] == pytest.approx(history.best.score)
    assert found["initial"]["prompt"] == START
    assert found["best"]["test"]["n"] == 12
    assert found["spend"]["target"]["calls"] == server.total_requests
    assert [point["step"] for point in found["curve"]] == list(range(kinds(log)["step"]))

    shown = invoke("show", "r", "--runs", tmp_path, "--json").json
    assert {key: value for key, value in shown.items() if key != "still_wrong"} == found
    assert invoke("show", "r", "--runs", tmp_path, "--prompt").out == found["prompt"]
    [line] = invoke("runs", "--runs", tmp_path, "--json").json
    assert line["run"] == "r"
    assert line["finished"]
    assert line["test"] == found["best"]["test"]["estimate"]

    scored = invoke(
        "evaluate", "--data", SUMS, "--metric", "number", "--target", "openai:tiny", "--base-url", server.base_url,
        "--prompt", START, "--prompt", found["prompt"], "--json",
    )  # fmt: skip
    first, second = scored.json["prompts"]
    assert first["difference"] is None
    assert first["score"]["n"] == second["score"]["n"] == 40
    gain = second["score"]["estimate"] - first["score"]["estimate"]
    assert second["difference"]["estimate"] == pytest.approx(gain)
    assert second["difference"]["low"] <= gain <= second["difference"]["high"]
    assert scored.json["calls"] == 80


def test_an_evaluation_with_a_run_name_pays_once(server: ChatServer, tmp_path: Path) -> None:
    flags = ["evaluate", "--data", SUMS, "--metric", "number", "--target", "openai:tiny", "--limit", "9", "--json"]
    flags += ["--base-url", server.base_url, "--run", "e", "--runs", tmp_path, "--prompt", START]
    first, second = invoke(*flags), invoke(*flags)
    assert (first.json["calls"], second.json["calls"]) == (9, 0)
    assert first.json["prompts"] == second.json["prompts"]
    assert server.total_requests == 9


def test_a_config_file_and_flags_make_the_same_run_as_flags_alone(server: ChatServer, tmp_path: Path) -> None:
    config = tmp_path / "sums.toml"
    config.write_text(
        f"""
        [task]
        data = {str(SUMS)!r}
        metric = "number"
        [split]
        train = 6
        dev = 12
        test = 12
        [target]
        model = "openai:tiny"
        base_url = {server.base_url!r}
        [optimizer]
        candidates = 5
        embedder = "lexical"
        [run]
        steps = 3
        """
    )
    by_file = invoke("optimize", config, "--candidates", "4", "--run", "file", "--runs", tmp_path)
    by_flags = invoke("optimize", *optimize_flags(server), "--run", "flags", "--runs", tmp_path)
    assert (by_file.status, by_flags.status) == (0, 0), by_file.err
    by_file_log, by_flags_log = events(tmp_path / "file" / "log.db"), events(tmp_path / "flags" / "log.db")
    assert by_file_log[0].body["config"] == by_flags_log[0].body["config"]
    assert_same_events(by_file_log[1:], by_flags_log[1:])


def test_the_same_seed_writes_the_same_events_and_another_seed_others(server: ChatServer, tmp_path: Path) -> None:
    """In processes of their own: what Python draws anew in each one (string hashes) must not matter."""
    optimizer = f"openai:{OPTIMIZER}"
    flags = [*optimize_flags(server, optimizer=optimizer), "--steps", "2"]
    logs: dict[str, list[Event]] = {}
    for name, seed in (("one", "5"), ("two", "5"), ("other", "6")):
        env = clean_environment(PYTHONHASHSEED="1" if name == "one" else "2")
        run = askwell("optimize", *flags, "--seed", seed, "--run", name, cwd=tmp_path, env=env)
        assert run.status == 0, run.err
        logs[name] = events(tmp_path / "runs" / name / "log.db")
    assert_same_events(logs["one"], logs["two"])
    asked = {name: [event.key for event in log if event.kind == "call"] for name, log in logs.items()}
    assert asked["one"] == asked["two"] != asked["other"]


def test_a_name_is_made_up_and_a_taken_one_is_refused(server: ChatServer, tmp_path: Path) -> None:
    flags = [*optimize_flags(server), "--steps", "0", "--runs", tmp_path]
    assert [invoke("optimize", *flags, "--json").json["run"] for _ in range(2)] == ["sums-1", "sums-2"]
    again = invoke("optimize", *flags, "--run", "sums-1")
    assert again.status == 2
    assert "'sums-1' exists" in again.err
    assert f"askwell optimize --resume sums-1 --runs {tmp_path}" in again.err


def test_resuming_a_finished_run_prints_it_again_and_calls_nobody(server: ChatServer, tmp_path: Path) -> None:
    first = invoke("optimize", *optimize_flags(server), "--run", "r", "--runs", tmp_path, "--json")
    before = server.total_requests
    again = invoke("optimize", "--resume", "r", "--runs", tmp_path, "--json")
    assert again.status == 0, again.err
    assert again.json == first.json
    assert server.total_requests == before


@pytest.mark.parametrize("choice", ["random", "nearest"])
def test_demonstrations_are_chosen_by_flag_and_sent_with_every_question(
    choice: str, server: ChatServer, tmp_path: Path
) -> None:
    flags = [*optimize_flags(server), "--optimizer", "gpo", "--demos", choice, "--demos-count", "2"]
    done = invoke("optimize", *flags, "--run", "r", "--runs", tmp_path)
    assert done.status == 0, done.err
    asked = [body["messages"] for body in server.bodies if "Reply with OK." not in str(body)]
    assert asked
    assert {tuple(message["role"] for message in messages) for messages in asked} == {
        ("user", "assistant") * 2 + ("user",)
    }
    shown = {tuple(message["content"] for message in messages if message["role"] == "assistant") for messages in asked}
    assert (len(shown) > 1) == (choice == "nearest")


def test_nearest_demonstrations_are_chosen_anew_for_each_query_by_the_runs_policy(
    server: ChatServer, tmp_path: Path
) -> None:
    flags = [*optimize_flags(server), "--optimizer", "gpo", "--demos", "nearest", "--demos-count", "2"]
    assert invoke("optimize", *flags, "--run", "r", "--runs", tmp_path).status == 0
    policy = load_policy(tmp_path / "r")
    one, other = policy.prompts_for(["I have two apples. How many fruits do I have?", "Seven drums?"])
    assert len(one.demos) == len(other.demos) == 2
    assert one.instruction == other.instruction
