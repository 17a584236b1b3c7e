"""The server that the end-to-end tests talk to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.harness import OPTIMIZER, Answerer
from tests.servers import ChatServer, chat_server


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
