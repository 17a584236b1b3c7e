"""A client's chat messages: check their form, find the query, and insert a rendered prompt around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from askwell.core.types import Message
from askwell.serve.errors import RequestRefused

ChatMessage = Mapping[str, Any]
"""A message as clients send it: "role", "content" as a text or as parts, and any other field."""
RenderQuery = Callable[[str], Sequence[Message]]
"""A query's text -> the messages with the prompt; the last one is the user's."""

_QUESTION = "\ufdd0askwell-question\ufdd1"
"""Stands for the question where its place in the rendered text is wanted: noncharacters occur in no text."""
_SYSTEM_ROLES = frozenset({"system", "developer"})
_NULLABLE_ROLES = frozenset({"assistant", "system", "developer", "tool", "function"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A client's messages, whose last user message is the query."""

    messages: Sequence[ChatMessage]
    at: int
    """Index of the last user message."""

    @property
    def query(self) -> str:
        """Return the text of the query; its texts are joined by line breaks."""
        return content_text(self.messages[self.at]["content"])

    def insert(self, render: RenderQuery) -> list[dict[str, Any]]:
        """Return the messages with the prompt; every field and part of the client's messages stays."""
        question = self.messages[self.at]
        *earlier, last = render(self.query)
        system = earlier.pop(0).content if earlier and earlier[0].role == "system" else ""
        content = question["content"]
        texts = [part for part in _parts(content) if _is_text(part)]
        if isinstance(content, str):
            content = last.content
        elif len(texts) == 1:
            content = [{**part, "text": last.content} if part is texts[0] else part for part in _parts(content)]
        else:
            content = _surround(_parts(content), self.query, render(_QUESTION)[-1].content)
        demos = [{"role": message.role, "content": message.content} for message in earlier]
        before = _with_system(self.messages[: self.at], system)
        return [*before, *demos, {**question, "content": content}, *map(dict, self.messages[self.at + 1 :])]


def parse_conversation(body: Mapping[str, Any]) -> Conversation:
    """Check the messages of a request. Raises `RequestRefused` with the place of a fault."""
    value: object = body.get("messages")
    entries = cast("list[object]", value) if isinstance(value, list) else []
    if not entries:
        raise RequestRefused(
            'the request has no list of messages: expected {"messages": [{"role": …, "content": …}]}', param="messages"
        )
    messages = [_parse_message(entry, f"messages[{index}]") for index, entry in enumerate(entries)]
    at = max((index for index, message in enumerate(messages) if message["role"] == "user"), default=-1)
    if at < 0:
        raise RequestRefused(
            "messages hold no user message: the last one is the query that gets a prompt", param="messages"
        )
    return Conversation(messages=messages, at=at)


def content_text(content: object) -> str:
    """Return the text of a message's content; the texts of several parts are joined by line breaks."""
    if isinstance(content, str):
        return content
    return "\n".join(str(part["text"]) for part in _parts(content) if _is_text(part))


def fold_system(messages: Sequence[ChatMessage]) -> list[dict[str, Any]]:
    """Put the text of system messages in front of the next user message, for servers that accept no system role."""
    folded: list[dict[str, Any]] = []
    pending: list[str] = []
    for message in messages:
        if message["role"] in _SYSTEM_ROLES:
            pending.append(content_text(message.get("content")))
        elif message["role"] == "user" and pending:
            folded.append({**message, "content": _prepend("\n\n".join(pending), message["content"])})
            pending = []
        else:
            folded.append(dict(message))
    return [*folded, {"role": "user", "content": "\n\n".join(pending)}] if pending else folded


def _parse_message(entry: object, at: str) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise RequestRefused(f"{at} is {_kind(entry)}; expected an object with role and content", param=at)
    message = cast("dict[str, Any]", entry)
    role: object = message.get("role")
    if not isinstance(role, str):
        raise RequestRefused(
            f"{at}.role is {_kind(role)}; expected system, user, assistant or tool", param=f"{at}.role"
        )
    content: object = message.get("content")
    if isinstance(content, list) and content:
        for index, part in enumerate(cast("list[object]", content)):
            _check_part(part, f"{at}.content[{index}]")
    elif not isinstance(content, str) and not (content in (None, []) and role in _NULLABLE_ROLES):
        raise RequestRefused(
            f"{at}.content is {_kind(cast('object', content))}; expected text or parts", param=f"{at}.content"
        )
    return message


def _check_part(part: object, at: str) -> None:
    if not isinstance(part, dict):
        raise RequestRefused(f'{at} is {_kind(part)}; expected a part like {{"type": "text", "text": …}}', param=at)
    fields = cast("dict[str, object]", part)
    if not isinstance(fields.get("type", "text"), str):
        raise RequestRefused(f"{at}.type is {_kind(fields['type'])}; expected a text", param=f"{at}.type")
    if _is_text(fields) and not isinstance(fields.get("text"), str):
        raise RequestRefused(f"{at}.text is {_kind(fields.get('text'))}; expected a text", param=f"{at}.text")


def _surround(parts: Sequence[ChatMessage], query: str, rendered: str) -> list[dict[str, Any]]:
    """Put the prompt's text in parts of its own before and after the question's parts."""
    before, _, after = rendered.partition(_QUESTION)
    after = after.replace(_QUESTION, query)  # a template may repeat the question
    texts = [[{"type": "text", "text": text}] if text.strip() else [] for text in (before, after)]
    return [*texts[0], *map(dict, parts), *texts[1]]


def _with_system(messages: Sequence[ChatMessage], text: str) -> list[dict[str, Any]]:
    """Add the prompt's system text to the client's system message, or in front of all."""
    copies = [dict(message) for message in messages]
    if not text:
        return copies
    own = next((message for message in copies if message["role"] in _SYSTEM_ROLES), None)
    if own is None:
        return [{"role": "system", "content": text}, *copies]
    own["content"] = _append(own.get("content"), text)
    return copies


def _append(content: object, text: str) -> object:
    if isinstance(content, list):
        return [*_parts(cast("object", content)), {"type": "text", "text": text}]
    return f"{content}\n\n{text}" if content else text


def _prepend(text: str, content: object) -> object:
    if isinstance(content, list):
        return [{"type": "text", "text": text}, *_parts(cast("object", content))]
    return f"{text}\n\n{content}" if content else text


def _parts(content: object) -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", content) if isinstance(content, list) else []


def _is_text(part: Mapping[str, object]) -> bool:
    return part.get("type", "text") == "text"


def _kind(value: object) -> str:
    names = {"dict": "an object", "list": "a list", "str": "a text", "bool": "a truth value", "NoneType": "null"}
    return names.get(type(value).__name__, "a number")
