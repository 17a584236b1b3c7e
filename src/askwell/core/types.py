"""Every value that flows through askwell: plain, frozen, and free of behaviour.

Read this file first, then `engine/loop.py`. Data moves one way: examples and a prompt make requests, a model turns
requests into completions, a metric turns completions into scores, and all of it is written down as rollouts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Split = Literal["train", "dev", "test"]
Role = Literal["system", "user", "assistant"]
ModelRole = Literal["target", "optimizer"]

Outcome = Literal["ok", "truncated", "refused", "unparsed", "failed"]
"""What became of a request. All but `failed` say what the *model* did; `failed` says the call itself went wrong
(network, rate limit, server error, authentication) and is never a score."""

Fault = Literal["", "auth", "bad_request", "rate_limit", "server", "timeout", "connection", "malformed", "budget"]
"""Why a call failed. `auth` and `bad_request` are final; `budget` is a call not made because a cap was reached; the
others are worth another try."""

FINAL_FAULTS: frozenset[Fault] = frozenset({"auth", "bad_request"})

EventKind = Literal[
    "run", "example", "prompt", "call", "proposals", "rollout", "step", "pairs", "loop", "note", "quirk", "result"
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One labelled question. `target` is a tuple where several answers (or references) are right."""

    id: str
    input: str
    target: str | tuple[str, ...]
    meta: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One chat turn."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a chat model is asked: the whole of it, so that equal requests may share one answer."""

    messages: tuple[Message, ...]
    temperature: float = 0.0
    max_tokens: int = 512
    """Longest reply, in tokens of the model."""
    seed: int | None = None
    sample_index: int = 0
    """Number of the repeat, from 0; part of the cache key, so that repeats are never copies of one answer."""
    samples: int = 1
    """Replies wanted of this one call. Above 1 only between `models.coalesce` and a provider: the log and its keys
    know single draws."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one call used. `cost_usd` is None where no price is known, which is not the same as free."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What a server says it will still take: requests (or tokens, in requests of the average size)."""

    remaining: float
    reset_s: float | None = None
    """Seconds until it takes more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A model's answer, or why there is none."""

    text: str = ""
    outcome: Outcome = "ok"
    usage: Usage = Usage()
    error: str = ""
    """The provider's own words where `outcome` is `failed` or `refused`; never holds a key."""
    fault: Fault = ""
    retry_after_s: float | None = field(default=None, compare=False)
    """How long the server asked us to wait; used by the retry layer, never stored."""
    retry_immediately: bool = field(default=False, compare=False)
    """Whether `models.limit` waits out what refused this call, so that it may be asked again at once."""
    quota: Quota | None = field(default=None, compare=False)
    """What the server says it will still take; used to stay within its limits, never stored."""
    seconds: float = field(default=0.0, compare=False)
    """Wall time of the call; stored beside the event, not in it, so that equal runs have equal events."""
    other_samples: tuple[Completion, ...] = field(default=(), compare=False)
    """The further replies to a request for several `samples`, failed ones last; never stored. There may be fewer than
    were asked for, and usage is divided among all: the prompt's tokens stand in the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A judged completion: `value` in 0..1 (higher is better), what was read as the answer, and why."""

    value: float
    answer: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What an optimizer changes: an instruction and, if any, demonstrations."""

    instruction: str
    demos: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A prompt that an optimizer would like to see scored, and where it came from."""

    prompt: Prompt
    parent: Prompt | None = None
    origin: str = ""
    """One word for how it was made ("generation", "editing", …); for reports only."""
    lesson: str = ""
    """Feedback that it was made from, to be judged by whether it beats its parent."""
    penalty: float = 0.0
    """Taken off its score (0..1) wherever prompts are compared, never where a score is reported."""
    rejected: str = ""
    """Why it must not be scored, in words; a rejected proposal is written to the log and costs no call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """The atom of askwell: this prompt, this query, this completion, this score.

    `score` is None exactly when the call failed: a missing cell, to be retried, never a zero.
    """

    step: int
    split: Split
    prompt: Prompt
    example_id: str
    query: str
    completion: Completion
    score: Score | None
    sample_index: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A prompt with its mean score on the dev split. `n` is the number of examples behind the mean."""

    step: int
    prompt: Prompt
    score: float
    n: int
    parent: Prompt | None = None
    origin: str = ""
    """See `Proposal`, as the two below."""
    lesson: str = ""
    penalty: float = 0.0
    example_scores: Mapping[str, float] = field(default_factory=dict[str, float], hash=False, compare=False)
    """Example id -> score, for paired comparisons and per-example deltas."""
    partial: bool = False
    """Stopped early in a race: the mean is over the part of the dev split where the race left off, so it must not be
    set against a full one (see `Trajectory.expected_score`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experience:
    """What a query-level policy learns from: this prompt for this query brought this reward."""

    query: str
    prompt: str
    reward: float
    advantage: float | None = None
    """Reward minus what the best single prompt gets on this query, where that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the run log.

    `position` is the event's place in the run, fixed *before* the work behind it is done: so a log that was written
    out of order (hundreds of calls in flight), killed and resumed reads the same as one that was not.
    """

    position: int
    kind: EventKind
    body: Mapping[str, object] = field(hash=False)
    """JSON-able, and the same for two runs of the same seed."""
    key: str = ""
    """Digest of (model, request) for events that carry a completion: the request cache is this column."""
    at: float = field(default=0.0, compare=False)
    """Unix time of the write, seconds; 0 lets the store fill it in."""
    seconds: float = field(default=0.0, compare=False)
    """Wall time of the call behind the event."""
