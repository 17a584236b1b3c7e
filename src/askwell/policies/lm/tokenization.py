"""Texts to the policy's tokens and back: queries, prompts, and reward conditions said in words."""

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
class Truncation:
    """How many texts were longer than the model takes, of how many."""

    queries: int = 0
    of_queries: int = 0
    prompts: int = 0
    of_prompts: int = 0


class Texts:
    """A tokenizer with the policy's limits; counts what it had to cut in `cut`."""

    def __init__(self, tokenizer: Any, settings: ModelSettings) -> None:  # noqa: ANN401 - partly typed library
        self.tokenizer = tokenizer
        self.settings = settings
        self.cut = Truncation()
        self._opening = tuple(token for token in self._plain("", special=True) if token != tokenizer.eos_token_id)

    @property
    def end_id(self) -> int:
        return self.tokenizer.eos_token_id

    def query(self, query: str) -> tuple[int, ...]:
        """Tokens of a query and a line break. Of a query that is too long the middle is left out."""
        ids, most = self._plain(query + "\n"), self.settings.max_query_tokens
        self.cut.of_queries += 1
        if len(ids) > most:
            self.cut.queries += 1
            head = most // 2
            ids = ids[:head] + ids[head - most :]
        return self._opening + ids

    def prompt(self, prompt: str) -> tuple[int, ...]:
        """Tokens of a prompt, its end left off where it is too long."""
        ids = self._plain(prompt)
        self.cut.of_prompts += 1
        self.cut.prompts += len(ids) > self.settings.max_prompt_tokens
        return ids[: self.settings.max_prompt_tokens]

    def lead(self, word: str = "") -> tuple[int, ...]:
        """A slot for an injected condition, or the tokens that say it (`word` empty: unknown)."""
        if self.settings.conditioning == "embedding":
            return (self.end_id,)
        return self._plain(f"[{word or UNKNOWN}]\n")

    def text(self, ids: Sequence[int]) -> str:
        return self.tokenizer.decode(list(ids), skip_special_tokens=True).strip()

    @cached_property
    def never(self) -> tuple[int, ...]:
        """Special tokens but the end: no prompt holds them."""
        return tuple(sorted(set(self.tokenizer.all_special_ids) - {self.end_id}))

    @cached_property
    def never_first(self) -> tuple[int, ...]:
        """The end and all blanks: a prompt starts with something to read."""
        decode = self.tokenizer.decode
        blank = (token for token in range(len(self.tokenizer)) if not decode([token]).strip())
        return tuple(sorted({self.end_id, *blank}))

    def tell_cuts(self) -> None:
        """Warn where anything was cut, once a call."""
        cut = self.cut
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
        return tuple(self.tokenizer(replace_surrogates(text), add_special_tokens=special)["input_ids"])


def word_of(value: float, edges: Sequence[float]) -> str:
    """The word for a reward, given the four edges between fifths."""
    if len(edges) != len(WORDS) - 1:
        raise ConfigError(f"{len(edges)} edges between {len(WORDS)} words; expected {len(WORDS) - 1}")
    return WORDS[sum(value > edge for edge in edges)]
