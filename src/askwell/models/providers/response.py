"""What a provider's answer means, whatever its format: one value for it, and the parts that all formats share.

Foreign JSON is checked field by field, at about 10 µs a reply; nothing here raises, whatever a server sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from askwell.core.types import Completion, Fault, Usage
from askwell.models.conversation import valid_unicode
from askwell.models.http.client import HttpAnswer
from askwell.models.http.json_codec import loads
from askwell.models.providers.rate_headers import quota, retry_after_s

_SHOWN_CHARS = 600
_NO_ACCOUNT = re.compile(
    r"insufficient_quota|insufficient[_ ](balance|credit|funds)|billing_hard_limit"  # OpenAI, DeepSeek, OpenRouter
    r"|enforced_spend_limit_reached|credit balance is too low|reached your specified.{0,20} usage limits"  # Anthropic
    r"|API_KEY_INVALID|PerDayPer",  # Gemini: no key with 400, and the quotas of a day (GenerateRequestsPerDayPer…)
    re.IGNORECASE,
)
_UNKNOWN_MODEL = re.compile(
    r"model_not_found|model.{0,160}(does not exist|doesn't exist|not found|not a valid model|no such)"
    r"|(unknown|invalid|no such|not a valid) model|not a valid model|failed to load model"
    r"|^model: .*not_found_error|DeploymentNotFound",  # Anthropic; Azure
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedResponse:
    """What an answer means."""

    completion: Completion
    words: str = ""
    """The provider's message with its parameter and code, for recognising quirks; empty unless the call failed."""
    unknown_model: bool = False
    no_endpoint: bool = False
    """A web page, a redirect or an unknown path: perhaps there is no model endpoint at this address."""
    cached_tokens: int = 0
    """Prompt tokens the provider read from its own cache, which many sell cheaper."""


def json_of(answer: HttpAnswer) -> object:
    """Return an answer's JSON, None where it is none."""
    try:
        return loads(answer.body)
    except (ValueError, RecursionError):
        return None


def replied(
    replies: Sequence[Completion | None],
    *,
    headers: Mapping[str, str],
    prompt_tokens: int,
    completion_tokens: int,
    cached_tokens: int,
) -> ParsedResponse:
    """Make one reading of a request's replies, at least one, failed ones last; None is a reply without text."""
    without_text = Completion(outcome="failed", fault="malformed", error="a choice of the answer has no text")
    found = [reply or without_text for reply in replies]
    found.sort(key=lambda reply: reply.outcome == "failed")
    first, *others = divided(found, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens)
    left = quota(headers, tokens=prompt_tokens + completion_tokens)
    completion = replace(first, other_samples=tuple(others), quota=left) if others or left else first
    return ParsedResponse(completion=completion, words=first.error, cached_tokens=cached_tokens)


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


def failure(
    answer: HttpAnswer, data: object, *, status: int = 0, more: Sequence[str] = (), wait_s: float | None = None
) -> ParsedResponse:
    """Tell what an error means.

    `status` is the HTTP one unless the body knows better; `more` are words for the machine (codes of details);
    `wait_s` is what the body asks to wait, the headers where it is None.
    """
    status = status or answer.status
    body = mapping(data)
    details = mapping(body.get("error", body))
    said = words_of(body) or _stripped(answer.body) or "no reason given"
    codes = (str(details[key]) for key in ("param", "code", "type") if details.get(key))
    words = " ".join([said, *codes, *more])
    completion = Completion(
        outcome="failed",
        fault=_fault(status, words),
        error=f"HTTP {status}: {said}",
        retry_after_s=retry_after_s(answer.headers) if wait_s is None else wait_s,
    )
    unknown_model = status in (400, 404, 422) and bool(_UNKNOWN_MODEL.search(words))
    no_endpoint = answer.status in (301, 302, 303, 307, 308, 404, 405) or _is_page(answer)
    return ParsedResponse(completion=completion, words=words, unknown_model=unknown_model, no_endpoint=no_endpoint)


def malformed(answer: HttpAnswer, why: str) -> ParsedResponse:
    """Return the reading of a 200 that holds no reply."""
    shown = _stripped(answer.body)
    error = f"the answer {why}: {shown!r}" if shown else "the answer is empty"
    return ParsedResponse(
        completion=Completion(outcome="failed", fault="malformed", error=error), no_endpoint=_is_page(answer)
    )


def words_of(body: Mapping[str, object]) -> str:
    """Find the provider's own words in an error body: OpenAI, FastAPI, Ollama and Gemini each put them elsewhere."""
    error = body.get("error")
    for place in (mapping(error).get("message"), error, body.get("message"), body.get("detail")):
        if isinstance(place, str) and place.strip():
            return valid_unicode(place.strip()[:_SHOWN_CHARS])
        if isinstance(place, (dict, list)) and place:
            return valid_unicode(json.dumps(place)[:_SHOWN_CHARS])
    return ""


def mapping(value: object) -> Mapping[str, object]:
    """Return a JSON object, empty for anything else."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def mappings(value: object) -> list[Mapping[str, object]]:
    """Return the JSON objects of a list; none for anything else."""
    entries = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("dict[str, object]", entry) for entry in entries if isinstance(entry, dict)]


def count(value: object) -> int:
    """Return a count; 0 for anything that is none (never negative)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**53:
        return 0
    return int(value)


def _fault(status: int, words: str) -> Fault:
    if status in (401, 402, 403) or (status in (400, 429) and _NO_ACCOUNT.search(words)):
        return "auth"  # the account's trouble: no request of this run would be answered
    if status == 429:
        return "rate_limit"
    if status in (408, 409, 425) or status >= 500:
        return "server"
    return "bad_request"


def _is_page(answer: HttpAnswer) -> bool:
    return answer.body.lstrip()[:1] == b"<"


def _stripped(body: bytes) -> str:
    """Return the start of a body as one line, without HTML tags."""
    text = re.sub(r"(?s)<(script|style).*?</\1>|<[^>]*>", " ", body[:4000].decode("utf-8", "replace"))
    return " ".join(text.split())[:200]
