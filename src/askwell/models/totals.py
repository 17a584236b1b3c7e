"""Running totals of a model, and of each member of a pool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from askwell.core.types import Fault, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Running totals of a model. `usage.cost_usd` is the sum over calls of known price; None if there are none."""

    calls: int = 0
    """Finished calls, failed ones included."""
    failed: int = 0
    faults: Mapping[Fault, int] = field(default_factory=dict[Fault, int])
    """Failed calls by fault class."""
    in_flight: int = 0
    usage: Usage = field(default_factory=Usage)
    unpriced_calls: int = 0
    """Calls that used tokens at an unknown price: if above 0, `usage.cost_usd` is a lower bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberTotals:
    """Running totals of one member of a pool."""

    label: str
    totals: Totals
