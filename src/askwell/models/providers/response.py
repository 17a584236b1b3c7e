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

from askwell.core.types import Completion, Usage
from askwell.models.conversation import replace_surrogates
from askwell.models.http.client import HttpResponse
from askwell.models.http.event_stream import parse_event_stream
from askwell.models.http.json_codec import loads
from askwell.models.providers.failures import classify_fault, is_refusal, is_unknown_model
from askwell.models.providers.rate_headers import parse_quota, parse_retry_after

_SHOWN_CHARS = 600
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
    """Return the JSON of a response, or of an event stream that nobody asked for; None if its body is neither."""
    try:
        return loads(answer.body)
    except (ValueError, RecursionError):
        return parse_event_stream(answer.body)


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
    codes = [str(details[key]) for key in ("code", "type") if details.get(key)] + _inner_codes(details) + list(more)
    error_text = " ".join([message, *([str(details["param"])] if details.get("param") else []), *codes])
    error = f"HTTP {status}: {message}"
    if not _is_html(answer) and is_refusal(status, message, " ".join(codes)):
        return ParsedResponse(completion=Completion(outcome="refused", error=error), error_text=error_text)
    completion = Completion(
        outcome="failed",
        fault=classify_fault(status, error_text),
        error=error,
        retry_after_s=parse_retry_after(answer.headers) if wait_s is None else wait_s,
    )
    return ParsedResponse(
        completion=completion,
        error_text=error_text,
        unknown_model=is_unknown_model(status, error_text),
        no_endpoint=answer.status in (301, 302, 303, 307, 308, 404, 405) or _is_html(answer),
    )


def is_success(answer: HttpResponse) -> bool:
    """Return whether a response may hold a reply: routers answer with 201 or 206, too."""
    return 200 <= answer.status < 300


def has_error(body: Mapping[str, object]) -> bool:
    """Return whether an answer holds an error; some servers add an empty one to every answer."""
    error = body.get("error")
    fields = as_object(error)
    return any(fields.values()) if fields else bool(error)


def malformed_response(answer: HttpResponse, why: str) -> ParsedResponse:
    """Return the failure for a response of status 200 without a reply."""
    shown = _strip_html(answer.body)
    error = f"the answer {why}: {shown!r}" if shown else "the answer is empty"
    return ParsedResponse(
        completion=Completion(outcome="failed", fault="malformed", error=error), no_endpoint=_is_html(answer)
    )


def mark_empty(completion: Completion, reason: str, *, usual: bool) -> Completion:
    """Return a reply without text as it is if the model ended it as usual, else as `unparsed` with the reason.

    A call of a tool that was not offered or an unknown reason is no answer of the model; the metric scores it as empty.
    """
    return completion if usual else replace(completion, outcome="unparsed", error=f"the reply has no text ({reason})")


def error_message(body: Mapping[str, object]) -> str:
    """Return the provider's message in an error body: OpenAI, FastAPI, Ollama and Gemini each use another field."""
    error = body.get("error")
    for candidate in (as_object(error).get("message"), error, body.get("message"), body.get("detail")):
        if isinstance(candidate, str) and candidate.strip():
            return replace_surrogates(candidate.strip()[:_SHOWN_CHARS] + _upstream_error(error))
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


def as_blocks(value: object) -> list[Mapping[str, object]]:
    """Return the blocks of a list, in which some gateways put plain texts."""
    entries = cast("list[object]", value) if isinstance(value, list) else []
    return as_objects([{"type": "text", "text": entry} if isinstance(entry, str) else entry for entry in entries])


def as_count(value: object) -> int:
    """Return a count (never negative); 0 for any other value."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**53:
        return 0
    return int(value)


def _inner_codes(details: Mapping[str, object]) -> list[str]:
    """Return further codes of an error: Azure's inner error, and the field by which OpenRouter marks flagged input."""
    inner = as_object(details.get("innererror")).get("code")
    flagged = [name for name in as_object(details.get("metadata")) if name.startswith("flagged")]
    return [inner, *flagged] if isinstance(inner, str) else flagged


def _upstream_error(error: object) -> str:
    """Return the upstream's own error, which OpenRouter adds to a message that says nothing."""
    raw = as_object(as_object(error).get("metadata")).get("raw")
    return f": {raw[:_SHOWN_CHARS]}" if isinstance(raw, str) and raw else ""


def _is_html(answer: HttpResponse) -> bool:
    return answer.body.lstrip()[:1] == b"<"


def _strip_html(body: bytes) -> str:
    """Return the start of a body as one line, without HTML tags."""
    text = re.sub(r"(?s)<(script|style).*?</\1>|<[^>]*>", " ", body[:4000].decode("utf-8", "replace"))
    return " ".join(text.split())[:200]
