"""Checkpoints made once for all tests of local models."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.checkpoints import STRICT_TEMPLATE, make_checkpoint


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="session")
def base_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """No chat template."""
    return make_checkpoint(tmp_path_factory.mktemp("base"), chat_template=None)


@pytest.fixture(scope="session")
def strict_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chat template that refuses system messages."""
    return make_checkpoint(tmp_path_factory.mktemp("strict"), chat_template=STRICT_TEMPLATE)
