"""The values that askwell passes around: frozen dataclasses without behaviour.

Read this file first, then `engine/loop.py`. The data flows in one direction:

    Example + Prompt -> Request -> Completion -> Score -> Rollout -> Event (a line of the run log)

Scores are in 0..1 and higher is better, everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Split = Literal["train", "dev", "test"]
"""Optimizers read `train` and the scores on `dev`. `test` is scored once, at the end."""

Role = Literal["system", "user", "assistant"]

ModelRole = Literal["target", "optimizer"]
"""`target` is the model whose prompt is optimized. `optimizer` is the model that writes new prompts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One labelled input of a task."""

    id: str
    """Unique within a run."""
    input: str
    """The question, as the model sees it."""
    target: str | tuple[str, ...]
    """The right answer; a tuple if several answers (or references) are accepted."""
    meta: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    """The unused fields of the source record, as text; not part of any request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What an optimizer changes: the instruction and the demonstrations."""

    instruction: str
    demos: tuple[Example, ...] = ()
    """Solved examples that are shown before the question (few-shot)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One chat message."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Everything a chat model receives for one call. Equal requests to one model share a cached completion."""

    messages: tuple[Message, ...]
    temperature: float = 0.0
    max_tokens: int = 512
    """Longest reply, in tokens of the model."""
    seed: int | None = None
    """Sampling seed for servers that accept one; None sends none."""
    sample_index: int = 0
    """Number of the repeat, from 0. It is part of the cache key, so that repeats are separate samples."""
    samples: int = 1
    """Replies that one call returns. Above 1 only below `models.wrappers.sample_batching`; the log has one per call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens and money that one call used."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = None
    """None if no price is known, which differs from 0.0 (free)."""
    reasoning_tokens: int = 0
    """Tokens of hidden reasoning, as reported by the server; most servers count them among the completion tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What a server's rate limit still allows, as reported in its response headers."""

    remaining: float
    """Requests; a token quota is converted to requests of average size."""
    reset_s: float | None = None
    """Seconds until the quota is refilled; None if the server does not say."""


Outcome = Literal["ok", "truncated", "refused", "unparsed", "failed"]
"""How a call ended. `failed` is an error of the call (network, rate limit, server, authentication) and never a score.
The other values describe the model's reply."""

Fault = Literal["", "auth", "bad_request", "rate_limit", "server", "timeout", "connection", "malformed", "budget"]
"""Why a call failed; "" unless the outcome is `failed`. `budget`: a cap was reached, so no call was made."""

FINAL_FAULTS: frozenset[Fault] = frozenset({"auth", "bad_request"})
"""Faults that no retry can repair."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A model's reply, or the reason why there is none.

    Fields with `compare=False` describe this one call. They are not part of the event in the log, so that two runs
    with the same seed have equal events.
    """

    text: str = ""
    outcome: Outcome = "ok"
    usage: Usage = Usage()
    error: str = ""
    """The provider's message if the outcome is `failed` or `refused`. Never contains an API key."""
    fault: Fault = ""
    retry_after_s: float | None = field(default=None, compare=False)
    """Seconds that the server asked to wait before the next attempt."""
    retry_immediately: bool = field(default=False, compare=False)
    """True if `models.wrappers.limited` waits for the rate limit, so that a retry adds no wait of its own."""
    quota: Quota | None = field(default=None, compare=False)
    """The server's rate limit after this call, if it reported one."""
    seconds: float = field(default=0.0, compare=False)
    """Wall time of the call."""
    other_samples: tuple[Completion, ...] = field(default=(), compare=False)
    """Further replies if `Request.samples` is above 1, failed ones last; possibly fewer than requested. The first
    completion carries the prompt tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A metric's verdict on one completion."""

    value: float
    """In 0..1; higher is better."""
    answer: str = ""
    """The answer that the metric read from the reply."""
    note: str = ""
    """Why this value, or the feedback of a custom metric."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One evaluation: this prompt, on this example, gave this completion and this score."""

    step: int
    split: Split
    prompt: Prompt
    example_id: str
    query: str
    """`Example.input`."""
    completion: Completion
    score: Score | None
    """None if and only if the call failed: a missing value to be retried, not a zero."""
    sample_index: int = 0
    """Number of the repeat, from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A prompt that an optimizer wants scored, and how it was made."""

    prompt: Prompt
    parent: Prompt | None = None
    """The prompt it was derived from, if any."""
    origin: str = ""
    """One word for how it was made ("generation", "editing", …); used in reports only."""
    lesson: str = ""
    """The feedback it was made from. The feedback is verified if the prompt scores higher than its parent."""
    penalty: float = 0.0
    """Subtracted from the score (0..1) when prompts are compared; reported scores do not include it."""
    rejected: str = ""
    """Why the prompt must not be scored; empty if it may be. A rejected proposal is logged and costs no call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A proposal with its mean score on the dev split."""

    step: int
    prompt: Prompt
    score: float
    """Mean over the scored dev examples."""
    n: int
    """Number of examples behind the mean."""
    parent: Prompt | None = None
    """This field, `origin`, `lesson` and `penalty` are those of the proposal."""
    origin: str = ""
    lesson: str = ""
    penalty: float = 0.0
    example_scores: Mapping[str, float] = field(default_factory=dict[str, float], hash=False, compare=False)
    """Example id -> score, for paired comparisons."""
    partial: bool = False
    """True if a race eliminated it early: the mean covers a part of the dev split and does not compare with a full
    one (see `Trajectory.expected_score`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experience:
    """One training record of a query-level policy: this prompt earned this reward on this query."""

    query: str
    prompt: str
    reward: float
    advantage: float | None = None
    """Reward minus the reward of the baseline prompt on this query; None if that is not known."""


EventKind = Literal[
    "run",  # the header: configuration and identity of the run
    "example",  # an example's text, once per run
    "prompt",  # a prompt's text, once per run
    "call",  # a call that is not a rollout, such as one to the optimizer model
    "proposals",  # what an optimizer proposed in one step
    "rollout",  # a call to the target model with its score
    "step",  # the candidates of one step
    "pairs",  # the prompt chosen for each query in one loop of a training
    "loop",  # the result of one loop of a training
    "note",  # bookkeeping, such as submitted batches
    "quirk",  # a request parameter that a server refused
    "result",  # the final result
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the run log."""

    position: int
    """Index in the run, reserved before the work starts. Hundreds of calls finish in any order, and a run can be killed
    and resumed: sorted by position, the log reads the same."""
    kind: EventKind
    body: Mapping[str, object] = field(hash=False)
    """JSON-serializable, and equal for two runs with the same seed."""
    key: str = ""
    """Cache key: a digest of (model, request), for events that contain a completion."""
    at: float = field(default=0.0, compare=False)
    """Unix time of the write, in seconds; the store fills in 0."""
    seconds: float = field(default=0.0, compare=False)
    """Wall time of the call."""
