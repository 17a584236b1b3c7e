"""What a provider's error means: its status, whose fault it is, and whether the provider refused the content.

Data and pure functions. The wording comes from the providers' documentation and public reports; an unknown wording
stays a failed call.
"""

from __future__ import annotations

import re
from typing import cast

from askwell.core.types import Fault

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
_TOO_LARGE = re.compile(
    r"request (is )?too large|(input|prompt|request) (is )?larger than (the|your) .{0,40}limit", re.IGNORECASE
)
_LIMIT_AND_REQUESTED = re.compile(r"limit:? ?([\d,]+)\b.{0,40}?\brequested:? ?([\d,]+)", re.IGNORECASE)

_REFUSAL_CODE = re.compile(
    r"\binvalid_prompt\b|content_?(filter|policy|moderation)|moderation|data_?inspection_?failed|flagged"
    r"|responsible_?ai|sensitive_?(content|words?)|sensitivecontent|safety_?(error|violation|block|filter|check)"
    r"|censor|guardrail|(usage|safety)_?policy|content_?(blocked|violation)|\bunsafe\b|jailbreak",
    re.IGNORECASE,
)
_CONTENT = (
    r"\b(input|prompt|content|request|message|text|question|output|response|completion|answer|generation|reply)s?\b"
)
_REFUSAL_TEXT = re.compile(
    rf"{_CONTENT}.{{0,80}}\b(flagged|moderated|inappropriate|unsafe|high.risk|(?<!case.)sensitive)"
    rf"|{_CONTENT}.{{0,60}}\b(is|was|been|were|are) (blocked|censored)"
    r"|(blocked|rejected|filtered|stopped) (by|due to|because of|as a result of) (\w+('s)? ){0,3}?"
    r"(content|safety|moderation|guardrails?|responsible|prohibited|sensitive)"
    r"|violat\w+ .{0,40}(usage|content|safety|acceptable.use|responsible|community) ?(polic|guideline|standard|ai\b)"
    r"|\b(inappropriate|unsafe|harmful|prohibited|offensive|toxic|disallowed) (content|text|input|prompt|word)"
    rf"|{_CONTENT}.{{0,30}}\bviolat\w+ .{{0,30}}(polic|guideline|terms|standard)|jailbreak|prompt injection|\bnsfw\b"
    r"|content exists risk|content.?policy.?violation|content (management|safety) (policy|system)"
    r"|content[ _-]?filter(ing|ed)?\b|responsible ai (policy|practice)"
    r"|(by|failed|blocked|pass|passed)\b.{0,30}\bmoderation|moderation (check |filter )?(failed|blocked|rejected)"
    r"|(audit|inspection|(safety|security|content) (check|review))s? (has |have )?(failed|not passed|did not pass)"
    r"|invalid_prompt|data_inspection_failed|敏感|违规|审核",
    re.IGNORECASE | re.DOTALL,
)
_ACCOUNT = re.compile(
    r"\b(account|organi[sz]ation|(api )?key|project|ip address|subscription|workspace|access|tenant)s?\b.{0,60}"
    r"\b(flagged|suspended|blocked|disabled|banned|deactivated|terminated|restricted|revoked|violat)",
    re.IGNORECASE | re.DOTALL,
)
_NOT_ABOUT_CONTENT = (401, 402, 404, 405, 407, 408, 429)
"""Statuses of errors that say nothing about the content of a request, whatever their words."""

_STATUS_OF_WORDS = (
    (429, r"rate.?limit|too.?many.?requests|resource.?exhausted|throttl|quota"),
    (401, r"unauthori[sz]ed|invalid.?api.?key|authentication|unauthenticated"),
    (402, r"billing|payment|insufficient.?(balance|credit|funds)"),
    (403, r"permission|forbidden"),
    (404, r"not.?found"),
    (504, r"time.?out|timed.?out|deadline"),
    (503, r"overloaded|unavailable"),
    (413, r"too.?large"),
    (400, r"invalid.?(request|argument|prompt)|bad.?request|context.?length|failed.?precondition|content.?filter"),
)
_STATUS_NUMBER = re.compile(r"(?<!\d)[45]\d\d(?!\d)")
_UNKNOWN_STATUS = 502


def classify_fault(status: int, error_text: str) -> Fault:
    """Return the fault class of an error with this HTTP status."""
    if status in (401, 402, 403) or (status in (400, 429) and _NO_ACCOUNT.search(error_text)):
        return "auth"  # a fault of the account: every request of this run would fail
    if status == 429:
        return "bad_request" if _is_above_limit(error_text) else "rate_limit"
    if status in (408, 409, 425) or status >= 500:
        return "server"
    return "bad_request"


def is_unknown_model(status: int, error_text: str) -> bool:
    """Return whether the server does not know the requested model."""
    return status in (400, 404, 422) and bool(_UNKNOWN_MODEL.search(error_text))


def is_refusal(status: int, message: str, codes: str) -> bool:
    """Return whether the provider refused the content of this request, rather than the request or the account."""
    if status in _NOT_ABOUT_CONTENT or _NO_ACCOUNT.search(f"{message} {codes}") or _ACCOUNT.search(message):
        return False
    return bool(_REFUSAL_CODE.search(codes) or (status < 500 and _REFUSAL_TEXT.search(message)))


def error_status(error: object) -> int:
    """Return the HTTP status that an error inside an answer of status 200 stands for; 502 if it names none.

    The status may be a number, digits in a text ("429", "HTTP_429") or a word ("rate_limit_exceeded").
    """
    if not isinstance(error, dict):
        return _status_of_words(str(error))
    fields = cast("dict[str, object]", error)
    codes = [str(fields.get(name) or "") for name in ("status", "status_code", "code", "type")]
    numbers = _STATUS_NUMBER.findall(" ".join(codes))
    if numbers:
        return int(numbers[0])
    by_code = _status_of_words(" ".join(codes))
    return by_code if by_code != _UNKNOWN_STATUS else _status_of_words(str(fields.get("message")), only=429)


def _status_of_words(text: str, *, only: int = 0) -> int:
    matching = (status for status, words in _STATUS_OF_WORDS if re.search(words, text, re.IGNORECASE))
    status = next(matching, _UNKNOWN_STATUS)
    return status if only in (0, status) else _UNKNOWN_STATUS


def _is_above_limit(error_text: str) -> bool:
    """Return whether one request alone is above the rate limit ("Limit 30000, Requested 50000"): no wait helps."""
    numbers = _LIMIT_AND_REQUESTED.search(error_text)
    if numbers:
        limit, requested = (int(number.replace(",", "")) for number in numbers.groups())
        return requested > limit
    return bool(_TOO_LARGE.search(error_text))
