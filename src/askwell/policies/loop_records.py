"""Values of a multi-loop run and their log records: the pairs it chose, and the results of each loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from askwell.core.stats import Interval, IntervalMethod
from askwell.core.types import Prompt
from askwell.engine.replies.commonest import CommonestTarget
from askwell.policies.fallback_threshold import FallbackThreshold, decode_fallback, encode_fallback
from askwell.runlog.codec import Body, decode_prompt, prompt_id
from askwell.runlog.reading import ById, located, read_events
from askwell.runlog.store import RunStore

Purpose = Literal["collect", "dev", "test"]
"""Why pairs are labelled: as new training data, or to compare a policy on dev or test queries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenPairs:
    """Pairs that are logged before any of them is labelled, so that a resumed run labels the same ones."""

    loop: int
    purpose: Purpose
    pairs: tuple[tuple[str, Prompt], ...]
    """(example id, prompt)."""
    advantages: tuple[float, ...] = ()
    """Predicted, one per pair; for dev and test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopResult:
    """One loop: the size of its training data, and its policy against the baseline prompt on dev queries."""

    loop: int
    """0: the selector among the logged prompts; 1: the writer trained on the log alone."""
    acquired: int
    """Pairs labelled for this loop, with those of the baseline prompt."""
    trained_on: int
    """Outcomes in the training data."""
    baseline: Interval
    """Score of the baseline prompt."""
    without_fallback: Interval
    """Gain of sending every generated prompt; paired."""
    with_fallback: Interval
    """Gain with the fallback, its threshold tuned on the other dev queries; paired."""
    fallback: FallbackThreshold
    """Tuned on all dev queries: the one that is deployed."""
    target_calls: int
    """Paid in this run up to here."""
    reward: str = ""
    """Description of a pair's reward, if that is not its score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """Result of the final test: baseline prompt and deployed policy on the same test examples."""

    baseline: Interval
    policy: Interval
    gain: Interval
    switch_rate: float
    """Share of the test queries on which the policy sends another prompt than the baseline prompt."""
    commonest: CommonestTarget | None = None
    """The score of always giving the commonest target of the test examples; None if no two targets are the same."""


def encode_chosen(chosen: ChosenPairs) -> dict[str, object]:
    """Encode chosen pairs; prompts by id."""
    body: dict[str, object] = {
        "loop": chosen.loop,
        "purpose": chosen.purpose,
        "pairs": [[example_id, prompt_id(prompt)] for example_id, prompt in chosen.pairs],
    }
    if chosen.advantages:
        body["advantages"] = list(chosen.advantages)
    return body


def read_chosen(store: RunStore) -> dict[tuple[int, Purpose], ChosenPairs]:
    """Read the pairs that a run has chosen so far, by loop and purpose."""
    prompts = ById[Prompt]("prompt")
    chosen: dict[tuple[int, Purpose], ChosenPairs] = {}
    for event in read_events(store, kinds=["prompt", "pairs"]):
        if event.kind == "prompt":
            prompts[cast("str", event.body["id"])] = decode_prompt(event.body)
            continue
        with located(store, event.position):
            pairs = _decode_pairs(event.body, prompts)
        chosen[pairs.loop, pairs.purpose] = pairs
    return chosen


def encode_loop(result: LoopResult) -> dict[str, object]:
    """Encode a loop's results."""
    return {
        "loop": result.loop,
        "collected": result.acquired,
        "trained_on": result.trained_on,
        "static": encode_interval(result.baseline),
        "written": encode_interval(result.without_fallback),
        "guarded": encode_interval(result.with_fallback),
        "guard": encode_fallback(result.fallback),
        "target_calls": result.target_calls,
        **({"reward": result.reward} if result.reward else {}),
    }


def read_loops(store: RunStore) -> list[LoopResult]:
    """Read the results of every finished loop."""
    return [_decode_loop(event.body) for event in read_events(store, kinds=["loop"])]


def encode_interval(interval: Interval) -> dict[str, object]:
    """Encode an interval with its method."""
    return {
        "estimate": interval.estimate,
        "low": interval.low,
        "high": interval.high,
        "n": interval.n,
        "level": interval.level,
        "method": interval.method,
    }


def decode_interval(body: Body) -> Interval:
    """Decode an interval."""
    return Interval(
        estimate=cast("float", body["estimate"]),
        low=cast("float", body["low"]),
        high=cast("float", body["high"]),
        n=cast("int", body["n"]),
        level=cast("float", body["level"]),
        method=cast("IntervalMethod", body["method"]),
    )


def _decode_pairs(body: Body, prompts: Mapping[str, Prompt]) -> ChosenPairs:
    pairs = cast("Sequence[tuple[str, str]]", body["pairs"])
    return ChosenPairs(
        loop=cast("int", body["loop"]),
        purpose=cast("Purpose", body["purpose"]),
        pairs=tuple((example_id, prompts[prompt]) for example_id, prompt in pairs),
        advantages=tuple(cast("Sequence[float]", body.get("advantages", ()))),
    )


def _decode_loop(body: Body) -> LoopResult:
    return LoopResult(
        loop=cast("int", body["loop"]),
        acquired=cast("int", body["collected"]),
        trained_on=cast("int", body["trained_on"]),
        baseline=decode_interval(cast("Body", body["static"])),
        without_fallback=decode_interval(cast("Body", body["written"])),
        with_fallback=decode_interval(cast("Body", body["guarded"])),
        fallback=decode_fallback(cast("Mapping[str, float | str | None]", body["guard"])),
        target_calls=cast("int", body["target_calls"]),
        reward=cast("str", body.get("reward", "")),
    )
