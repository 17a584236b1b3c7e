"""Assertions that need no test framework."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def raises(error: type[BaseException], text: str = "") -> Generator[None]:
    """Assert that the block raises an error whose message contains a text."""
    message: str | None = None
    try:
        yield
    except error as caught:
        message = str(caught)
    assert message is not None, f"expected {error.__name__}, and nothing was raised"
    assert text in message, f"the message {message!r} does not contain {text!r}"
