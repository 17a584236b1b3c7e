"""OpenAI's chat-completions format: a request to its JSON, an HTTP answer to a typed outcome. Pure; no sockets here.

Parsed by hand: foreign JSON is checked field by field at about 10 µs a reply.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from askwell.fastjson import loads
from askwell.models.conversation import valid_unicode
from askwell.models.http import HttpAnswer
from askwell.models.quirks import Body
from askwell.models.retry_after import quota, retry_after_s
from askwell.types import Completion, Fault, Request, Usage

_SHOWN_CHARS = 600
_SEED_STRIDE = 1_000_003
_NO_QUOTA = re.compile(r"insufficient_quota|insufficient[_ ](balance|credit|funds)|billing_hard_limit", re.IGNORECASE)
_UNKNOWN_MODEL = re.compile(
    r"model_not_found|model.{0,160}(does not exist|doesn't exist|not found|not a valid model|no such)"
    r"|(unknown|invalid|no such|not a valid) model|not a valid model|failed to load model",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What an HTTP answer means."""

    completion: Completion
    words: str = ""
    """The provider's message with its parameter and code, for recognising quirks; empty unless the call failed."""
    unknown_model: bool = False
    no_endpoint: bool = False
    """A web page, a redirect or an unknown path: perhaps there is no model endpoint at this address."""
    cached_tokens: int = 0
    """Prompt tokens the provider read from its own cache, which many sell cheaper."""


def chat_body(model: str, request: Request, extra: Mapping[str, object]) -> Body:
    """Return the JSON body of a request. `extra` wins over everything else.

    Each draw gets a seed of its own: a server that honours seeds would otherwise repeat itself.
    """
    body: dict[str, object] = {
        "model": model,
        "messages": [{"role": message.role, "content": message.content} for message in request.messages],
        "temperature": request.temperature,
        "max_tokens": request.max_tokens,
    }
    if request.seed is not None:
        body["seed"] = (request.seed + request.draw * _SEED_STRIDE) % 2**31
    if request.samples > 1:
        body["n"] = request.samples
    return {**body, **extra}


def read_answer(answer: HttpAnswer, *, samples: int = 1) -> Reading:
    """Tell what a response means; never raises, whatever the server sent. Choices beyond `samples` are ignored."""
    try:
        data = loads(answer.body)
    except (ValueError, RecursionError):
        data = None
    if answer.status == 200:
        return _read_success(answer, data, samples)
    return _read_failure(answer, data, answer.status)


def _read_success(answer: HttpAnswer, data: object, samples: int) -> Reading:
    body = _mapping(data)
    choices = _choices(body.get("choices"))[:samples]
    if not choices:
        if "error" in body:  # some routers answer 200 and put the upstream's failure inside
            return _read_failure(answer, data, _int(_mapping(body["error"]).get("code")) or 502)
        return _malformed(answer, "is no JSON" if data is None else "has no choices")
    replies = [_read_choice(choice) for choice in choices]
    if replies == [None]:
        return _malformed(answer, "has a message without text")
    without_text = Completion(outcome="failed", fault="malformed", error="a choice of the answer has no text")
    found = [reply or without_text for reply in replies]
    found.sort(key=lambda reply: reply.outcome == "failed")
    usage = _mapping(body.get("usage"))
    prompt_tokens, completion_tokens = _int(usage.get("prompt_tokens")), _int(usage.get("completion_tokens"))
    first, *others = divided(found, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens)
    cached = _int(_mapping(usage.get("prompt_tokens_details")).get("cached_tokens"))
    left = quota(answer.headers, tokens=prompt_tokens + completion_tokens)
    completion = replace(first, others=tuple(others), quota=left) if others or left else first
    return Reading(completion=completion, words=first.error, cached_tokens=cached)


def _read_choice(choice: Mapping[str, object]) -> Completion | None:
    """Return what one choice says, without its usage; None where it has no text."""
    message = _mapping(choice.get("message"))
    text = _text(message.get("content"))
    if text is None or not message:
        return None
    completion = Completion(text=text)
    reason, refusal = choice.get("finish_reason"), message.get("refusal")
    if reason == "error":
        error = f"the provider stopped in the middle of a reply: {_said(choice) or 'no reason given'}"
        return Completion(outcome="failed", fault="server", error=error)
    if reason == "content_filter":
        return replace(completion, outcome="refused", error="the provider's content filter stopped the reply")
    if isinstance(refusal, str) and refusal:
        return replace(completion, outcome="refused", error=valid_unicode(refusal))
    return replace(completion, outcome="truncated") if reason in ("length", "max_tokens") else completion


def divided(replies: Sequence[Completion], *, prompt_tokens: int, completion_tokens: int) -> list[Completion]:
    """Give each reply its part of a call's usage: the prompt's to the first, the completions' by length of text."""
    if len(replies) == 1:
        usage = Usage(prompt_tokens=prompt_tokens, completion_tokens=completion_tokens)
        return [replace(replies[0], usage=usage)]
    total = sum(len(reply.text) + 1 for reply in replies)
    found: list[Completion] = []
    seen = booked = 0
    for reply in replies:
        seen += len(reply.text) + 1
        upto = completion_tokens * seen // total
        usage = Usage(prompt_tokens=0 if found else prompt_tokens, completion_tokens=upto - booked)
        found.append(replace(reply, usage=usage))
        booked = upto
    return found


def _read_failure(answer: HttpAnswer, data: object, status: int) -> Reading:
    body = _mapping(data)
    error = body.get("error", body)
    said = _said(body) or _stripped(answer.body) or "no reason given"
    details = _mapping(error)
    words = " ".join([said, *(str(details[key]) for key in ("param", "code", "type") if details.get(key))])
    message = f"HTTP {status}: {said}"
    if status == 400 and details.get("code") == "content_filter":  # Azure refuses a prompt this way
        return Reading(completion=Completion(outcome="refused", error=message), words=words)
    completion = Completion(
        outcome="failed", fault=_fault(status, words), error=message, retry_after_s=retry_after_s(answer.headers)
    )
    unknown_model = status in (400, 404, 422) and bool(_UNKNOWN_MODEL.search(words))
    no_endpoint = answer.status in (301, 302, 303, 307, 308, 404, 405) or _is_page(answer)
    return Reading(completion=completion, words=words, unknown_model=unknown_model, no_endpoint=no_endpoint)


def _fault(status: int, words: str) -> Fault:
    if status in (401, 402, 403) or (status == 429 and _NO_QUOTA.search(words)):
        return "auth"  # the account's trouble: no request of this run would be answered
    if status == 429:
        return "rate_limit"
    if status in (408, 409, 425) or status >= 500:
        return "server"
    return "bad_request"


def _malformed(answer: HttpAnswer, why: str) -> Reading:
    shown = _stripped(answer.body)
    error = f"the answer {why}: {shown!r}" if shown else "the answer is empty"
    return Reading(
        completion=Completion(outcome="failed", fault="malformed", error=error), no_endpoint=_is_page(answer)
    )


def _is_page(answer: HttpAnswer) -> bool:
    return answer.body.lstrip()[:1] == b"<"


def _text(content: object) -> str | None:
    """Return a message's text, joining parts; None where it is neither text, nor parts, nor null.

    Null is what reasoning models send when they ran out of tokens, and what comes with a refusal: an empty reply.
    Reasoning (`reasoning_content`) is no part of the answer.
    """
    if content is None:
        return ""
    if isinstance(content, str):
        return valid_unicode(content)
    if not isinstance(content, list):
        return None
    parts = [_mapping(part) for part in cast("list[object]", content)]
    texts = [part.get("text") for part in parts if part.get("type") in ("text", "output_text")]
    return valid_unicode("".join(text for text in texts if isinstance(text, str)))


def _said(body: Mapping[str, object]) -> str:
    """Find the provider's own words in an error body: OpenAI, FastAPI, Ollama and Gemini each put them elsewhere."""
    error = body.get("error")
    for place in (_mapping(error).get("message"), error, body.get("message"), body.get("detail")):
        if isinstance(place, str) and place.strip():
            return valid_unicode(place.strip()[:_SHOWN_CHARS])
        if isinstance(place, (dict, list)) and place:
            return valid_unicode(json.dumps(place)[:_SHOWN_CHARS])
    return ""


def _stripped(body: bytes) -> str:
    """Return the start of a body as one line, without HTML tags."""
    text = re.sub(r"(?s)<(script|style).*?</\1>|<[^>]*>", " ", body[:4000].decode("utf-8", "replace"))
    return " ".join(text.split())[:200]


def _mapping(value: object) -> Mapping[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _choices(value: object) -> list[Mapping[str, object]]:
    entries = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("dict[str, object]", entry) for entry in entries if isinstance(entry, dict)]


def _int(value: object) -> int:
    """Return a count; 0 for anything that is none (never negative)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**53:
        return 0
    return int(value)
