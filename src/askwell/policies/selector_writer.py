"""A selector among the logged prompts behind the `PromptWriter` protocol: loop 0, before any prompt is generated.

    selector = fit_selector(outcomes, baseline="Answer.", seed=0)
    selector.write(["How many …"])            # the logged prompt that suits the query best
    selector.value([("How many …", "Add.")])  # predicted advantage over the baseline prompt, in units of the score

A text classifier needs dozens of outcomes, a language model thousands. So a trained writer must beat the selector on
dev queries to be deployed (`askwell.policies.multi_loop`).
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
from askwell.policies.fallback_threshold import ALWAYS_SWITCH
from askwell.policies.offline_eval.train_or_not import SELECTORS, cross_validate_selector, drop_sparse_prompts
from askwell.policies.protocols import Pair
from askwell.policies.selection.registry import get_fit
from askwell.policies.selection.selection import MIN_QUERIES, SelectionPolicy, load_selection

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class SelectorWriter:
    """The `PromptWriter` of a selection policy's scorer. It ignores that policy's fallback: see `FallbackPolicy`."""

    policy: SelectionPolicy

    def write(self, queries: Sequence[str], *, samples: int = 0, seed: int = 0) -> list[list[str]]:
        """Return the best logged prompt of each query, `samples` times, because nothing is sampled."""
        del seed
        best = self.policy.advantages(queries).argmax(axis=1)
        return [[self.policy.prompts[column]] * max(1, samples) for column in best.tolist()]

    def value(self, pairs: Sequence[Pair]) -> list[float]:
        """Predict each pair's advantage over the baseline prompt; raise `DataError` for an unlogged prompt."""
        columns = {prompt: column for column, prompt in enumerate(self.policy.prompts)}
        unknown = next((prompt for _, prompt in pairs if prompt not in columns), None)
        if unknown is not None:
            raise DataError(f"{unknown!r} is not among the {len(columns)} logged prompts: a selector can't value it")
        rows = {query: row for row, query in enumerate(dict.fromkeys(query for query, _ in pairs))}
        advantages = self.policy.advantages(list(rows))
        return [float(advantages[rows[query], columns[prompt]]) for query, prompt in pairs]

    def save(self, folder: Path) -> None:
        self.policy.save(folder)


def load_selector(folder: Path) -> SelectorWriter:
    """Load what `SelectorWriter.save` wrote; raises `DataError` for anything else."""
    return SelectorWriter(load_selection(folder))


def fit_selector(outcomes: PairOutcomes, *, baseline: str, seed: int) -> SelectorWriter | None:
    """Fit a selector among the widely tried prompts, with the scorer that gains most in cross-validation.

    Returns None if there are too few outcomes (`MIN_QUERIES`, two prompts with the baseline prompt among them), or if
    scikit-learn is missing.
    """
    if find_spec("sklearn") is None:
        _LOG.warning("no selector among the logged prompts: it needs pip install 'askwell[select]'")
        return None
    table = drop_sparse_prompts(build_table(outcomes))
    if len(table.queries) < MIN_QUERIES or len(table.prompts) < 2 or baseline not in table.prompts:
        return None
    name = max(SELECTORS, key=lambda scorer: cross_validate_selector(table, seed=seed, scorer=scorer).low)
    column = table.prompts.index(baseline)
    scorer = get_fit(name)(table, baseline=column, seed=seed)
    return SelectorWriter(
        SelectionPolicy(prompts=table.prompts, baseline=column, scorer=scorer, fallback=ALWAYS_SWITCH, name=name)
    )
