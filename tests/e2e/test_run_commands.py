"""What users do with a run that is there: fill its gaps, look at one call, take the prompt elsewhere."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from askwell.models.request_key import request_key
from askwell.runlog.codec import decode_request
from tests.support.harness import Ended, events, invoke, optimize_flags, serving
from tests.support.servers import ChatServer, Fault

KEY = "sk-secret-0123456789"
ENV = {"OPENAI_API_KEY": KEY}


def gaps(body: str, _repeat: int) -> Fault | None:
    return "500" if '"tiny"' in body and random.Random(body).random() < 0.2 else None


def begin(server: ChatServer, folder: Path, *more: str, toml: str = "") -> Ended:
    config = folder / "gaps.toml"
    text = f'[optimizer]\nname = "gpo"\nembedder = "lexical"\n[run]\nmax_missing = 0.9\n{toml}'
    config.write_text(text, encoding="utf-8")
    flags = [str(config), *optimize_flags(server)[1:], "--max-attempts", "1", "--steps", "1", *more]
    return invoke("optimize", *flags, "--run", "r", "--runs", folder, env=ENV)


@pytest.fixture
def server() -> Any:
    with serving() as running:
        yield running


def test_retry_fills_what_is_missing_and_says_so(server: ChatServer, tmp_path: Path) -> None:
    server.faults = gaps
    run = begin(server, tmp_path)
    assert run.status == 0, run.err
    found = re.search(r"Missing: (\d+) calls, which no score includes", run.out)
    assert found
    assert int(found[1]) > 0
    assert invoke("show", "r", "--runs", tmp_path, "--json").json["missing"] == int(found[1])

    server.faults = lambda _body, _repeat: None
    before, asked = events(tmp_path / "r" / "log.db"), server.total_requests
    retried = invoke("retry", "r", "--runs", tmp_path, env=ENV)
    assert retried.status == 0, retried.err
    filled = re.match(r"(\d+) of (\d+) missing calls answered", retried.out)
    assert filled
    assert filled[1] == filled[2] == str(server.total_requests - asked)
    log = events(tmp_path / "r" / "log.db")
    assert [event for event in log if event in before] == before
    shown = invoke("show", "r", "--runs", tmp_path, "--json").json
    assert (shown["missing"], shown["finished"], shown["best"]["dev"]["n"]) == (0, True, 12)
    assert "Nothing is missing" in invoke("retry", "r", "--runs", tmp_path, env=ENV).out


def test_a_cell_shows_the_request_as_it_was_sent(server: ChatServer, tmp_path: Path) -> None:
    assert begin(server, tmp_path).status == 0
    listed = invoke("show", "r", "--runs", tmp_path, "--calls", "--json").json
    assert [one["score"] for one in listed] == sorted(one["score"] for one in listed)
    [cell] = invoke("show", "r", "--runs", tmp_path, "--call", listed[0]["cell"], "--json").json
    assert cell["request_is_exact"] is True
    request = decode_request(cell["request"])
    keys = {event.key for event in events(tmp_path / "r" / "log.db")}
    assert request_key("openai:tiny", request) in keys
    sent = {body["messages"][-1]["content"] for body in server.bodies}
    assert request.messages[-1].content in sent
    page = invoke("show", "r", "--runs", tmp_path, "--call", f"best:{cell['example']}").out
    for part in ("as sent", cell["response"], "expected", "temperature 0"):
        assert part in page
    assert "Calls of the best prompt" in invoke("show", "r", "--runs", tmp_path, "--calls").out


def test_a_missing_cell_tells_the_providers_words_and_no_key(tmp_path: Path) -> None:
    with serving(faults=gaps) as server:
        assert begin(server, tmp_path).status == 0
    listed = invoke("show", "r", "--runs", tmp_path, "--calls", "--test", "--json").json
    assert listed[0]["score"] is None
    page = invoke("show", "r", "--runs", tmp_path, "--call", listed[0]["cell"], "--test")
    assert "Score: missing" in page.out
    assert "Error (server)" in page.out
    assert KEY not in page.out + invoke("show", "r", "--runs", tmp_path, "--calls", "--json").out


@pytest.mark.parametrize(
    ("cell", "said"),
    [("best:nothing", "no example 'nothing'"), ("zzz:x", "no prompt begins with 'zzz'"), ("best", "no example ''")],
)
def test_a_wrong_place_is_told_with_what_there_is(server: ChatServer, tmp_path: Path, cell: str, said: str) -> None:
    assert begin(server, tmp_path).status == 0
    run = invoke("show", "r", "--runs", tmp_path, "--call", cell)
    assert run.status == 2
    assert said in run.err


def test_a_prompt_is_exported_byte_for_byte(server: ChatServer, tmp_path: Path) -> None:
    assert begin(server, tmp_path).status == 0
    best = invoke("show", "r", "--runs", tmp_path, "--json").json["best"]["prompt"]
    assert invoke("export", "r", "--runs", tmp_path).out == best
    place = tmp_path / "p.txt"
    assert invoke("export", "r", "--runs", tmp_path, "-o", place).status == 0
    assert place.read_bytes() == best.encode()
    assert json.loads(invoke("export", "r", "--runs", tmp_path, "--format", "json").out)["prompt"] == best
    assert "did you mean 'langchain'" in invoke("export", "r", "--runs", tmp_path, "--format", "lanchain").err
    assert "cannot write" in invoke("export", "r", "--runs", tmp_path, "-o", tmp_path).err
    assert invoke("show", "r", "--runs", tmp_path, "--diff").status == 0


def test_demonstrations_chosen_for_each_question_are_shown_as_sent_and_not_exported(
    server: ChatServer, tmp_path: Path
) -> None:
    assert begin(server, tmp_path, toml='[demos]\nchoice = "nearest"\ncount = 2\n').status == 0
    listed = invoke("show", "r", "--runs", tmp_path, "--calls", "--json").json
    assert {(one["request_is_exact"], len(one["request"]["messages"])) for one in listed} == {(True, 5)}
    refused = invoke("export", "r", "--runs", tmp_path, "--format", "promptfoo")
    assert (refused.status, "selected per question" in refused.err) == (2, True)
    assert invoke("export", "r", "--runs", tmp_path).status == 0
