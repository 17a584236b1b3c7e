"""The server that the end-to-end tests talk to."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.support.harness import serving
from tests.support.servers import ChatServer


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with serving() as running:
        yield running


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_is_heard() -> None:  # pyright: ignore[reportUnusedFunction]  pytest uses it
    """A background job of a shell starts with SIGINT ignored, and so would every process the tests start from it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
