"""What OpenAI-compatible servers refuse, in their own words, and how to ask them again: data, not code.

A quirk is tried only when a server answers "bad request" in words that match, and kept only when the changed request
is then accepted. So a wrong match costs one call and changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from askwell.models.conversation import without_system
from askwell.types import Message, Role

Body = Mapping[str, object]

_REFUSED = (
    r"unsupported|not supported|(does|do)(n't| not) support|unrecogni[sz]ed|unknown|unexpected|not permitted|"
    r"not allowed|extra (inputs|fields)|extra_forbidden|not available|deprecated|invalid (parameter|argument|field)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirk:
    """One thing some servers do not take."""

    name: str
    said: re.Pattern[str]
    """Searched in the provider's message, parameter and code, in lower case."""
    meaning: str
    """For the log: what is done instead, and what that costs."""
    adapt: Callable[[Body], Body]
    """Returns the changed body, or an equal one where there is nothing to change."""


def _all_of(*patterns: str) -> re.Pattern[str]:
    return re.compile("".join(f"(?=.*(?:{pattern}))" for pattern in patterns), re.DOTALL)


def _without(field: str) -> Callable[[Body], Body]:
    return lambda body: {key: value for key, value in body.items() if key != field}


def _rename_max_tokens(body: Body) -> Body:
    return {("max_completion_tokens" if key == "max_tokens" else key): value for key, value in body.items()}


def _fold_system(body: Body) -> Body:
    turns = cast("list[dict[str, str]]", body["messages"])
    messages = [Message(role=cast("Role", turn["role"]), content=turn["content"]) for turn in turns]
    return {**body, "messages": [{"role": turn.role, "content": turn.content} for turn in without_system(messages)]}


QUIRKS: tuple[Quirk, ...] = (
    Quirk(
        name="max_completion_tokens",  # OpenAI's reasoning models
        said=_all_of(r"\bmax_tokens\b", r"\bmax_completion_tokens\b", _REFUSED),
        meaning="sends max_completion_tokens instead of max_tokens (reasoning then counts against it)",
        adapt=_rename_max_tokens,
    ),
    Quirk(
        name="no_temperature",  # OpenAI's reasoning models; Anthropic's newest
        said=_all_of(r"\btemperature\b", _REFUSED),
        meaning="sends no temperature: replies are sampled as the provider likes and may differ between calls",
        adapt=_without("temperature"),
    ),
    Quirk(
        name="no_seed",  # Mistral (random_seed), Gemini's and Anthropic's compatible layers, strict gateways
        said=_all_of(r"\bseed\b", _REFUSED),
        meaning="sends no seed: sampled replies can't be repeated",
        adapt=_without("seed"),
    ),
    Quirk(
        name="no_n",  # Groq, vLLM when greedy, strict gateways
        said=_all_of(r"['\"`\s]n['\"`\s,:=\]]", rf"{_REFUSED}|at most 1|must be (exactly )?1|only 1\b|one choice"),
        meaning="asks for one sample a request: each sends the prompt again",
        adapt=_without("n"),
    ),
    Quirk(
        name="no_system_role",  # Gemma's and Mistral's chat templates, o1-mini
        said=re.compile(r"system role|role.{0,40}'?system|'system'.{0,40}role|roles must alternate|system message"),
        meaning="puts system text into the user message",
        adapt=_fold_system,
    ),
)


def adapted(body: Body, quirks: Iterable[Quirk]) -> Body:
    """Return the body as a server with these quirks wants it."""
    for quirk in quirks:
        body = quirk.adapt(body)
    return body


def quirk_behind(words: str, sent: Body) -> Quirk | None:
    """Return the quirk that explains this refusal and would change the body that was sent."""
    lowered = words.lower()
    return next((quirk for quirk in QUIRKS if quirk.said.search(lowered) and quirk.adapt(sent) != sent), None)
