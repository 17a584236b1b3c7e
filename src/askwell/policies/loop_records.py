"""What a multi-loop run has done, as values and as events of its log: the pairs it chose, and each loop's figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from askwell.core.stats import Interval, IntervalMethod
from askwell.core.types import Event, Prompt
from askwell.policies.selection.fallback import FallbackThreshold, decode_fallback, encode_fallback
from askwell.runlog.codec import Body, decode_prompt, prompt_id

Purpose = Literal["collect", "dev", "test"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenPairs:
    """Pairs fixed before any of them is asked, so that a resumed run asks the same ones."""

    loop: int
    purpose: Purpose
    pairs: tuple[tuple[str, Prompt], ...]
    """(example id, prompt)."""
    advantages: tuple[float, ...] = ()
    """Predicted, one a pair; for dev and test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopResult:
    """One loop: what it was trained on, and what its policy does on dev queries against the static prompt."""

    loop: int
    """0 chooses among the logged prompts, and 1 is the writer trained on the log alone."""
    collected: int
    """Pairs labelled for this loop, those of the static prompt included."""
    trained_on: int
    baseline: Interval
    written: Interval
    """Gain of sending whatever is written, without a guard; paired."""
    guarded: Interval
    """Gain with the guard, its margin tuned on other dev queries; paired."""
    guard: FallbackThreshold
    """Tuned on all dev queries: what is deployed."""
    target_calls: int
    """Paid so far in this run."""
    reward: str = ""
    """What a pair was worth, where that is not its score."""


def encode_chosen(chosen: ChosenPairs) -> dict[str, object]:
    """Spell chosen pairs; prompts by id."""
    body: dict[str, object] = {
        "loop": chosen.loop,
        "purpose": chosen.purpose,
        "pairs": [[example_id, prompt_id(prompt)] for example_id, prompt in chosen.pairs],
    }
    if chosen.advantages:
        body["advantages"] = list(chosen.advantages)
    return body


def decode_chosen(events: Iterable[Event]) -> dict[tuple[int, Purpose], ChosenPairs]:
    """Read the pairs a run has fixed so far, by loop and purpose."""
    prompts: dict[str, Prompt] = {}
    found: dict[tuple[int, Purpose], ChosenPairs] = {}
    for event in events:
        if event.kind == "prompt":
            prompts[cast("str", event.body["id"])] = decode_prompt(event.body)
        elif event.kind == "pairs":
            body = event.body
            loop, purpose = cast("int", body["loop"]), cast("Purpose", body["purpose"])
            pairs = cast("Sequence[tuple[str, str]]", body["pairs"])
            found[loop, purpose] = ChosenPairs(
                loop=loop,
                purpose=purpose,
                pairs=tuple((example_id, prompts[prompt]) for example_id, prompt in pairs),
                advantages=tuple(cast("Sequence[float]", body.get("advantages", ()))),
            )
    return found


def encode_loop(result: LoopResult) -> dict[str, object]:
    """Spell a loop's figures."""
    return {
        "loop": result.loop,
        "collected": result.collected,
        "trained_on": result.trained_on,
        "static": encode_interval(result.baseline),
        "written": encode_interval(result.written),
        "guarded": encode_interval(result.guarded),
        "guard": encode_fallback(result.guard),
        "target_calls": result.target_calls,
        **({"reward": result.reward} if result.reward else {}),
    }


def decode_loops(events: Iterable[Event]) -> list[LoopResult]:
    """Read every finished loop's figures."""
    return [_loop_of(event.body) for event in events if event.kind == "loop"]


def encode_interval(interval: Interval) -> dict[str, object]:
    """Spell an interval with how it was made."""
    return {
        "estimate": interval.estimate,
        "low": interval.low,
        "high": interval.high,
        "n": interval.n,
        "level": interval.level,
        "method": interval.method,
    }


def decode_interval(body: Body) -> Interval:
    """Read an interval back."""
    return Interval(
        estimate=cast("float", body["estimate"]),
        low=cast("float", body["low"]),
        high=cast("float", body["high"]),
        n=cast("int", body["n"]),
        level=cast("float", body["level"]),
        method=cast("IntervalMethod", body["method"]),
    )


def _loop_of(body: Body) -> LoopResult:
    return LoopResult(
        loop=cast("int", body["loop"]),
        collected=cast("int", body["collected"]),
        trained_on=cast("int", body["trained_on"]),
        baseline=decode_interval(cast("Body", body["static"])),
        written=decode_interval(cast("Body", body["written"])),
        guarded=decode_interval(cast("Body", body["guarded"])),
        guard=decode_fallback(cast("Mapping[str, float | str | None]", body["guard"])),
        target_calls=cast("int", body["target_calls"]),
        reward=cast("str", body.get("reward", "")),
    )
