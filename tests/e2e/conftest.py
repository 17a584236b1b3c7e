"""The server that the end-to-end tests talk to."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.harness import OPTIMIZER, Answerer
from tests.support.servers import ChatServer, chat_server


def serving(**options: Any) -> Any:
    """A server that answers for the target and for the optimizer model; use as a context manager."""
    answerer = Answerer.of()
    own: dict[str, Any] = {
        "lifetime_s": 600.0,
        "hang_s": 2.0,
        "reply": answerer.reply,
        "transform": answerer.note,
        "models": ("tiny", OPTIMIZER),
    }
    return chat_server(**{**own, **options})


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with serving() as running:
        yield running


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_is_heard() -> None:  # pyright: ignore[reportUnusedFunction]  pytest uses it
    """A background job of a shell starts with SIGINT ignored, and so would every process the tests start from it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
