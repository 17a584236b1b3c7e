"""Headroom as labelled values, and the same for `--json`; several commands print it."""

from __future__ import annotations

import math
from dataclasses import asdict

from askwell.core.stats import format_interval
from askwell.policies.offline_eval.headroom import Headroom
from askwell.policies.offline_eval.train_or_not import TrainingAdvice
from askwell.report.run_report import interval_json


def headroom_rows(worth: TrainingAdvice) -> list[tuple[str, str]]:
    """Return the measurements as labels and values; scores in points of 100."""
    room, shares = worth.headroom, worth.headroom.shares
    rows = [
        ("queries × prompts", f"{room.queries:,} × {room.prompts:,}"),
        ("baseline prompt", repr(room.baseline_prompt)),
        ("its score", format_interval(room.baseline)),
        ("naive oracle (inflated by luck)", f"{100 * room.naive_oracle:.1f}"),
        _corrected(room),
        (
            "variance of one score",
            f"query {_percent(shares.query)}, prompt {_percent(shares.prompt)}, "
            f"query × prompt {_percent(shares.interaction)}, noise {_percent(shares.noise)}",
        ),
    ]
    if worth.selector_gain is not None:
        rows.append(("selector on unseen queries", format_interval(worth.selector_gain, signed=True)))
    return rows


def advice_json(worth: TrainingAdvice) -> dict[str, object]:
    """Return headroom, and the gain of a selector, for `--json`."""
    return {
        **headroom_json(worth.headroom),
        "chooser": interval_json(worth.selector_gain),
        "worth_it": worth.is_worthwhile,
        "verdict": worth.verdict,
    }


def headroom_json(room: Headroom) -> dict[str, object]:
    """Return headroom for `--json`; a share that is unknown is null."""
    shares = {name: None if math.isnan(value) else value for name, value in asdict(room.shares).items()}
    return {
        "queries": room.queries,
        "prompts": room.prompts,
        "static_prompt": room.baseline_prompt,
        "static": interval_json(room.baseline),
        "naive_oracle": room.naive_oracle,
        "method": room.method,
        "gain": asdict(room.gain),
        "corrected_oracle": room.corrected_oracle,
        "shares": shares,
        "worth_it": room.is_worthwhile,
        "verdict": room.verdict,
    }


def _corrected(room: Headroom) -> tuple[str, str]:
    if room.gain.kind == "interval":
        return "oracle, luck removed", f"{100 * room.corrected_oracle:.1f}, a gain of {room.gain}"
    return "oracle, luck removed", (
        f"{100 * room.corrected_oracle:.1f} under a model (no repeats); the gain is within "
        f"[{100 * room.gain.low:.1f}, {100 * room.gain.high:.1f}]"
    )


def _percent(share: float) -> str:
    return "?" if math.isnan(share) else f"{100 * share:.0f} %"
