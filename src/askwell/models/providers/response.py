"""The meaning of a provider's response as one value, and the parsing that all formats share.

Foreign JSON is checked field by field, at about 10 µs per reply; no function here raises, whatever a server sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import cast

from askwell.core.types import Completion, Fault, Usage
from askwell.models.conversation import replace_surrogates
from askwell.models.http.client import HttpResponse
from askwell.models.http.json_codec import loads
from askwell.models.providers.rate_headers import parse_quota, parse_retry_after

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
_WITHOUT_TEXT = Completion(outcome="failed", fault="malformed", error="a choice of the answer has no text")


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedResponse:
    """The meaning of a response."""

    completion: Completion
    error_text: str = ""
    """The provider's message with its parameter and code, to recognise quirks; empty unless the call failed."""
    unknown_model: bool = False
    no_endpoint: bool = False
    """A web page, a redirect or an unknown path: perhaps there is no model endpoint at this address."""
    cached_tokens: int = 0
    """Prompt tokens read from the provider's own cache, which many providers sell cheaper."""


def parse_json(answer: HttpResponse) -> object:
    """Return the JSON of a response; None if its body is none."""
    try:
        return loads(answer.body)
    except (ValueError, RecursionError):
        return None


def combine_replies(
    replies: Sequence[Completion | None],
    *,
    headers: Mapping[str, str],
    prompt_tokens: int,
    completion_tokens: int,
    cached_tokens: int,
    reasoning_tokens: int = 0,
) -> ParsedResponse:
    """Combine a request's replies (at least one), failed ones last; None is a reply without text."""
    ordered = [reply or _WITHOUT_TEXT for reply in replies]
    ordered.sort(key=lambda reply: reply.outcome == "failed")
    quota = parse_quota(headers, tokens=prompt_tokens + completion_tokens)
    if len(ordered) == 1:
        # Nearly every answer has one reply: copy the value once, not twice (a copy takes 3 µs).
        usage = Usage(
            prompt_tokens=prompt_tokens, completion_tokens=completion_tokens, reasoning_tokens=reasoning_tokens
        )
        completion = replace(ordered[0], usage=usage, quota=quota)
        return ParsedResponse(completion=completion, error_text=completion.error, cached_tokens=cached_tokens)
    first, *others = split_usage(
        ordered,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        reasoning_tokens=reasoning_tokens,
    )
    completion = replace(first, other_samples=tuple(others), quota=quota) if others or quota else first
    return ParsedResponse(completion=completion, error_text=first.error, cached_tokens=cached_tokens)


def split_usage(
    replies: Sequence[Completion], *, prompt_tokens: int, completion_tokens: int, reasoning_tokens: int = 0
) -> list[Completion]:
    """Split a call's usage: the prompt's goes to the first reply, the completion's is split by length of text."""
    lengths = [len(reply.text) + 1 for reply in replies]
    shares = zip(replies, _split(completion_tokens, lengths), _split(reasoning_tokens, lengths), strict=True)
    return [
        replace(
            reply,
            usage=Usage(
                prompt_tokens=0 if index else prompt_tokens, completion_tokens=completion, reasoning_tokens=reasoning
            ),
        )
        for index, (reply, completion, reasoning) in enumerate(shares)
    ]


def _split(total: int, weights: Sequence[int]) -> list[int]:
    """Split a count in proportion to the weights; the rounded shares add up to the whole."""
    bounds = [total * upto // sum(weights) for upto in accumulate(weights)]
    return [bound - before for before, bound in pairwise([0, *bounds])]


def parse_error(
    answer: HttpResponse, data: object, *, status: int = 0, more: Sequence[str] = (), wait_s: float | None = None
) -> ParsedResponse:
    """Parse an error response.

    `status` is the HTTP status unless the body has a better one; `more` are further error codes; `wait_s` is the wait
    that the body asks for (None: the headers').
    """
    status = status or answer.status
    body = as_object(data)
    details = as_object(body.get("error", body))
    message = error_message(body) or _strip_html(answer.body) or "no reason given"
    codes = (str(details[key]) for key in ("param", "code", "type") if details.get(key))
    error_text = " ".join([message, *codes, *more])
    completion = Completion(
        outcome="failed",
        fault=_classify_fault(status, error_text),
        error=f"HTTP {status}: {message}",
        retry_after_s=parse_retry_after(answer.headers) if wait_s is None else wait_s,
    )
    unknown_model = status in (400, 404, 422) and bool(_UNKNOWN_MODEL.search(error_text))
    no_endpoint = answer.status in (301, 302, 303, 307, 308, 404, 405) or _is_html(answer)
    return ParsedResponse(
        completion=completion, error_text=error_text, unknown_model=unknown_model, no_endpoint=no_endpoint
    )


def malformed_response(answer: HttpResponse, why: str) -> ParsedResponse:
    """Return the failure for a response of status 200 without a reply."""
    shown = _strip_html(answer.body)
    error = f"the answer {why}: {shown!r}" if shown else "the answer is empty"
    return ParsedResponse(
        completion=Completion(outcome="failed", fault="malformed", error=error), no_endpoint=_is_html(answer)
    )


def error_message(body: Mapping[str, object]) -> str:
    """Return the provider's message in an error body: OpenAI, FastAPI, Ollama and Gemini each use another field."""
    error = body.get("error")
    for candidate in (as_object(error).get("message"), error, body.get("message"), body.get("detail")):
        if isinstance(candidate, str) and candidate.strip():
            return replace_surrogates(candidate.strip()[:_SHOWN_CHARS])
        if isinstance(candidate, (dict, list)) and candidate:
            return replace_surrogates(json.dumps(candidate)[:_SHOWN_CHARS])
    return ""


def as_object(value: object) -> Mapping[str, object]:
    """Return a JSON object; an empty one for any other value."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def as_objects(value: object) -> list[Mapping[str, object]]:
    """Return the JSON objects of a list; none for any other value."""
    entries = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("dict[str, object]", entry) for entry in entries if isinstance(entry, dict)]


def as_count(value: object) -> int:
    """Return a count (never negative); 0 for any other value."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**53:
        return 0
    return int(value)


def _classify_fault(status: int, error_text: str) -> Fault:
    if status in (401, 402, 403) or (status in (400, 429) and _NO_ACCOUNT.search(error_text)):
        return "auth"  # a fault of the account: every request of this run would fail
    if status == 429:
        return "rate_limit"
    if status in (408, 409, 425) or status >= 500:
        return "server"
    return "bad_request"


def _is_html(answer: HttpResponse) -> bool:
    return answer.body.lstrip()[:1] == b"<"


def _strip_html(body: bytes) -> str:
    """Return the start of a body as one line, without HTML tags."""
    text = re.sub(r"(?s)<(script|style).*?</\1>|<[^>]*>", " ", body[:4000].decode("utf-8", "replace"))
    return " ".join(text.split())[:200]
