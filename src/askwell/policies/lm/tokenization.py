"""Encode queries, prompts and reward conditions as the policy's tokens, and decode generated tokens."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (transformers is typed in part only)

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from askwell.core.errors import ConfigError
from askwell.models.conversation import replace_surrogates
from askwell.policies.lm.model import UNKNOWN, WORDS
from askwell.policies.settings import ModelSettings

_LOG = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class TruncationCounts:
    """How many queries and prompts were truncated, and how many were encoded."""

    queries: int = 0
    of_queries: int = 0
    prompts: int = 0
    of_prompts: int = 0


class PolicyTokenizer:
    """A tokenizer with the policy's length limits; `truncated` counts the texts that exceeded them."""

    def __init__(self, tokenizer: Any, settings: ModelSettings) -> None:  # noqa: ANN401 - partly typed library
        self.base = tokenizer
        self.settings = settings
        self.truncated = TruncationCounts()
        self._start = tuple(token for token in self._plain("", special=True) if token != tokenizer.eos_token_id)

    @property
    def end_id(self) -> int:
        return self.base.eos_token_id

    def encode_query(self, query: str) -> tuple[int, ...]:
        """Encode a query and a line break; a query that is too long loses its middle.

        The middle, because the question is mostly at the start or at the end.
        """
        ids, most = self._plain(query + "\n"), self.settings.max_query_tokens
        self.truncated.of_queries += 1
        if len(ids) > most:
            self.truncated.queries += 1
            head = most // 2
            ids = ids[:head] + ids[head - most :]
        return self._start + ids

    def encode_prompt(self, prompt: str) -> tuple[int, ...]:
        """Encode a prompt; one that is too long loses its end."""
        ids = self._plain(prompt)
        self.truncated.of_prompts += 1
        self.truncated.prompts += len(ids) > self.settings.max_prompt_tokens
        return ids[: self.settings.max_prompt_tokens]

    def encode_condition(self, word: str = "") -> tuple[int, ...]:
        """Return the slot of an injected condition, or the tokens of a condition in words (empty `word`: unknown).

        The slot holds the end token, because its embedding is replaced.
        """
        if self.settings.conditioning == "embedding":
            return (self.end_id,)
        return self._plain(f"[{word or UNKNOWN}]\n")

    def decode(self, ids: Sequence[int]) -> str:
        return self.base.decode(list(ids), skip_special_tokens=True).strip()

    @cached_property
    def banned(self) -> tuple[int, ...]:
        """Tokens that no prompt may hold: all special tokens but the end."""
        return tuple(sorted(set(self.base.all_special_ids) - {self.end_id}))

    @cached_property
    def banned_first(self) -> tuple[int, ...]:
        """Tokens that no prompt may start with: the end and all blanks, because a prompt is never empty."""
        decode = self.base.decode
        blank = (token for token in range(len(self.base)) if not decode([token]).strip())
        return tuple(sorted({self.end_id, *blank}))

    def warn_truncated(self) -> None:
        """Log how many texts were truncated so far, if any."""
        cut = self.truncated
        if cut.queries:
            _LOG.warning(
                "%d of %d queries are longer than %d tokens and lost their middle (max_query_tokens)",
                cut.queries,
                cut.of_queries,
                self.settings.max_query_tokens,
            )
        if cut.prompts:
            _LOG.warning(
                "%d of %d prompts are longer than %d tokens and lost their end (max_prompt_tokens)",
                cut.prompts,
                cut.of_prompts,
                self.settings.max_prompt_tokens,
            )

    def _plain(self, text: str, *, special: bool = False) -> tuple[int, ...]:
        return tuple(self.base(replace_surrogates(text), add_special_tokens=special)["input_ids"])


def reward_word(value: float, edges: Sequence[float]) -> str:
    """Return the word for a reward, given the four edges between fifths."""
    if len(edges) != len(WORDS) - 1:
        raise ConfigError(
            f"{len(edges)} edges between {len(WORDS)} words; expected {len(WORDS) - 1}: save the policy again"
        )
    return WORDS[sum(value > edge for edge in edges)]
