"""Requests in one line, for tests."""

from __future__ import annotations

from askwell.core.types import Message, Request


def ask(
    text: str,
    *,
    system: str | None = None,
    temperature: float = 0.0,
    max_tokens: int = 16,
    seed: int | None = None,
    sample_index: int = 0,
) -> Request:
    messages = (Message(role="user", content=text),)
    if system is not None:
        messages = (Message(role="system", content=system), *messages)
    return Request(
        messages=messages, temperature=temperature, max_tokens=max_tokens, seed=seed, sample_index=sample_index
    )
