"""Whatever is written to a log reads back as it was."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from askwell.core.types import Candidate, Completion, Example, Message, Prompt, Proposal, Request, Rollout, Score, Usage
from askwell.runlog import codec
from askwell.runlog.store import serialize_json

texts = st.text(st.characters(codec="utf-8"), max_size=30) | st.just("\ud800")
unit = st.floats(0, 1)
examples = st.builds(
    Example,
    id=texts,
    input=texts,
    target=texts | st.lists(texts, min_size=1, max_size=3).map(tuple),
    meta=st.dictionaries(texts, texts, max_size=2),
)
prompts = st.builds(Prompt, instruction=texts, demos=st.lists(examples, max_size=2).map(tuple))
usages = st.builds(
    Usage,
    prompt_tokens=st.integers(0, 10**9),
    completion_tokens=st.integers(0, 10**9),
    cost_usd=st.none() | st.floats(0, 100),
    reasoning_tokens=st.integers(0, 10**9),
)
completions = st.builds(
    Completion,
    text=texts,
    outcome=st.sampled_from(["ok", "truncated", "refused", "unparsed", "failed"]),
    usage=usages,
    error=texts,
    fault=st.sampled_from(["", "auth", "server", "timeout"]),
)
scores = st.none() | st.builds(Score, value=unit, answer=texts, note=texts)


def through_json(body: dict[str, object]) -> Any:
    return json.loads(serialize_json(body))


@given(examples)
def test_examples(example: Example) -> None:
    assert codec.decode_example(through_json(codec.encode_example(example, "dev"))) == example


@given(prompts)
def test_prompts(prompt: Prompt) -> None:
    body = through_json(codec.encode_prompt(prompt))
    assert codec.decode_prompt(body) == prompt
    assert body["id"] == codec.prompt_id(codec.decode_prompt(body))


@given(completions)
def test_completions(completion: Completion) -> None:
    assert codec.decode_completion(through_json(codec.encode_completion(completion))) == completion


@given(
    st.builds(
        Request,
        messages=st.lists(
            st.builds(Message, role=st.sampled_from(["system", "user", "assistant"]), content=texts), max_size=3
        ).map(tuple),
        temperature=st.floats(0, 2),
        max_tokens=st.integers(1, 10**6),
        seed=st.none() | st.integers(0, 2**63),
        sample_index=st.integers(0, 99),
    )
)
def test_requests(request: Request) -> None:
    assert codec.decode_request(through_json(codec.encode_request(request))) == request


@given(prompts, completions, scores, st.integers(0, 9), texts, texts)
def test_rollouts(
    prompt: Prompt, completion: Completion, score: Score | None, sample_index: int, example_id: str, query: str
) -> None:
    rollout = Rollout(
        step=3,
        split="dev",
        prompt=prompt,
        example_id=example_id,
        query=query,
        completion=completion,
        score=score,
        sample_index=sample_index,
    )
    body = through_json(codec.encode_rollout(rollout))
    assert codec.decode_rollout(body, {codec.prompt_id(prompt): prompt}, {example_id: query}) == rollout


@given(prompts, prompts, unit, st.integers(0, 99), texts, texts, unit)
def test_candidates_and_proposals(
    prompt: Prompt, parent: Prompt, score: float, n: int, origin: str, lesson: str, penalty: float
) -> None:
    assume(prompt == parent or codec.prompt_id(prompt) != codec.prompt_id(parent))
    known = {codec.prompt_id(one): one for one in (prompt, parent)}
    made = {"prompt": prompt, "parent": parent, "origin": origin, "lesson": lesson, "penalty": penalty}
    candidate = Candidate(step=2, score=score, n=n, **made)  # type: ignore[arg-type]
    assert codec.decode_candidate(through_json(codec.encode_candidate(candidate)), 2, known, {}) == candidate
    proposal = Proposal(**made)  # type: ignore[arg-type]
    assert codec.decode_proposal(through_json(codec.encode_proposal(proposal)), known) == proposal


def test_logs_from_before_lessons_and_penalties_can_still_be_read() -> None:
    old = {"prompt": "a", "score": 0.5, "n": 4, "parent": "b", "origin": "generation"}
    found = codec.decode_candidate(old, 1, {"a": Prompt(instruction="A"), "b": Prompt(instruction="B")}, {})
    assert (found.origin, found.lesson, found.penalty) == ("generation", "", 0.0)


@given(prompts, prompts)
def test_prompts_share_an_id_only_if_they_say_the_same(one: Prompt, other: Prompt) -> None:
    said = [(prompt.instruction, [(demo.input, demo.target) for demo in prompt.demos]) for prompt in (one, other)]
    assert (codec.prompt_id(one) == codec.prompt_id(other)) == (said[0] == said[1])
