"""Answers that come as an event stream although none was requested: some routers always stream, or add comment lines.

Only bodies that are no JSON come here, so ordinary answers pay nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from askwell.models.http.json_codec import loads

_FIELDS = ("event:", "id:", "retry:")
_DONE = "[DONE]"


def parse_event_stream(body: bytes) -> object:
    """Return the JSON value of a stream: one whole answer, or the answer whose chunks it holds (in OpenAI's format).

    Comment lines (`: OPENROUTER PROCESSING`) are skipped. Returns None for any other body, and for a stream that broke
    off before its end: half an answer must not be scored.
    """
    events, others, is_done = _split_lines(body.decode("utf-8-sig", "replace"))
    if others:  # JSON with comment lines before it, or with `data: [DONE]` after it
        return _loads("\n".join(others))
    values = [_loads(event) for event in events]
    if not values or not all(isinstance(value, dict) for value in values):
        return None
    chunks = cast("list[dict[str, Any]]", values)
    if len(chunks) == 1 and not _is_chunk(chunks[0]):
        return chunks[0]
    return _join_chunks(chunks, is_done=is_done)


def _split_lines(text: str) -> tuple[list[str], list[str], bool]:
    """Return the data of the events, the lines that belong to no stream, and whether the stream says that it ended."""
    events: list[str] = []
    others: list[str] = []
    is_done = False
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("data:"):
            data = stripped.removeprefix("data:").strip()
            is_done = is_done or data == _DONE
            if data and data != _DONE:
                events.append(data)
        elif stripped and not stripped.startswith((":", *_FIELDS)):
            others.append(line)
    return events, others, is_done


def _is_chunk(value: Mapping[str, Any]) -> bool:
    return any("delta" in choice for choice in _choices(value))


def _join_chunks(chunks: Iterable[Mapping[str, Any]], *, is_done: bool) -> object:
    """Return the answer whose chunks these are; None if its end is missing."""
    answer: dict[str, Any] = {}
    choices: dict[Any, dict[str, Any]] = {}
    for chunk in chunks:
        answer |= {name: value for name, value in chunk.items() if name != "choices" and value is not None}
        for choice in _choices(chunk):
            _add_delta(choices.setdefault(choice.get("index", 0), {"message": {}}), choice)
    is_finished = is_done or all("finish_reason" in choice for choice in choices.values())
    if not is_finished and "error" not in answer:
        return None
    return {**answer, "choices": list(choices.values())}


def _add_delta(joined: dict[str, Any], choice: Mapping[str, Any]) -> None:
    """Append one chunk of a choice: texts are joined, all other fields are replaced."""
    delta: object = choice.get("delta") or choice.get("message")
    message = cast("dict[str, Any]", joined["message"])
    for name, value in cast("dict[str, Any]", delta).items() if isinstance(delta, dict) else ():
        is_text = isinstance(value, str) and isinstance(message.get(name), str) and name != "role"
        if value is not None:
            message[name] = message[name] + value if is_text else value
    if isinstance(choice.get("text"), str):  # a chunk of the completions route
        joined["text"] = joined.get("text", "") + choice["text"]
    joined |= {
        name: value for name, value in choice.items() if value is not None and name in ("finish_reason", "error")
    }


def _choices(value: Mapping[str, Any]) -> list[dict[str, Any]]:
    choices: object = value.get("choices")
    entries = cast("list[object]", choices) if isinstance(choices, list) else []
    return [cast("dict[str, Any]", entry) for entry in entries if isinstance(entry, dict)]


def _loads(text: str) -> object:
    try:
        return loads(text)
    except (ValueError, RecursionError):
        return None
