"""Several endpoints or keys of one model, from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from askwell.api.build_models import call_rate
from askwell.api.config import ModelConfig
from askwell.core.types import Event
from tests.support.harness import (
    START,
    SUMS,
    assert_same_events,
    events,
    invoke,
    optimize_flags,
    serving,
)
from tests.support.servers import ChatServer

A_KEY, ANOTHER = "sk-the-first-key", "sk-the-second-key"


def test_two_servers_share_a_run_that_reads_as_from_one(server: ChatServer, tmp_path: Path) -> None:
    place = ["--runs", tmp_path]
    alone = invoke("optimize", *optimize_flags(server), "--run", "one", *place)
    assert alone.status == 0, alone.err
    before = server.total_requests
    with serving(latency_s=0.02) as other:
        shared = invoke("optimize", *optimize_flags(server), "--base-url", other.base_url, "--run", "two", *place)
        assert shared.status == 0, shared.err
        assert other.total_requests > 0
        assert server.total_requests - before + other.total_requests == before
        for url in (server.base_url, other.base_url):
            assert f"{url} " in shared.out.replace("\n", " ")
    assert_same_events(*(without_settings(tmp_path / name / "log.db") for name in ("one", "two")))


def test_a_run_goes_on_with_other_members(server: ChatServer, tmp_path: Path) -> None:
    place = ["--runs", tmp_path]
    urls = ["--base-url", "http://127.0.0.1:9/v1"]  # nobody listens there
    begun = invoke("optimize", *optimize_flags(server), *urls, "--run", "r", "--budget-calls", "40", *place)
    assert begun.status == 0, begun.err
    with serving() as other:
        ended = invoke("optimize", "--resume", "r", "--base-url", other.base_url, "--base-url", server.base_url, *place)
    assert ended.status == 0, ended.err


def test_two_keys_of_which_one_is_refused(tmp_path: Path) -> None:
    flags = ["--data", SUMS, "--metric", "number", "--target", "openai:tiny", "--prompt", START]
    keys = ["--api-key-env", "KEY_A", "--api-key-env", "KEY_B"]
    with serving(api_key=A_KEY) as server:
        flags += ["--base-url", server.base_url, *keys]
        run = invoke("evaluate", *flags, env={"KEY_A": ANOTHER, "KEY_B": A_KEY})
        assert run.status == 0, run.err
        assert "key KEY_B" in run.out
        assert A_KEY not in run.out + run.err
        assert ANOTHER not in run.out + run.err
        dead = invoke("evaluate", *flags, env={"KEY_A": ANOTHER, "KEY_B": ANOTHER})
        assert (dead.status, "Incorrect API key" in dead.err) == (2, True)
        missing = invoke("evaluate", *flags, env={"KEY_A": A_KEY})
        assert (missing.status, "['KEY_B']" in missing.err) == (2, True)


@pytest.mark.parametrize(
    ("urls", "keys", "members"),
    [
        (("http://a/v1", "http://b/v1"), "K", 2),
        ("http://a/v1", ("K", "L", "M"), 3),
        (("http://a/v1", "http://b/v1"), ("K", "L"), 2),
        (("http://a/v1", "http://a/v1"), "K", 1),
    ],
)
def test_a_plan_adds_the_members_up(urls: str | tuple[str, ...], keys: str | tuple[str, ...], members: int) -> None:
    found = call_rate(ModelConfig(model="openai:m", base_url=urls, api_key_env=keys, requests_per_minute=60))
    assert (found.concurrency, found.requests_per_minute) == (16 * members, 60 * members)


def test_numbers_that_do_not_match_are_told() -> None:
    urls = ["--base-url", "http://a/v1", "--base-url", "http://b/v1", "--base-url", "http://c/v1"]
    keys = ["--api-key-env", "KEY_A", "--api-key-env", "KEY_B"]
    flags = ["--data", SUMS, "--metric", "number", "--prompt", START, *urls]
    run = invoke("evaluate", *flags, "--target", "openai:tiny", *keys, env={"KEY_A": "x", "KEY_B": "y"})
    assert (run.status, "a pool of 3 endpoints and 2 keys" in run.err) == (2, True)
    local = invoke("evaluate", *flags, "--target", "pocket")
    assert (local.status, "is not served by a provider" in local.err) == (2, True)


def without_settings(log: Path) -> list[Event]:
    return [event for event in events(log) if event.kind != "run"]
