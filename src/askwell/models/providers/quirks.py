"""Quirks: parameters that servers reject, the error messages that reveal it, and how to adapt the request. Data.

A quirk is tried only if a server answers "bad request" with a matching message, and kept only if the adapted request
is then accepted. So a wrong match costs one call and changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, cast

from askwell.core.types import Message, Role
from askwell.models.conversation import fold_system_turns

Body = Mapping[str, object]

_REFUSED = (
    r"unsupported|not supported|(does|do)(n't| not) support|unrecogni[sz]ed|unknown|unexpected|not permitted|"
    r"not allowed|extra (inputs|fields)|extra_forbidden|not available|not enabled|deprecated|"
    r"invalid (parameter|argument|field)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirk:
    """One parameter or form that some servers reject."""

    name: str
    pattern: re.Pattern[str]
    """Searched for in the provider's message, parameter and code, in lower case."""
    meaning: str
    """For the log: what is sent instead, and the consequence. Stored in run logs."""
    adapt: Callable[[Body], Body]
    """Body -> the adapted body; an equal one if there is nothing to change."""


def _all_of(*patterns: str) -> re.Pattern[str]:
    return re.compile("".join(f"(?=.*(?:{pattern}))" for pattern in patterns), re.DOTALL)


def _without(field: str, *, within: str = "") -> Callable[[Body], Body]:
    """Return a function that removes a field from a body, or from an object in it."""

    def remove(body: Body) -> Body:
        return {key: value for key, value in body.items() if key != field}

    def remove_within(body: Body) -> Body:
        return {**body, within: remove(cast("Body", body.get(within) or {}))}

    return remove_within if within else remove


def _with(**fields: object) -> Callable[[Body], Body]:
    """Return a function that sets fields of a body."""
    return lambda body: {**body, **fields}


def _rename_max_tokens(body: Body) -> Body:
    return {("max_completion_tokens" if key == "max_tokens" else key): value for key, value in body.items()}


def _fold_system(body: Body) -> Body:
    turns = cast("list[dict[str, str]]", body["messages"])
    messages = [Message(role=cast("Role", turn["role"]), content=turn["content"]) for turn in turns]
    return {**body, "messages": [{"role": turn.role, "content": turn.content} for turn in fold_system_turns(messages)]}


def _fold_system_instruction(body: Body) -> Body:
    """Put Gemini's system text in front of the first user turn."""
    if "systemInstruction" not in body:
        return body
    [system] = cast("dict[str, list[dict[str, str]]]", body["systemInstruction"])["parts"]
    first, *others = cast("list[dict[str, Any]]", body["contents"])
    folded = {**first, "parts": [{"text": f"{system['text']}\n\n{first['parts'][0]['text']}"}]}
    return {**_without("systemInstruction")(body), "contents": [folded, *others]}


_NO_TEMPERATURE = Quirk(
    name="no_temperature",  # OpenAI's reasoning models; Anthropic's newest ("`temperature` is deprecated")
    pattern=_all_of(r"\btemperature\b", rf"{_REFUSED}|(cannot|can't) both be (specified|set)"),
    meaning="sends no temperature: replies are sampled as the provider likes and may differ between calls",
    adapt=_without("temperature"),
)
NO_SEED = Quirk(
    name="no_seed",  # Mistral (random_seed), Gemini's and Anthropic's compatible layers, strict gateways
    pattern=_all_of(r"\bseed\b", _REFUSED),
    meaning="sends no seed: sampled replies can't be repeated",
    adapt=_without("seed"),
)
_NO_N = Quirk(
    name="no_n",  # Groq, vLLM when greedy, strict gateways
    pattern=_all_of(r"['\"`\s]n['\"`\s,:=\]]", rf"{_REFUSED}|at most 1|must be (exactly )?1|only 1\b|one choice"),
    meaning="asks for one sample a request: each sends the prompt again",
    adapt=_without("n"),
)
_NO_SYSTEM = Quirk(
    name="no_system_role",  # Gemma's and Mistral's chat templates, o1-mini
    pattern=re.compile(r"system role|role.{0,40}'?system|'system'.{0,40}role|roles must alternate|system message"),
    meaning="puts system text into the user message",
    adapt=_fold_system,
)

OPENAI_QUIRKS: tuple[Quirk, ...] = (
    Quirk(
        name="max_completion_tokens",  # OpenAI's reasoning models
        pattern=_all_of(r"\bmax_tokens\b", r"\bmax_completion_tokens\b", _REFUSED),
        meaning="sends max_completion_tokens instead of max_tokens (reasoning then counts against it)",
        adapt=_rename_max_tokens,
    ),
    _NO_TEMPERATURE,
    NO_SEED,
    _NO_N,
    _NO_SYSTEM,
    Quirk(
        name="no_thinking",  # Qwen3 at DashScope and ModelScope
        pattern=_all_of(r"enable_thinking", r"false|non-?stream|only support"),
        meaning="sends enable_thinking=false: the server thinks in streams only",
        adapt=_with(enable_thinking=False),
    ),
    Quirk(
        name="stream",  # QwQ at DashScope, some gateways
        pattern=_all_of(r"stream", r"only supports? stream|must be (set to )?(true|stream)|stream(ing)? is required"),
        meaning="requests replies as a stream: the server sends no other",
        adapt=_with(stream=True, stream_options={"include_usage": True}),
    ),
)
COMPLETIONS_QUIRKS: tuple[Quirk, ...] = (_NO_TEMPERATURE, NO_SEED, _NO_N)
ANTHROPIC_QUIRKS: tuple[Quirk, ...] = (_NO_TEMPERATURE,)
GEMINI_QUIRKS: tuple[Quirk, ...] = (
    replace(_NO_TEMPERATURE, adapt=_without("temperature", within="generationConfig")),
    replace(NO_SEED, adapt=_without("seed", within="generationConfig")),
    replace(
        _NO_N,  # Gemini 3: "Multiple candidates is not enabled for this model"
        pattern=_all_of(r"candidate", rf"{_REFUSED}|only one|must be 1|supported range"),
        adapt=_without("candidateCount", within="generationConfig"),
    ),
    replace(
        _NO_SYSTEM,  # Gemma: "Developer instruction is not enabled for models/gemma-3-27b-it"
        pattern=_all_of(r"(developer|system)[ _]?instruction", _REFUSED),
        adapt=_fold_system_instruction,
    ),
)


_TOKEN_FIELDS = ("max_tokens", "max_completion_tokens", "maxOutputTokens")
_TOKEN_NAMES = re.compile(r"max_(completion_|new_|output_)?tokens|maxoutputtokens|max output tokens")
_NUMBER = r"[`'\"]?(\d[\d,]*)"
_OF_TOKENS = r"(?: value)?(?: (?:of|for) [`'\"]?\w*tokens[`'\"]?)?"
_LIMIT = re.compile(
    rf"(?:at most|no more than|up to|less than or equal to|<=|upper (?:limit|bound) (?:of|is)|cannot exceed|"
    rf"can't exceed|must not exceed|maximum{_OF_TOKENS} (?:of|is|allowed is)|limit (?:of|is)|between 1 and) {_NUMBER}"
    rf"|\d > ?{_NUMBER}"  # Anthropic: "max_tokens: 64000 > 8192, which is the maximum allowed number"
    rf"|[\[(] ?\d+ ?, ?{_NUMBER} ?\]"  # DeepSeek, DashScope: "the valid range of max_tokens is [1, 8192]"
    r"|to (\d+) \(exclusive\)"  # Gemini
)
_LIMIT_NAME = "reply_tokens_at_most_"


@cache
def limit_quirk(limit: int) -> Quirk:
    """Return the quirk of a server that rejects a longer reply limit; equal limits give the same value."""

    def lower(body: Body) -> Body:
        lowered = {name: limit for name in _TOKEN_FIELDS if _count(body.get(name)) > limit}
        return {**body, **lowered} if lowered else body

    def lower_everywhere(body: Body) -> Body:
        settings = body.get("generationConfig")
        inner = {"generationConfig": lower(cast("Body", settings))} if isinstance(settings, dict) else {}
        return {**lower(body), **inner}

    return Quirk(
        name=f"{_LIMIT_NAME}{limit}",
        pattern=_TOKEN_NAMES,
        meaning=f"sends a reply limit of at most {limit} tokens, the server's maximum: longer replies are truncated",
        adapt=lower_everywhere,
    )


def find_limit(error_text: str) -> Quirk | None:
    """Return the quirk for an error that names the largest reply limit; None for any other error."""
    if not _TOKEN_NAMES.search(error_text) or "context length" in error_text:  # the latter depends on the prompt
        return None
    stated = _LIMIT.search(error_text)
    if stated is None:
        return None
    limit = int(next(number for number in stated.groups() if number).replace(",", ""))
    limit -= stated.group().endswith("(exclusive)")
    return limit_quirk(limit) if limit > 0 else None


def quirks_by_name(names: Iterable[str], quirks: Iterable[Quirk]) -> Iterator[Quirk]:
    """Yield the quirks with these names, of which a limit is no part of `quirks`."""
    by_name = {quirk.name: quirk for quirk in quirks}
    for name in names:
        limit = name.removeprefix(_LIMIT_NAME)
        if name in by_name:
            yield by_name[name]
        elif limit != name and limit.isdecimal():
            yield limit_quirk(int(limit))


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0


def apply_quirks(body: Body, quirks: Iterable[Quirk]) -> Body:
    """Return the body in the form that a server with these quirks accepts."""
    for quirk in quirks:
        body = quirk.adapt(body)
    return body


def find_quirk(error_text: str, sent: Body, quirks: Iterable[Quirk]) -> Quirk | None:
    """Return the quirk that explains an error message and would change the sent body; None if there is none."""
    lowered = error_text.lower()
    limit = find_limit(lowered)
    candidates = [*quirks] if limit is None else [*quirks, limit]
    return next((quirk for quirk in candidates if quirk.pattern.search(lowered) and quirk.adapt(sent) != sent), None)
