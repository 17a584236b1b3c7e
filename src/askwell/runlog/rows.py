"""Rows of a log without its texts: what a fold over a million rollouts can afford to read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, cast

from askwell.core.types import Event
from askwell.runlog.codec import Body, decode_completion


class RolloutRow(NamedTuple):
    """A rollout without its texts; the prompt and the example by their ids."""

    position: int
    split: str
    prompt: str
    example: str
    sample_index: int
    score: float | None
    """None if the call failed."""
    is_cached: bool
    """Whether it was answered from the log."""


class UsageRow(NamedTuple):
    """What some calls of one model used: either all of them failed or none did."""

    role: str
    is_failed: bool
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    """None if no call had a known price."""
    seconds: float


def decode_row(event: Event) -> RolloutRow:
    """Read from a rollout event what a fold over a whole log needs."""
    body = event.body
    score = cast("tuple[float, str, str] | None", body["score"])
    return RolloutRow(
        position=event.position,
        split=cast("str", body["split"]),
        prompt=cast("str", body["prompt"]),
        example=cast("str", body["example"]),
        sample_index=cast("int", body.get("sample_index", 0)),
        score=None if score is None else score[0],
        is_cached="cached" in body,
    )


def usage_rows(events: Iterable[Event]) -> Iterator[UsageRow]:
    """Yield what each call used; calls answered from the log used nothing."""
    for event in events:
        if event.kind in {"call", "rollout"} and not event.body.get("cached"):
            completion = decode_completion(cast("Body", event.body["completion"]))
            yield UsageRow(
                role=cast("str", event.body.get("role", "target")),
                is_failed=completion.outcome == "failed",
                calls=1,
                prompt_tokens=completion.usage.prompt_tokens,
                completion_tokens=completion.usage.completion_tokens,
                cost_usd=completion.usage.cost_usd,
                seconds=event.seconds,
            )
