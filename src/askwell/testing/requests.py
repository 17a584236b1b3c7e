"""Chat requests in one line."""

from __future__ import annotations

from askwell.core.types import Message, Request


def make_request(
    text: str,
    *,
    system: str | None = None,
    temperature: float = 0.0,
    max_tokens: int = 16,
    seed: int | None = None,
    sample_index: int = 0,
) -> Request:
    """Build a request with one user message, after an optional system message."""
    messages = (Message(role="user", content=text),)
    if system is not None:
        messages = (Message(role="system", content=system), *messages)
    return Request(
        messages=messages, temperature=temperature, max_tokens=max_tokens, seed=seed, sample_index=sample_index
    )
