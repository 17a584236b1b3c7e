"""The margin above which a policy leaves the baseline prompt, and its form in logs and policy files.

`askwell.policies.selection.fallback` tunes it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FallbackThreshold:
    """A margin, and the gain of switching above it, measured on the tuning queries."""

    margin: float
    """Infinite if no margin had a real gain: every query gets the baseline prompt."""
    gain: float
    """Mean gain over the baseline prompt on the tuning queries; optimistic, as the margin was chosen on them."""
    error: float
    """Standard error of the gain."""
    switch_rate: float
    """Share of the tuning queries that got another prompt than the baseline prompt."""
    queries: int


ALWAYS_SWITCH = FallbackThreshold(margin=-math.inf, gain=0.0, error=0.0, switch_rate=1.0, queries=0)
"""No fallback: every query gets the policy's own prompt, as in the QPO paper."""


def never_switch(*, queries: int = 0) -> FallbackThreshold:
    """Return the threshold that keeps the baseline prompt for every query."""
    return FallbackThreshold(margin=math.inf, gain=0.0, error=0.0, switch_rate=0.0, queries=queries)


def encode_fallback(threshold: FallbackThreshold) -> dict[str, float | str | None]:
    """Encode a threshold as JSON values; JSON has no infinity, so the margin is then "never" or "always" (switch)."""
    margin = threshold.margin if math.isfinite(threshold.margin) else ("never" if threshold.margin > 0 else "always")
    return {
        "margin": margin,
        "gain": threshold.gain,
        "error": threshold.error,
        "switched": threshold.switch_rate,
        "queries": threshold.queries,
    }


def decode_fallback(body: Mapping[str, float | str | None]) -> FallbackThreshold:
    """Decode what `encode_fallback` returned."""
    margin = body["margin"]
    if isinstance(margin, str):
        margin = -math.inf if margin == "always" else math.inf
    return FallbackThreshold(
        margin=float(margin or 0.0),
        gain=float(body["gain"] or 0.0),
        error=float(body["error"] or 0.0),
        switch_rate=float(body["switched"] or 0.0),
        queries=int(body["queries"] or 0),
    )
