"""The step size: how many words a step may change, and how many steps a run has.

Formulas of the paper's section 3.2 (arXiv 2402.17564). With c = step + 1, T = total steps,
s0/sf = first/final budget, W = warm-up steps:

    fixed   s0
    linear  int(s0 − (s0−sf)·c/T)
    cosine  int(sf + (s0−sf)·½·(1+cos(π·c/T)))
    warm-up int(s0·c/W) while c < W, afterwards the decay with c−W for c and T−W for T

A step beyond the last counts as the last, so that no budget falls below the final one.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from askwell.core.errors import ConfigError, nearest
from askwell.core.types import Example

Decay = Callable[[int, int, int, int], float]
"""(c, T, first, final) -> words, before truncation; c in 0..T, T at least 1."""


def _fixed(_c: int, _total: int, first: int, _final: int) -> float:
    return first


def _linear(c: int, total: int, first: int, final: int) -> float:
    return first - (first - final) * c / total


def _cosine(c: int, total: int, first: int, final: int) -> float:
    return final + (first - final) * 0.5 * (1 + math.cos(math.pi * c / total))


SCHEDULES: Mapping[str, Decay] = MappingProxyType({"fixed": _fixed, "linear": _linear, "cosine": _cosine})
"""Add a schedule here. "none" is not a schedule: it states no budget at all."""


def compute_budget(kind: str, step: int, total: int, first: int = 50, final: int = 10, warmup: int = 0) -> int:
    """Return how many words may change at 0-based `step` of `total`; `ConfigError` for a wrong argument."""
    if kind not in SCHEDULES:
        raise ConfigError(f"unknown budget schedule {kind!r}; {nearest(kind, SCHEDULES)}")
    if step < 0 or total < 1 or first < 0 or final < 0 or warmup < 0:
        raise ConfigError(
            f"a budget needs step, first, final and warmup of at least 0 and total of at least 1; "
            f"got {step=}, {total=}, {first=}, {final=}, {warmup=}"
        )
    c = min(step + 1, total)
    if c < warmup:
        return int(first * c / warmup)
    if warmup >= total:  # the run ends with the warm-up: no step is left for the decay
        return first
    return int(SCHEDULES[kind](c - warmup, total - warmup, first, final))


def count_warmup_steps(share: float, total: int) -> int:
    """Return the steps in the first `share` (0..1) of a run, rounded up; the paper warms up over the first 0.05."""
    return math.ceil(share * total - 1e-9)  # 1e-9: a whole number must not be rounded up by floating point


def count_steps_per_epoch(n_train: int, batch: int) -> int:
    """Return the steps of one epoch: ⌊n/B⌋, and one more for a last batch that is at least half full.

    At least 1, so that a train split below half a batch still has an epoch.
    """
    if n_train < 0 or batch < 1:
        raise ConfigError(f"expected n_train of at least 0 and batch of at least 1; got {n_train=}, {batch=}")
    return max(1, n_train // batch + (2 * (n_train % batch) >= batch))


def select_train_batch(train: Sequence[Example], step: int, size: int, seed: int) -> tuple[Example, ...]:
    """Return the batch of 0-based `step`: each epoch has its own order, by `seed`, and batches do not overlap."""
    epoch, index = divmod(step, count_steps_per_epoch(len(train), size))
    shuffled = random.Random(f"{seed}:epoch:{epoch}").sample(train, len(train))
    return tuple(shuffled[index * size : (index + 1) * size])
