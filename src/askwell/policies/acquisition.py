"""Choose the (query, prompt) pairs to label next: prompts that the policy generates, on queries it was not trained on.

`uniform` (the paper) takes random queries and the policy's samples. `uncertainty` samples more prompts than it may
label, and keeps the pairs whose outcome is least certain by the value head: a pair that surely works or surely fails
adds no information.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence

from askwell.core.types import Example, Prompt
from askwell.policies.protocols import Pair, PromptWriter
from askwell.policies.settings import Acquisition

DRAWN_PER_KEPT = 4
"""`uncertainty` samples this many times the prompts it may keep."""


def select_pairs(
    writer: PromptWriter,
    examples: Sequence[Example],
    *,
    pairs: int,
    prompts: int,
    acquisition: Acquisition,
    labelled: Collection[Pair],
    seed: int,
) -> list[tuple[Example, str]]:
    """Return at most `pairs` pairs that are not in `labelled`, queries in random order, at most `prompts` per query."""
    order = random.Random(seed).sample(list(examples), k=len(examples))
    if acquisition == "uniform":
        order = order[: -(-pairs // prompts) * 2]  # twice as many queries: some samples are labelled or equal
    factor = DRAWN_PER_KEPT if acquisition == "uncertainty" else 2
    sampled = writer.write([example.input for example in order], samples=factor * prompts, seed=seed)
    options = [
        [text for text in dict.fromkeys(texts) if (example.input, text) not in labelled]
        for example, texts in zip(order, sampled, strict=True)
    ]
    if acquisition == "uncertainty":
        return _least_certain(writer, order, options, most=pairs, per_query=prompts)
    chosen = [(example, text) for example, texts in zip(order, options, strict=True) for text in texts[:prompts]]
    return chosen[:pairs]


def limit_pairs(
    pairs: Sequence[tuple[str, Prompt]], *, baseline: Prompt | None, tried: Collection[str], most: float
) -> tuple[tuple[str, Prompt], ...]:
    """Return the first (example id, prompt) pairs, at most `most` with the baseline prompt on each of their examples.

    Pairs of the baseline prompt are last. There are none if `baseline` is None, and none for examples in `tried`.
    """
    kept: list[tuple[str, Prompt]] = []
    of_baseline: dict[tuple[str, Prompt], None] = {}
    for example_id, prompt in pairs:
        added = [] if baseline is None or example_id in tried else [(example_id, baseline)]
        if len(kept) + 1 + len({*of_baseline, *added}) > most:
            break
        kept.append((example_id, prompt))
        of_baseline |= dict.fromkeys(added)
    return (*kept, *of_baseline)


def _least_certain(
    writer: PromptWriter, examples: Sequence[Example], options: Sequence[Sequence[str]], *, most: int, per_query: int
) -> list[tuple[Example, str]]:
    """Return the pairs whose values are nearest to the middle of all values: for 0/1 outcomes, of largest variance."""
    pairs = [(example, text) for example, texts in zip(examples, options, strict=True) for text in texts]
    if not pairs:
        return []
    values = writer.value([(example.input, text) for example, text in pairs])
    middle = (min(values) + max(values)) / 2  # not 0.5: the value head's unit need not be the score's
    kept: list[tuple[Example, str]] = []
    counts: dict[str, int] = {}
    for index in sorted(range(len(pairs)), key=lambda index: (abs(values[index] - middle), index)):
        example, _ = pairs[index]
        if counts.get(example.id, 0) < per_query and len(kept) < most:
            counts[example.id] = counts.get(example.id, 0) + 1
            kept.append(pairs[index])
    return kept
