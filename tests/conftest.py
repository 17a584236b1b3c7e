"""What every test starts from."""

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def own_memory(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the addresses that a test names away from those of the user who runs it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))


@pytest.fixture(autouse=True)
def library_logging() -> Iterator[None]:
    """Undo what the command line sets when a test runs it in this process."""
    yield
    for name in ("askwell", "askwell.core.event_loop"):
        logging.getLogger(name).setLevel(logging.NOTSET)
