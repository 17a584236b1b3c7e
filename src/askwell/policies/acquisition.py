"""Which (query, prompt) pairs to label next: what the policy would try, on queries it has not been shown.

`uniform` (the paper) takes queries at random and the policy's own samples. `uncertainty` draws more than it may label
and keeps, query by query, the pairs whose outcome is least certain by the value head: a pair that surely works or
surely fails teaches nothing.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence

from askwell.core.types import Example, Prompt
from askwell.policies.protocols import Pair, Writer
from askwell.policies.settings import Acquisition

DRAWN_PER_KEPT = 4
"""`uncertainty` draws this many times the samples it may keep."""


def select_pairs(
    writer: Writer,
    examples: Sequence[Example],
    *,
    pairs: int,
    prompts: int,
    acquisition: Acquisition,
    known: Collection[Pair],
    seed: int,
) -> list[tuple[Example, str]]:
    """Return pairs that were not labelled yet, at most `pairs`, queries in random order."""
    order = random.Random(seed).sample(list(examples), k=len(examples))
    if acquisition == "uniform":
        order = order[: -(-pairs // prompts) * 2]  # some samples are known already, or twice
    wide = DRAWN_PER_KEPT if acquisition == "uncertainty" else 2
    drawn = writer.write([one.input for one in order], samples=wide * prompts, seed=seed)
    options = [
        [text for text in dict.fromkeys(texts) if (example.input, text) not in known]
        for example, texts in zip(order, drawn, strict=True)
    ]
    if acquisition == "uncertainty":
        return _least_certain(writer, order, options, most=pairs, per_query=prompts)
    chosen = [(one, text) for one, texts in zip(order, options, strict=True) for text in texts[:prompts]]
    return chosen[:pairs]


def within(
    written: Sequence[tuple[str, Prompt]], *, baseline: Prompt | None, tried: Collection[str], room: float
) -> tuple[tuple[str, Prompt], ...]:
    """Return as many (example id, prompt) pairs as there is room for, each new query's static prompt counted in.

    Static pairs come last; None asks for none, and examples in `tried` have theirs already.
    """
    kept: list[tuple[str, Prompt]] = []
    beside: dict[tuple[str, Prompt], None] = {}
    for example_id, prompt in written:
        more = [] if baseline is None or example_id in tried else [(example_id, baseline)]
        wanted = {*beside, *more}
        if len(kept) + 1 + len(wanted) > room:
            break
        kept.append((example_id, prompt))
        beside |= dict.fromkeys(more)
    return (*kept, *beside)


def _least_certain(
    writer: Writer, examples: Sequence[Example], options: Sequence[Sequence[str]], *, most: int, per_query: int
) -> list[tuple[Example, str]]:
    """Rank pairs by how near their value is to the middle of all values: for 0/1 outcomes, by their variance."""
    pairs = [(one, text) for one, texts in zip(examples, options, strict=True) for text in texts]
    if not pairs:
        return []
    values = writer.value([(one.input, text) for one, text in pairs])
    middle = (min(values) + max(values)) / 2
    kept: list[tuple[Example, str]] = []
    taken: dict[str, int] = {}
    for place in sorted(range(len(pairs)), key=lambda place: (abs(values[place] - middle), place)):
        one, _ = pairs[place]
        if taken.get(one.id, 0) < per_query and len(kept) < most:
            taken[one.id] = taken.get(one.id, 0) + 1
            kept.append(pairs[place])
    return kept
