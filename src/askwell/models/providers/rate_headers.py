"""Parse the rate-limit headers of a response: how long to wait, and how many more requests are accepted."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from askwell.core.types import Quota

_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhd]))+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_EPOCH_S, _EPOCH_MS = 1e9, 1e12  # a larger number is a point in time, not a duration


_QUOTAS = (
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests", "requests"),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens", "tokens"),
    ("x-ratelimit-remaining", "x-ratelimit-reset", "requests"),
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset", "requests"),
    ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset", "tokens"),
)


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the wait that a response asks for in seconds (never negative); None if it asks for none.

    Read in this order: `retry-after-ms`, `retry-after` (seconds or an HTTP date), then the longest reset whose
    remaining is 0 (`x-ratelimit-*`, `anthropic-ratelimit-*`). `headers` must ignore the case of names.
    """
    if _NUMBER.fullmatch(milliseconds := headers.get("retry-after-ms", "").strip()):
        return float(milliseconds) / 1000
    if retry_after := headers.get("retry-after"):
        return _seconds(retry_after.strip(), headers)
    resets = [
        _seconds(headers.get(reset, "").strip(), headers)
        for remaining, reset, _ in _QUOTAS
        if headers.get(remaining, "").strip() == "0"
    ]
    return max((reset for reset in resets if reset is not None), default=None)


def parse_quota(headers: Mapping[str, str], *, tokens: int) -> Quota | None:
    """Return the remaining quota in requests, the scarcer of requests and tokens; `tokens` is what this call used."""
    quotas: list[Quota] = []
    for remaining, reset, unit in _QUOTAS:
        left = headers.get(remaining)
        if left and _NUMBER.fullmatch(left):  # most servers send none of these headers: no pattern is tried then
            size = 1 if unit == "requests" else max(1, tokens)
            quotas.append(Quota(left=float(left) / size, reset_s=_seconds(headers.get(reset, "").strip(), headers)))
    return min(quotas, key=lambda quota: quota.left, default=None)


def _seconds(text: str, headers: Mapping[str, str]) -> float | None:
    if _NUMBER.fullmatch(text):
        value = float(text)
        if value >= _EPOCH_MS:
            return max(0.0, value / 1000 - time.time())
        return max(0.0, value - time.time()) if value >= _EPOCH_S else value
    if _DURATION.fullmatch(text):
        return sum(float(amount) * _UNIT_S[unit] for amount, unit in _DURATION_PART.findall(text))
    moment = _unix_time(text)
    if moment is None:
        return None
    # By the server's own clock if the response has it: ours may be wrong by more than the wait.
    now = _unix_time(headers.get("date", ""))
    return max(0.0, moment - (time.time() if now is None else now))


def _unix_time(http_date: str) -> float | None:
    try:
        moment = parsedate_to_datetime(http_date)
    except ValueError:
        try:
            moment = datetime.fromisoformat(http_date)  # Anthropic's resets
        except ValueError:
            return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
