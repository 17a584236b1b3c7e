"""Values <-> event bodies: the one place that knows how a run log is spelt."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import cast

from askwell.types import (
    Candidate,
    Completion,
    Event,
    Example,
    Fault,
    Message,
    Outcome,
    Prompt,
    Proposal,
    Request,
    Role,
    Rollout,
    Score,
    Split,
    Usage,
)

Body = Mapping[str, object]
"""A JSON-able mapping, as stored."""

CellRow = tuple[int, str, str, str, int, float | None, bool]
"""A rollout without its texts: position, split, prompt id, example id, draw, score (None where the call failed), and
whether it was answered from the log."""
UsageRow = tuple[str, bool, int, int, int, float | None, float]
"""Role of the model, whether these calls failed, how many they are; prompt tokens, completion tokens, dollars (None
where not one price is known) and seconds in all."""


@lru_cache(maxsize=256)  # asked for at every rollout, and a run scores few prompts at a time
def prompt_id(prompt: Prompt) -> str:
    """Name a prompt by its content (16 hex digits): rollouts refer to it, the text is stored once."""
    parts = [prompt.instruction, [(demo.input, demo.target) for demo in prompt.demos]]
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def example_body(example: Example, split: Split | None = None) -> dict[str, object]:
    body: dict[str, object] = {"id": example.id, "input": example.input}
    body["target"] = example.target if isinstance(example.target, str) else list(example.target)
    if example.meta:
        body["meta"] = dict(example.meta)
    if split is not None:
        body["split"] = split
    return body


def example_of(body: Body) -> Example:
    target = body["target"]
    return Example(
        id=cast("str", body["id"]),
        input=cast("str", body["input"]),
        target=target if isinstance(target, str) else tuple(cast("list[str]", target)),
        meta=cast("dict[str, str]", body.get("meta", {})),
    )


def prompt_body(prompt: Prompt) -> dict[str, object]:
    body: dict[str, object] = {"id": prompt_id(prompt), "instruction": prompt.instruction}
    if prompt.demos:
        body["demos"] = [example_body(demo) for demo in prompt.demos]
    return body


def prompt_of(body: Body) -> Prompt:
    demos = cast("list[Body]", body.get("demos", []))
    return Prompt(instruction=cast("str", body["instruction"]), demos=tuple(example_of(demo) for demo in demos))


def request_body(request: Request) -> dict[str, object]:
    return {
        "messages": [[message.role, message.content] for message in request.messages],
        "temperature": request.temperature,
        "max_tokens": request.max_tokens,
        "seed": request.seed,
        "draw": request.draw,
    }


def request_of(body: Body) -> Request:
    turns = cast("list[tuple[Role, str]]", body["messages"])
    return Request(
        messages=tuple(Message(role=role, content=content) for role, content in turns),
        temperature=cast("float", body["temperature"]),
        max_tokens=cast("int", body["max_tokens"]),
        seed=cast("int | None", body["seed"]),
        draw=cast("int", body["draw"]),
    )


def completion_body(completion: Completion) -> dict[str, object]:
    """Only what differs from the default is written: most of a log is completions."""
    usage = completion.usage
    body: dict[str, object] = {"text": completion.text, "tokens": [usage.prompt_tokens, usage.completion_tokens]}
    if usage.cost_usd is not None:
        body["cost_usd"] = usage.cost_usd
    if completion.outcome != "ok":
        body["outcome"] = completion.outcome
    if completion.error:
        body["error"] = completion.error
    if completion.fault:
        body["fault"] = completion.fault
    return body


def completion_of(body: Body) -> Completion:
    prompt_tokens, completion_tokens = cast("list[int]", body["tokens"])
    return Completion(
        text=cast("str", body["text"]),
        outcome=cast("Outcome", body.get("outcome", "ok")),
        usage=Usage(
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            cost_usd=cast("float | None", body.get("cost_usd")),
        ),
        error=cast("str", body.get("error", "")),
        fault=cast("Fault", body.get("fault", "")),
    )


def rollout_body(rollout: Rollout, *, cached: bool = False) -> dict[str, object]:
    """Spell a rollout. `cached` marks one answered from the log: it counts as a result, not as spending."""
    body: dict[str, object] = {
        "step": rollout.step,
        "split": rollout.split,
        "prompt": prompt_id(rollout.prompt),
        "example": rollout.example_id,
        "completion": completion_body(rollout.completion),
        "score": None,
    }
    if rollout.score is not None:
        body["score"] = [rollout.score.value, rollout.score.answer, rollout.score.note]
    if rollout.draw:
        body["draw"] = rollout.draw
    if cached:
        body["cached"] = True
    return body


def rollout_of(body: Body, prompts: Mapping[str, Prompt], queries: Mapping[str, str]) -> Rollout:
    """Read a rollout back; `prompts` by prompt id and `queries` by example id, from the log's earlier events."""
    example_id = cast("str", body["example"])
    return Rollout(
        step=cast("int", body["step"]),
        split=cast("Split", body["split"]),
        prompt=prompts[cast("str", body["prompt"])],
        example_id=example_id,
        query=queries[example_id],
        completion=completion_of(cast("Body", body["completion"])),
        score=score_of(body["score"]),
        draw=cast("int", body.get("draw", 0)),
    )


def score_of(spelt: object) -> Score | None:
    if spelt is None:
        return None
    value, answer, note = cast("tuple[float, str, str]", spelt)
    return Score(value=value, answer=answer, note=note)


def proposal_body(proposal: Proposal) -> dict[str, object]:
    body: dict[str, object] = {"prompt": prompt_id(proposal.prompt), "origin": proposal.origin}
    if proposal.parent is not None:
        body["parent"] = prompt_id(proposal.parent)
    return body | _judged_by(proposal)


def proposal_of(body: Body, prompts: Mapping[str, Prompt]) -> Proposal:
    parent = cast("str | None", body.get("parent"))
    return Proposal(
        prompt=prompts[cast("str", body["prompt"])],
        parent=None if parent is None else prompts[parent],
        origin=cast("str", body["origin"]),
        lesson=cast("str", body.get("lesson", "")),
        penalty=cast("float", body.get("penalty", 0.0)),
    )


def rejection_body(proposal: Proposal) -> dict[str, object]:
    """Spell a proposal that was turned down, with its text: nothing else in the log refers to it."""
    body = prompt_body(proposal.prompt) | {"origin": proposal.origin, "reason": proposal.rejected}
    if proposal.parent is not None:
        body["parent"] = prompt_id(proposal.parent)
    return body


def candidate_body(candidate: Candidate, *, reused: bool = False) -> dict[str, object]:
    body: dict[str, object] = {"prompt": prompt_id(candidate.prompt), "score": candidate.score, "n": candidate.n}
    if candidate.parent is not None:
        body["parent"] = prompt_id(candidate.parent)
    if candidate.origin:
        body["origin"] = candidate.origin
    if reused:
        body["reused"] = True
    if candidate.partial:
        body["partial"] = True
    return body | _judged_by(candidate)


def candidate_of(body: Body, step: int, prompts: Mapping[str, Prompt], scores: Mapping[str, float]) -> Candidate:
    parent = cast("str | None", body.get("parent"))
    return Candidate(
        step=step,
        prompt=prompts[cast("str", body["prompt"])],
        score=cast("float", body["score"]),
        n=cast("int", body["n"]),
        parent=None if parent is None else prompts[parent],
        origin=cast("str", body.get("origin", "")),
        lesson=cast("str", body.get("lesson", "")),
        penalty=cast("float", body.get("penalty", 0.0)),
        example_scores=scores,
        partial=cast("bool", body.get("partial", False)),
    )


def _judged_by(made: Proposal | Candidate) -> dict[str, object]:
    body: dict[str, object] = {}
    if made.lesson:
        body["lesson"] = made.lesson
    if made.penalty:
        body["penalty"] = made.penalty
    return body


def outcome_columns(completion: Completion, score: Score | None) -> dict[str, object]:
    """Spell what became of a call flat, one value a name, for tables and for people."""
    return {
        "response": completion.text,
        "outcome": completion.outcome,
        "fault": completion.fault,
        "error": completion.error,
        "score": None if score is None else score.value,
        "answer": None if score is None else score.answer,
        "note": None if score is None else score.note,
        "prompt_tokens": completion.usage.prompt_tokens,
        "completion_tokens": completion.usage.completion_tokens,
        "cost_usd": completion.usage.cost_usd,
    }


def cell_row(event: Event) -> CellRow:
    """Read of a rollout event what folds over a whole log need."""
    body = event.body
    score = cast("tuple[float, str, str] | None", body["score"])
    split, prompt, example = (cast("str", body[name]) for name in ("split", "prompt", "example"))
    draw = cast("int", body.get("draw", 0))
    return event.position, split, prompt, example, draw, None if score is None else score[0], "cached" in body


def usage_rows(events: Iterable[Event]) -> Iterator[UsageRow]:
    """Say what each event of a call used; those that were answered from the log used nothing."""
    for event in events:
        if event.kind in {"call", "rollout"} and not event.body.get("cached"):
            completion = completion_of(cast("Body", event.body["completion"]))
            usage, role = completion.usage, cast("str", event.body.get("role", "target"))
            tokens = (usage.prompt_tokens, usage.completion_tokens)
            yield role, completion.outcome == "failed", 1, *tokens, usage.cost_usd, event.seconds
