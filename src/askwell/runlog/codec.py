"""Encode values as event bodies and decode them: the one place that knows the keys of a run log."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import cast

from askwell.core.types import (
    Candidate,
    Completion,
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

FORMAT = 2
"""Number of the log's format. It goes up whenever a key or a kind changes; `upgrade` converts older logs."""


@lru_cache(maxsize=256)  # called for every rollout, and a run scores few prompts at a time
def prompt_id(prompt: Prompt) -> str:
    """Name a prompt by its content (16 hex digits): rollouts refer to it, the text is stored once."""
    parts = [prompt.instruction, [(demo.input, demo.target) for demo in prompt.demos]]
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def encode_example(example: Example, split: Split | None = None) -> dict[str, object]:
    body: dict[str, object] = {"id": example.id, "input": example.input}
    body["target"] = example.target if isinstance(example.target, str) else list(example.target)
    if example.meta:
        body["meta"] = dict(example.meta)
    if split is not None:
        body["split"] = split
    return body


def decode_example(body: Body) -> Example:
    target = body["target"]
    return Example(
        id=cast("str", body["id"]),
        input=cast("str", body["input"]),
        target=target if isinstance(target, str) else tuple(cast("list[str]", target)),
        meta=cast("dict[str, str]", body.get("meta", {})),
    )


def encode_prompt(prompt: Prompt) -> dict[str, object]:
    body: dict[str, object] = {"id": prompt_id(prompt), "instruction": prompt.instruction}
    if prompt.demos:
        body["demos"] = [encode_example(demo) for demo in prompt.demos]
    return body


def decode_prompt(body: Body) -> Prompt:
    demos = cast("list[Body]", body.get("demos", []))
    return Prompt(instruction=cast("str", body["instruction"]), demos=tuple(decode_example(demo) for demo in demos))


def encode_request(request: Request) -> dict[str, object]:
    return {
        "messages": [[message.role, message.content] for message in request.messages],
        "temperature": request.temperature,
        "max_tokens": request.max_tokens,
        "seed": request.seed,
        "sample_index": request.sample_index,
    }


def decode_request(body: Body) -> Request:
    turns = cast("list[tuple[Role, str]]", body["messages"])
    return Request(
        messages=tuple(Message(role=role, content=content) for role, content in turns),
        temperature=cast("float", body["temperature"]),
        max_tokens=cast("int", body["max_tokens"]),
        seed=cast("int | None", body["seed"]),
        sample_index=cast("int", body["sample_index"]),
    )


def encode_completion(completion: Completion) -> dict[str, object]:
    """Encode a completion without its default values: most of a log is completions."""
    usage = completion.usage
    body: dict[str, object] = {"text": completion.text, "tokens": [usage.prompt_tokens, usage.completion_tokens]}
    if usage.cost_usd is not None:
        body["cost_usd"] = usage.cost_usd
    if usage.reasoning_tokens:
        body["reasoning_tokens"] = usage.reasoning_tokens
    if completion.outcome != "ok":
        body["outcome"] = completion.outcome
    if completion.error:
        body["error"] = completion.error
    if completion.fault:
        body["fault"] = completion.fault
    return body


def decode_completion(body: Body) -> Completion:
    prompt_tokens, completion_tokens = cast("list[int]", body["tokens"])
    return Completion(
        text=cast("str", body["text"]),
        outcome=cast("Outcome", body.get("outcome", "ok")),
        usage=Usage(
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            cost_usd=cast("float | None", body.get("cost_usd")),
            reasoning_tokens=cast("int", body.get("reasoning_tokens", 0)),
        ),
        error=cast("str", body.get("error", "")),
        fault=cast("Fault", body.get("fault", "")),
    )


def encode_rollout(rollout: Rollout, *, cached: bool = False) -> dict[str, object]:
    """Encode a rollout. `cached` marks one answered from the log: it counts as a result, not as spending."""
    body: dict[str, object] = {
        "step": rollout.step,
        "split": rollout.split,
        "prompt": prompt_id(rollout.prompt),
        "example": rollout.example_id,
        "completion": encode_completion(rollout.completion),
        "score": None,
    }
    if rollout.score is not None:
        body["score"] = [rollout.score.value, rollout.score.answer, rollout.score.note]
    if rollout.sample_index:
        body["sample_index"] = rollout.sample_index
    if cached:
        body["cached"] = True
    return body


def decode_rollout(body: Body, prompts: Mapping[str, Prompt], queries: Mapping[str, str]) -> Rollout:
    """Decode a rollout; `prompts` by prompt id and `queries` by example id come from the log's earlier events."""
    example_id = cast("str", body["example"])
    return Rollout(
        step=cast("int", body["step"]),
        split=cast("Split", body["split"]),
        prompt=prompts[cast("str", body["prompt"])],
        example_id=example_id,
        query=queries[example_id],
        completion=decode_completion(cast("Body", body["completion"])),
        score=decode_score(body["score"]),
        sample_index=cast("int", body.get("sample_index", 0)),
    )


def decode_score(body: object) -> Score | None:
    if body is None:
        return None
    value, answer, note = cast("tuple[float, str, str]", body)
    return Score(value=value, answer=answer, note=note)


def encode_proposal(proposal: Proposal) -> dict[str, object]:
    body: dict[str, object] = {"prompt": prompt_id(proposal.prompt), "origin": proposal.origin}
    if proposal.parent is not None:
        body["parent"] = prompt_id(proposal.parent)
    return body | _encode_judgement(proposal)


def decode_proposal(body: Body, prompts: Mapping[str, Prompt]) -> Proposal:
    parent = cast("str | None", body.get("parent"))
    return Proposal(
        prompt=prompts[cast("str", body["prompt"])],
        parent=None if parent is None else prompts[parent],
        origin=cast("str", body["origin"]),
        lesson=cast("str", body.get("lesson", "")),
        penalty=cast("float", body.get("penalty", 0.0)),
    )


def encode_rejection(proposal: Proposal) -> dict[str, object]:
    """Encode a rejected proposal with its text, because no other event holds it."""
    body = encode_prompt(proposal.prompt) | {"origin": proposal.origin, "reason": proposal.rejected}
    if proposal.parent is not None:
        body["parent"] = prompt_id(proposal.parent)
    return body


def encode_candidate(candidate: Candidate, *, reused: bool = False) -> dict[str, object]:
    body: dict[str, object] = {"prompt": prompt_id(candidate.prompt), "score": candidate.score, "n": candidate.n}
    if candidate.parent is not None:
        body["parent"] = prompt_id(candidate.parent)
    if candidate.origin:
        body["origin"] = candidate.origin
    if reused:
        body["reused"] = True
    if candidate.partial:
        body["partial"] = True
    return body | _encode_judgement(candidate)


def decode_candidate(body: Body, step: int, prompts: Mapping[str, Prompt], scores: Mapping[str, float]) -> Candidate:
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


def _encode_judgement(judged: Proposal | Candidate) -> dict[str, object]:
    body: dict[str, object] = {}
    if judged.lesson:
        body["lesson"] = judged.lesson
    if judged.penalty:
        body["penalty"] = judged.penalty
    return body


def flatten_outcome(completion: Completion, score: Score | None) -> dict[str, object]:
    """Return the outcome of a call as flat columns, for tables and for people."""
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
        "reasoning_tokens": completion.usage.reasoning_tokens,
        "cost_usd": completion.usage.cost_usd,
    }
