"""Bad input: exit status 2, one clear message that names the value and what to do, no traceback, no key."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

import pytest

from tests.support.harness import CONFIG, SUMS, Ended, askwell, clean_environment, events, invoke, optimize_flags
from tests.support.servers import ChatServer, always

KEY = "sk-very-secret-0123456789abcdef"


def refused(ended: Ended, *said: str) -> None:
    assert ended.status == 2, (ended.status, ended.out, ended.err)
    assert "Traceback" not in ended.err
    assert len(ended.err.strip().splitlines()) <= 5, ended.err
    for words in said:
        assert words in ended.err, ended.err


@pytest.fixture
def base(tmp_path: Path) -> list[str]:
    """Flags of an optimization that would work but for what a test breaks; no server is needed to be refused."""
    flags = ["optimize", str(CONFIG), "--metric", "number", "--target", "openai:tiny", "--runs", str(tmp_path / "runs")]
    return [*flags, "--base-url", "http://127.0.0.1:9/v1", "--data", str(SUMS)]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--data", "nowhere.jsonl"], ["'nowhere.jsonl'"]),
        (["--field", "input=qestion"], ["'qestion'", "input", "target"]),
        (["--field", "input"], ["'input'", "NAME=FIELD"]),
        (["--metric", "numbr"], ["'numbr'", "did you mean 'number'"]),
        (["--placement", "Q_endd"], ["'Q_endd'", "did you mean 'Q_end'"]),
        (["--optimizer", "gppo"], ["'gppo'", "did you mean 'gpo'"]),
        (["--target", "opnai:x"], ["'opnai:x'", "did you mean 'openai'"]),
        (["--target", "openai:"], ["'openai:'", "openai:NAME"]),
        (["--optimizer-model", "editr"], ["'editr'", "did you mean 'editor'"]),
        (["--base-url", "localhost:8000"], ["'localhost:8000'", "http://"]),
        (["--concurrency", "0"], ["concurrency", "0"]),
        (["--candidates", "0"], ["candidates", "0"]),
        (["--dev", "-3"], ["dev", "-3"]),
        (["--dev", "500"], ["too few"]),
        (["--steps", "many"], ["--steps", "'many'"]),
        (["--stepz", "3"], ["--stepz", "--steps"]),
        (["--run", "../x"], ["'../x'", "folder name"]),
        (["--target", "local:/no/such/checkpoint"], ["/no/such/checkpoint"]),
    ],
)
def test_a_wrong_flag_is_refused(flags: list[str], said: list[str], base: list[str], tmp_path: Path) -> None:
    refused(invoke(*base, *flags), *said)
    assert not list(tmp_path.glob("runs/*")), "nothing is left behind"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[task]\nmetrik = 'number'", ["'task.metrik'", "did you mean 'metric'"]),
        ("[targets]\nmodel = 'x'", ["'targets'", "did you mean 'target'"]),
        ("[optimizer]\ncandidate = 3", ["'askwell'", "'candidate'", "did you mean 'candidates'"]),
        ("[gpo]\ncandidates = 3", ["'gpo'", "[optimizer]", "rename"]),
        ("[search]\ncandidates = 3", ["'search'", "[optimizer]", "rename"]),
        ("[optimizer]\nmodel = 'editor'", ["optimizer.model", "optimizer_model.model"]),
        ("[optimizer]\ntemperature = 0.5", ["optimizer.temperature", "optimizer_model.temperature"]),
        ("[optimizer]\nname = 'openai:m'", ["optimizer.name", "optimizer_model"]),
        ("[policy]\nguard = false", ["policy.fallback", "policy.fallback"]),
        ("[target]\ndraws = 3", ["target.draws", "target.repeats"]),
        ("[optimizer]\nname = 'evoprompt'", ["'evoprompt'", "choose one of"]),
        ("task = 3", ["task", "3"]),
        ("[run]\nsteps = -1", ["run.steps", "-1"]),
        ("[run\n", ["not valid TOML"]),
    ],
)
def test_a_wrong_config_is_refused(text: str, said: list[str], base: list[str], tmp_path: Path) -> None:
    config = tmp_path / "run.toml"
    config.write_text(text)
    refused(invoke("optimize", config, *base[2:]), *said)


def test_a_missing_config_file_is_refused(base: list[str]) -> None:
    refused(invoke("optimize", "nowhere.toml", *base[2:]), "'nowhere.toml'")


@pytest.mark.parametrize(("name", "text"), [("x.jsonl", ""), ("x.json", "[]"), ("x.csv", "input,target\n")])
def test_empty_data_is_refused(name: str, text: str, base: list[str], tmp_path: Path) -> None:
    data = tmp_path / name
    data.write_text(text)
    refused(invoke(*base, "--data", data), name)


def test_a_broken_record_is_refused_with_its_place(base: list[str], tmp_path: Path) -> None:
    data = tmp_path / "x.jsonl"
    data.write_text('{"input": "1 + 1", "target": "2"}\n{"input": oops}\n')
    refused(invoke(*base, "--data", data), "x.jsonl", "2")


def test_overlap_between_split_files_is_refused(base: list[str], tmp_path: Path) -> None:
    for name, question in (("train", "one plus one?"), ("dev", "two plus two?"), ("test", " Two plus  TWO?")):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"input": question, "target": "2"}) + "\n")
    config = tmp_path / "split.toml"
    names = ("train", "dev", "test")
    config.write_text("[task]\n" + "".join(f"{name} = {str(tmp_path / f'{name}.jsonl')!r}\n" for name in names))
    refused(invoke("optimize", config, *base[2:-2]), "dev example", "test example", "wo plus")


def test_no_data_no_target_and_no_prompt_are_refused(base: list[str]) -> None:
    refused(invoke(*base[:-2]), "--data")
    refused(invoke("optimize", CONFIG, "--data", SUMS, "--metric", "number"), "--target", "openai:NAME")
    refused(
        invoke("evaluate", "--data", SUMS, "--target", "openai:tiny", "--base-url", "http://localhost:9/v1"), "--prompt"
    )


def test_no_api_key_is_refused_before_anything_else(base: list[str]) -> None:
    official = [flag for flag in base if flag not in ("--base-url", "http://127.0.0.1:9/v1")]
    refused(invoke(*official), "OPENAI_API_KEY", "not set")
    refused(invoke(*official, "--api-key-env", "MY_KEY"), "MY_KEY")


def test_a_server_that_is_not_there_is_told_within_seconds(base: list[str]) -> None:
    with socket.socket() as taken:  # bound, but nobody listens: refused, and nobody else can take the port meanwhile
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        begun = time.monotonic()
        ended = invoke(*base, "--base-url", url)
        assert time.monotonic() - begun < 15
    refused(ended, url, "check the base URL", "No run was kept")


def test_an_address_without_a_model_server_is_told(base: list[str], server: ChatServer) -> None:
    refused(invoke(*base, "--base-url", server.base_url.removesuffix("/v1") + "/docs"), "404", "check the base URL")
    server.faults = always("html")
    refused(invoke(*base, "--base-url", server.base_url), "Welcome to my home page", "check the base URL")


def test_a_model_the_endpoint_does_not_know_is_told_with_those_it_does(base: list[str], server: ChatServer) -> None:
    server.faults = always("404_model")
    refused(invoke(*base, "--base-url", server.base_url, "--target", "openai:tinny"), "tinny", "'tiny'")


def test_an_unknown_run_is_refused_with_the_nearest(server: ChatServer, tmp_path: Path) -> None:
    assert (
        invoke("optimize", *optimize_flags(server), "--steps", "0", "--run", "sums-a", "--runs", tmp_path).status == 0
    )
    refused(invoke("show", "sums-b", "--runs", tmp_path), "'sums-b'", "did you mean 'sums-a'")
    refused(invoke("optimize", "--resume", "sums-b", "--runs", tmp_path), "'sums-b'", "did you mean 'sums-a'")
    refused(invoke("show", "x", "--runs", tmp_path / "none"), "no runs")
    refused(invoke("optimize", "--resume", "sums-a", "--runs", tmp_path, "--seed", "3"), "run.seed", "new run")


@pytest.mark.parametrize("content", [b"", b"not a database at all, but long enough to look like one" * 20])
def test_a_log_that_is_none_is_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "log.db").write_bytes(content)
    refused(invoke("show", "odd", "--runs", tmp_path), "odd")
    listed = invoke("runs", "--runs", tmp_path, "--json")
    assert listed.status == 0
    assert listed.json[0]["problem"]


def test_the_key_is_nowhere_even_if_the_server_says_it_aloud(server: ChatServer, tmp_path: Path) -> None:
    env = clean_environment(OPENAI_API_KEY=KEY)
    flags = [*optimize_flags(server), "--steps", "1", "--debug"]
    server.api_key = "another"  # the server answers 401 and repeats the key it was given
    denied = askwell("optimize", *flags, "--run", "denied", cwd=tmp_path, env=env)
    assert denied.status != 0
    assert "Incorrect API key provided" in denied.err
    assert server.by_key[f"Bearer {KEY}"] >= 1, "the key was sent"
    server.api_key = KEY
    original = server.reply
    server.reply = lambda messages: f"{original(messages)} (your key is {KEY})"
    granted = askwell("optimize", *flags, "--run", "granted", cwd=tmp_path, env=env)
    assert granted.status == 0, granted.err
    for ended in (denied, granted):
        assert KEY not in ended.out + ended.err
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        assert KEY.encode() not in path.read_bytes(), path


def test_a_secret_in_a_base_url_is_not_logged_and_asked_for_again(server: ChatServer, tmp_path: Path) -> None:
    url = f"{server.base_url}?api-key={KEY}"
    flags = [url if flag == server.base_url else flag for flag in optimize_flags(server)]
    flags += ["--steps", "0", "--run", "r", "--runs", str(tmp_path)]
    run = invoke("optimize", *flags)
    assert run.status == 0, run.err
    assert KEY.encode() not in (tmp_path / "r" / "log.db").read_bytes()
    assert KEY not in str([event.body for event in events(tmp_path / "r" / "log.db")])
    refused(invoke("optimize", "--resume", "r", "--runs", tmp_path), "--base-url", "not in the log")
    assert invoke("optimize", "--resume", "r", "--runs", tmp_path, "--base-url", url).status == 0
