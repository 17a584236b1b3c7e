"""What a server does not take is found out once a run, stands in its log, and is not asked again when it goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import askwell
from askwell.models.providers.openai import OpenAIModel
from askwell.runlog.folders import LOG
from askwell.runlog.server_quirks import describe_quirks
from askwell.runlog.store import SqliteStore
from tests.support.servers import ChatServer, chat_server, error

DATA = [{"input": f"What is {number} + 1?", "target": str(number + 1)} for number in range(12)]
NO_TEMPERATURE = "Unsupported value: 'temperature' does not support 0 with this model."


def strict(body: dict[str, Any]) -> web.Response | None:
    return error(400, NO_TEMPERATURE, "unsupported_value", param="temperature") if "temperature" in body else None


def scores(server: ChatServer, run: Path) -> None:
    askwell.optimize(
        prompt="Answer.",
        data=DATA,
        target=OpenAIModel("tiny", base_url=server.base_url),
        optimizer_model="editor",
        metric="number",
        loop=askwell.LoopSettings(steps=0),
        run=run,
    )


def refusals(server: ChatServer) -> int:
    return sum("temperature" in body for body in server.bodies)


def test_a_quirk_stands_in_the_log_and_is_not_found_out_again(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with chat_server(transform=strict) as server:
        scores(server, run)
        assert 1 <= refusals(server) <= 16  # those that were in flight when it was learnt
        with SqliteStore(run / LOG, read_only=True) as store:
            events, words = list(store.events(kinds=["quirk"])), describe_quirks(store)
        assert [event.body["quirk"] for event in events] == ["no_temperature"]
        assert events[0].body["model"] == f"openai:tiny@{server.base_url}"
        assert len(words) == 1
        assert words[0].startswith(f"openai:tiny@{server.base_url} sends no temperature: replies are sampled as")
        before = refusals(server)
        (run / LOG).unlink()
        with SqliteStore(run / LOG) as store:
            store.append(events)  # a run that was killed early: all it has left is what it learnt
        scores(server, run)
        assert refusals(server) == before
        with SqliteStore(run / LOG, read_only=True) as store:
            assert len(list(store.events(kinds=["quirk"]))) == 1


def test_another_address_is_asked_anew(tmp_path: Path) -> None:
    with chat_server(transform=strict) as first:
        scores(first, tmp_path / "one")
    with SqliteStore(tmp_path / "one" / LOG, read_only=True) as store:
        events = list(store.events(kinds=["quirk"]))
    with SqliteStore(tmp_path / "two" / LOG) as store:
        store.append(events)
    with chat_server() as second:
        scores(second, tmp_path / "two")
        assert all("temperature" in body for body in second.bodies)


@pytest.mark.parametrize("form", ["text", "json"])
def test_show_tells_it(tmp_path: Path, form: str) -> None:
    from click.testing import CliRunner

    from askwell.cli.main import main

    with chat_server(transform=strict) as server:
        scores(server, run := tmp_path / "run")
    flags = ["--json"] if form == "json" else []
    shown = CliRunner().invoke(main, ["show", run.name, "--runs", str(tmp_path), *flags])
    assert shown.exit_code == 0, shown.output
    assert "sends no temperature" in " ".join(shown.output.split())
