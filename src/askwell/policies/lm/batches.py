"""Tokenized pairs, and the batches of an epoch: chunks of one query each, the same in every process."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from askwell.core.types import Experience
from askwell.policies.lm.reward_signals import SignalScale, pair_with_signal
from askwell.policies.lm.tokenization import PolicyTokenizer
from askwell.policies.settings import Signal, TrainSettings

_EXTRA_TOKENS = 2
"""Tokens of a pair beside query and prompt: the condition and the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizedPair:
    """One logged (query, prompt) pair, tokenized."""

    query: tuple[int, ...]
    prompt: tuple[int, ...]
    signal: float
    """Standardised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPair:
    """A pair as it is used in one epoch."""

    pair: TokenizedPair
    hides_condition: bool
    """Whether the condition is replaced by the learnt "unknown"; then the pair counts in the value loss."""
    weight: float
    """Weight of its tokens in the wording loss."""


def tokenize_pairs(
    data: Sequence[Experience], signal: Signal, scale: SignalScale, tokenizer: PolicyTokenizer
) -> list[TokenizedPair]:
    """Tokenize experiences; each distinct query and prompt is encoded once."""
    queries = {query: tokenizer.encode_query(query) for query in dict.fromkeys(row.query for row in data)}
    prompts = {prompt: tokenizer.encode_prompt(prompt) for prompt in dict.fromkeys(row.prompt for row in data)}
    return [
        TokenizedPair(query=queries[row.query], prompt=prompts[row.prompt], signal=scale.to_standard(value))
        for row, value in (pair_with_signal(data, signal) if data else [])
    ]


def make_batches(
    groups: Sequence[Sequence[TokenizedPair]],
    weigh: Callable[[TokenizedPair, bool], TrainingPair],
    settings: TrainSettings,
    *,
    seed: int,
    epoch: int,
) -> Iterator[list[list[TrainingPair]]]:
    """Yield the global batches of an epoch: chunks of one query each, about `batch_pairs` pairs in all.

    `weigh(pair, hides_condition)` makes a training pair. The order depends on `seed` and `epoch` alone, because every
    process makes all batches and takes its share of each.
    """
    rng = random.Random(f"{seed}/{epoch}")
    chunks: list[list[TrainingPair]] = []
    for group in groups:
        pairs = [weigh(pair, rng.random() < settings.condition_dropout) for pair in group]
        rng.shuffle(pairs)
        most = settings.most_shared
        chunks += [pairs[begin : begin + most] for begin in range(0, len(pairs), most)]
    rng.shuffle(chunks)
    yield from fill_batches(chunks, settings.batch_pairs)


def group_by_query(pairs: Sequence[TokenizedPair]) -> list[list[TokenizedPair]]:
    """Group pairs by query, in order of first appearance."""
    groups: dict[tuple[int, ...], list[TokenizedPair]] = {}
    for pair in pairs:
        groups.setdefault(pair.query, []).append(pair)
    return list(groups.values())


def fill_batches(chunks: Sequence[list[TrainingPair]], pairs: int) -> Iterator[list[list[TrainingPair]]]:
    """Yield batches of chunks; a batch ends with the chunk that brings it to `pairs` pairs or more."""
    batch: list[list[TrainingPair]] = []
    for chunk in chunks:
        batch.append(chunk)
        if sum(map(len, batch)) >= pairs:
            yield batch
            batch = []
    if batch:
        yield batch


def split_passes(chunks: Sequence[list[TrainingPair]], settings: TrainSettings) -> list[list[list[TrainingPair]]]:
    """Split a batch into passes of at most `batch_tokens` tokens each; a longer pair is a pass of its own."""
    passes: list[list[list[TrainingPair]]] = []
    left = 0
    for chunk in merge_by_query(chunks) if settings.packed else chunks:
        query = len(chunk[0].pair.query) if chunk else 0
        opened = False  # whether the present pass has this chunk's query
        for pair in chunk:
            own = len(pair.pair.prompt) + _EXTRA_TOKENS
            needed = own + (0 if opened and settings.packed else query)
            if not passes or needed > left:
                passes.append([])
                left, opened, needed = settings.batch_tokens, False, own + query
            if not opened:
                passes[-1].append([])
                opened = True
            passes[-1][-1].append(pair)
            left -= needed
    return passes


def merge_by_query(chunks: Sequence[Sequence[TrainingPair]]) -> list[list[TrainingPair]]:
    """Merge chunks of the same query, so that a batch encodes each query once however its pairs were drawn."""
    groups: dict[tuple[int, ...], list[TrainingPair]] = {}
    for chunk in chunks:
        groups.setdefault(chunk[0].pair.query, []).extend(chunk)
    return list(groups.values())
