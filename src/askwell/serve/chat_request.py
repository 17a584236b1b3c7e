"""A chat request as askwell's own models understand it; whatever would change the answer otherwise is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from askwell.core.types import Message, Role
from askwell.serve.errors import RequestRefused
from askwell.serve.messages import content_text

_WITHOUT_EFFECT = frozenset({
    "user", "metadata", "store", "service_tier", "parallel_tool_calls", "safety_identifier", "prompt_cache_key",
    "prompt_cache_retention", "prompt_cache_options",
})  # fmt: skip
"""Fields that do not change the answer."""
_NEUTRAL: Mapping[str, object] = {
    "response_format": {"type": "text"}, "tool_choice": "none", "function_call": "none", "modalities": ["text"],
    "top_p": 1,
}  # fmt: skip
"""Values that ask for nothing special, besides null, false, 0 and empty ones."""
_ROLES: Mapping[str, Role] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


class _StreamOptions(BaseModel):
    include_usage: bool = False


class ChatRequest(BaseModel):
    """The fields of a request that askwell's models understand, apart from the messages."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    temperature: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    seed: int | None = None
    n: int = Field(default=1, ge=1, le=128)
    stream: bool = False
    stream_options: _StreamOptions | None = None

    @property
    def length(self) -> int:
        """Return the longest reply, in tokens."""
        return self.max_completion_tokens or self.max_tokens or 0


_KNOWN = frozenset({"model", "messages", *ChatRequest.model_fields})


def parse_fields(body: Mapping[str, Any], model: str) -> ChatRequest:
    """Return the fields of a request. Raises `RequestRefused` for a wrong value, or a field that has no effect here."""
    for name, value in body.items():
        is_neutral = not value or value == _NEUTRAL.get(name)
        if name not in _KNOWN and name not in _WITHOUT_EFFECT and not is_neutral:
            raise RequestRefused(f"{name!r} is not supported in front of {model!r}; leave it out", param=name)
    try:
        return ChatRequest.model_validate({name: value for name, value in body.items() if value is not None})
    except ValidationError as error:
        problem = error.errors()[0]
        name = ".".join(map(str, problem["loc"]))
        message = problem["msg"][0].lower() + problem["msg"][1:]
        raise RequestRefused(f"{name} is {problem['input']!r}: {message}", param=name) from error


def parse_text_messages(messages: Sequence[Mapping[str, Any]], model: str) -> list[Message]:
    """Return messages of text alone. Raises `RequestRefused` for tools, images and the like.

    An assistant's turn without content is left out.
    """
    parsed: list[Message] = []
    for index, message in enumerate(messages):
        at, role = f"messages[{index}]", message["role"]
        content: object = message.get("content")
        if role in ("tool", "function") or message.get("tool_calls") or message.get("function_call"):
            raise RequestRefused(f"{at}: tools are not supported in front of {model!r}", param=at)
        if role not in _ROLES:
            raise RequestRefused(f"{at}.role is {role!r}; expected one of {sorted(_ROLES)}", param=f"{at}.role")
        for number, part in enumerate(cast("list[dict[str, Any]]", content) if isinstance(content, list) else []):
            if part.get("type", "text") != "text":
                where = f"{at}.content[{number}]"
                raise RequestRefused(f"{where}: {part['type']!r} is not supported in front of {model!r}", param=where)
        if content or role == "user":
            parsed.append(Message(role=_ROLES[role], content=content_text(cast("object", content))))
    return parsed
