"""Choosing among the logged prompts as a `Writer`: what can be had before any prompt is written.

    chooser = fit_chooser(cells, static="Answer.", seed=0)
    chooser.write(["How many …"])           # the logged prompt that suits the query best
    chooser.value([("How many …", "Add.")]) # predicted advantage over the static prompt, in units of the score

A text classifier learns from dozens of outcomes what a language model needs thousands for, so a trained writer must
beat it on dev queries to be deployed (`askwell.policies.multi_loop`).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from askwell.core.errors import DataError
from askwell.policies.data.outcomes import PairOutcomes
from askwell.policies.data.table import build_table
from askwell.policies.offline_eval.train_or_not import SELECTORS, cross_validate_selector, drop_sparse_prompts
from askwell.policies.protocols import Pair
from askwell.policies.selection.fallback import ALWAYS_SWITCH
from askwell.policies.selection.registry import get_fit
from askwell.policies.selection.selection import MIN_QUERIES, SelectionPolicy, load_selection

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class SelectorWriter:
    """The `Writer` over a selection policy's scorer. The guard is not its own: see `GuardedPolicy`."""

    policy: SelectionPolicy

    def write(self, queries: Sequence[str], *, samples: int = 0, seed: int = 0) -> list[list[str]]:
        """Return the best logged prompt of each query; nothing is drawn, so `samples` repeat it."""
        del seed
        best = self.policy.advantages(queries).argmax(axis=1)
        return [[self.policy.prompts[place]] * max(1, samples) for place in best.tolist()]

    def value(self, pairs: Sequence[Pair]) -> list[float]:
        """Predict each pair's advantage over the static prompt; `DataError` for a prompt that isn't a logged one."""
        column = {prompt: place for place, prompt in enumerate(self.policy.prompts)}
        unknown = next((prompt for _, prompt in pairs if prompt not in column), None)
        if unknown is not None:
            raise DataError(f"{unknown!r} is not among the {len(column)} logged prompts: a chooser can't judge it")
        row = {query: place for place, query in enumerate(dict.fromkeys(query for query, _ in pairs))}
        advantages = self.policy.advantages(list(row))
        return [float(advantages[row[query], column[prompt]]) for query, prompt in pairs]

    def save(self, folder: Path) -> None:
        self.policy.save(folder)


def load_selector(folder: Path) -> SelectorWriter:
    """Read what `SelectorWriter.save` wrote; raises `DataError` for anything else."""
    return SelectorWriter(load_selection(folder))


def fit_selector(cells: PairOutcomes, *, baseline: str, seed: int) -> SelectorWriter | None:
    """Learn to choose among the prompts that were tried widely, by the scorer that gains most in cross-validation.

    None where there is too little to learn from (`MIN_QUERIES`, two prompts with the static one among them), or
    scikit-learn is missing.
    """
    if find_spec("sklearn") is None:
        _LOG.warning("nothing chooses among the logged prompts: that needs pip install 'askwell[select]'")
        return None
    table = drop_sparse_prompts(build_table(cells))
    if len(table.queries) < MIN_QUERIES or len(table.prompts) < 2 or baseline not in table.prompts:
        return None
    name = max(SELECTORS, key=lambda one: cross_validate_selector(table, seed=seed, scorer=one).low)
    place = table.prompts.index(baseline)
    scorer = get_fit(name)(table, baseline=place, seed=seed)
    return SelectorWriter(
        SelectionPolicy(prompts=table.prompts, baseline=place, scorer=scorer, fallback=ALWAYS_SWITCH, name=name)
    )
