"""The shape of each kind of event body, with strict types: `reading` checks a log against it.

Unknown keys are allowed: a newer askwell may write more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,  # pydantic asks for these before Python 3.12
)

from pydantic import ConfigDict, Field, InstanceOf, Strict, TypeAdapter
from typing_extensions import TypedDict

from askwell.core.stats import IntervalMethod
from askwell.core.types import Fault, ModelRole, Outcome, Role, Split
from askwell.runlog.codec import FORMAT

Text = InstanceOf[str]
"""Any text; pydantic's own check of a `str` refuses half a surrogate pair, which a log may hold."""
Flag = Annotated[bool, Strict()]
Count = Annotated[int, Strict(), Field(ge=0, le=1 << 53)]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Share = Annotated[float, Strict(), Field(ge=0.0, le=1.0)]
_Tree = dict[Text, object]


class _Settings(TypedDict):
    unnamed: NotRequired[dict[Text, Text]]


class _PolicySettings(TypedDict):
    sources: NotRequired[list[Text]]


class _DemoSettings(TypedDict):
    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]  pydantic's own way
    choice: NotRequired[Text]
    count: NotRequired[Count]
    order: NotRequired[Text]
    seed: NotRequired[Annotated[int, Strict()]]


class _RunConfig(TypedDict):
    kind: NotRequired[Text]
    name: NotRequired[Text]
    task: NotRequired[_Tree]
    target: NotRequired[_Tree | Text]
    policy: NotRequired[_PolicySettings]
    demos: NotRequired[_DemoSettings | None]


class _Run(TypedDict):
    format: NotRequired[Annotated[int, Strict(), Field(ge=FORMAT, le=FORMAT)]]
    config: _RunConfig
    settings: NotRequired[_Settings | None]


class _Demo(TypedDict):
    id: Text
    input: Text
    target: Text | Annotated[list[Text], Field(min_length=1)]
    meta: NotRequired[dict[Text, Text]]


class _Example(_Demo):
    split: Split


class PromptText(TypedDict):
    """A prompt without its id."""

    instruction: Text
    demos: NotRequired[list[_Demo]]


class _Prompt(PromptText):
    id: Text


class _Completion(TypedDict):
    text: Text
    tokens: tuple[Count, Count]
    cost_usd: NotRequired[Number | None]
    reasoning_tokens: NotRequired[Count]
    outcome: NotRequired[Outcome]
    error: NotRequired[Text]
    fault: NotRequired[Fault]


class _Rollout(TypedDict):
    step: Count
    split: Split
    prompt: Text
    example: Text
    completion: _Completion
    score: tuple[Share, Text, Text] | None
    sample_index: NotRequired[Count]
    cached: NotRequired[Flag]


class _Request(TypedDict):
    messages: list[tuple[Role, Text]]
    temperature: Number
    max_tokens: Count
    seed: Annotated[int, Strict()] | None
    sample_index: Count


class _Call(TypedDict):
    role: ModelRole
    model: Text
    request: _Request
    completion: _Completion
    cached: NotRequired[Flag]


class _Proposal(TypedDict):
    prompt: Text
    origin: NotRequired[Text]
    parent: NotRequired[Text | None]
    lesson: NotRequired[Text]
    penalty: NotRequired[Number]


class _Proposals(TypedDict):
    step: Count
    proposals: list[_Proposal]


class _Candidate(_Proposal):
    score: Share
    n: Count
    reused: NotRequired[Flag]
    partial: NotRequired[Flag]


class _Race(TypedDict):
    calls: Count
    full: Count


class _Step(TypedDict):
    step: Count
    candidates: list[_Candidate]
    race: NotRequired[_Race | None]


class _Interval(TypedDict):
    estimate: Number
    low: Number
    high: Number
    n: Count
    level: Number
    method: IntervalMethod


class Guard(TypedDict):
    """A fallback threshold, in logs and in the file of a policy."""

    margin: Number | Literal["never", "always"]
    gain: Number
    error: Number
    switched: Share
    queries: Count


class _Pairs(TypedDict):
    loop: Count
    purpose: Literal["collect", "dev", "test"]
    pairs: list[tuple[Text, Text]]
    advantages: NotRequired[list[Number]]


class _Loop(TypedDict):
    loop: Count
    collected: Count
    trained_on: Count
    static: _Interval
    written: _Interval
    guarded: _Interval
    guard: Guard
    target_calls: Count
    reward: NotRequired[Text]


class _Batch(TypedDict):
    tag: NotRequired[Text]
    id: NotRequired[Text]
    keys: NotRequired[list[Text]]
    probe: NotRequired[Text]


class _Note(TypedDict):
    batch: NotRequired[_Batch]
    verdict: NotRequired[Text]


class _Quirk(TypedDict):
    model: Text
    quirk: Text
    meaning: Text


class _Result(TypedDict):
    reason: Text


class _OptimizationResult(_Result):
    initial: Text
    best: Text


class _Tested(TypedDict):
    static: _Interval
    policy: _Interval
    gain: _Interval
    switched: Share


class _TrainingResult(_Result):
    keeps_static: Flag
    best_loop: Count
    tested: _Tested | None


class _RenderSettings(TypedDict):
    placement: Text
    labels: Flag


class _TargetSettings(TypedDict):
    model: Text
    temperature: Number
    max_tokens: Count
    seed: Annotated[int, Strict()] | None
    repeats: Count


class _RequestSettings(TypedDict):
    task: _RenderSettings
    target: _TargetSettings


class _TrainingSources(TypedDict):
    sources: list[Text]


class _TrainingSettings(TypedDict):
    policy: _TrainingSources


class _Headroom(TypedDict):
    verdict: Text
    worth_it: Flag
    static: PromptText


BODIES: Mapping[str, TypeAdapter[Any]] = {
    "run": TypeAdapter(_Run),
    "example": TypeAdapter(_Example),
    "prompt": TypeAdapter(_Prompt),
    "call": TypeAdapter(_Call),
    "proposals": TypeAdapter(_Proposals),
    "rollout": TypeAdapter(_Rollout),
    "step": TypeAdapter(_Step),
    "pairs": TypeAdapter(_Pairs),
    "loop": TypeAdapter(_Loop),
    "note": TypeAdapter(_Note),
    "quirk": TypeAdapter(_Quirk),
    "result": TypeAdapter(_Result),
}
"""Kind of an event -> shape of its body."""
OPTIMIZATION_RESULT = TypeAdapter(_OptimizationResult)
TRAINING_RESULT = TypeAdapter(_TrainingResult)
HEADROOM = TypeAdapter(_Headroom)
"""The first note of a training."""
REQUEST_SETTINGS = TypeAdapter(_RequestSettings)
"""What the settings of a run say about its requests."""
TRAINING_SETTINGS = TypeAdapter(_TrainingSettings)
"""What the settings of a training say about its sources."""
