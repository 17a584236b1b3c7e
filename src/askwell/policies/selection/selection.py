"""Selection policies: for each query one prompt of a pool, chosen by what was logged; nothing is generated.

    policy = fit_selection(table_of(cells), seed=0)          # margin by cross-validation
    policy = fit_selection(train, dev=dev, seed=0)           # margin on dev queries
    policy.prompts_for(["How many …"])                       # the `Policy` protocol
    policy.save(Path("policy")); load_selection(Path("policy"))

The honest cheap baseline of QPO, and deployable: a text classifier's cost a query.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from askwell.core.errors import ConfigError, DataError
from askwell.core.types import Prompt
from askwell.policies.data.arrays import Floats, np
from askwell.policies.data.table import OutcomeTable, find_baseline
from askwell.policies.selection.base import Scorer, ScorerState
from askwell.policies.selection.fallback import (
    FallbackThreshold,
    decode_fallback,
    encode_fallback,
    never_switch,
    predict_out_of_fold,
    select_above_margin,
    tune_on_table,
)
from askwell.policies.selection.multitask import cross_fit_multitask
from askwell.policies.selection.registry import get_fit, restore_scorer
from askwell.tasks.splits import normalize_question

DEFAULT_SCORER = "multitask"
"""Chosen by nested cross-validation on recorded outcomes (docs/algorithms/qpo_select.md)."""

FORMAT = 1
KIND = "selection"
MIN_QUERIES = 20
"""With fewer training queries nothing is learnt, and the static prompt is all there is."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SelectionPolicy:
    """A pool of prompts, the static one among them, a scorer and a guard."""

    prompts: tuple[str, ...]
    baseline: int
    """Place of the best single prompt, chosen on training queries."""
    scorer: Scorer | None
    """None: too little was logged to learn from; every query gets the static prompt."""
    fallback: FallbackThreshold
    name: str = DEFAULT_SCORER

    def prompts_for(self, queries: Sequence[str]) -> list[Prompt]:
        return [Prompt(instruction=self.prompts[place]) for place in self.select_columns(queries)]

    def select_columns(self, queries: Sequence[str]) -> list[int]:
        """Place in the pool of each query's prompt."""
        if self.scorer is None or not queries or math.isinf(self.fallback.margin):
            return [self.baseline] * len(queries)
        return select_above_margin(
            self.scorer.advantages(queries), baseline=self.baseline, margin=self.fallback.margin
        ).tolist()

    def advantages(self, queries: Sequence[str]) -> Floats:
        """Predicted advantage of each prompt over the static one, (queries, prompts), before the guard."""
        if self.scorer is None:
            return np.zeros((len(queries), len(self.prompts)))
        return self.scorer.advantages(queries)

    def save(self, folder: Path) -> None:
        """Write `policy.json` and `arrays.npz` into a folder: values only, no pickle."""
        folder.mkdir(parents=True, exist_ok=True)
        state = self.scorer.state() if self.scorer is not None else None
        body = {
            "format": FORMAT,
            "kind": KIND,
            "prompts": list(self.prompts),
            "static": self.baseline,
            "name": self.name,
            "guard": encode_fallback(self.fallback),
            "scorer": None if state is None else {"kind": state.kind, "values": state.values},
        }
        text = json.dumps(body, ensure_ascii=False, indent=1)
        (folder / "policy.json").write_text(text, encoding="utf-8")
        np.savez_compressed(folder / "arrays.npz", **({} if state is None else dict(state.arrays)))  # pyright: ignore[reportArgumentType] - its stub takes a keyword for one of the arrays


def fit_selection(
    table: OutcomeTable,
    *,
    seed: int,
    scorer: str = DEFAULT_SCORER,
    dev: OutcomeTable | None = None,
    baseline: int | None = None,
    folds: int = 5,
) -> SelectionPolicy:
    """Learn which prompt suits which query; the margin is tuned on `dev`, or by cross-validation without it.

    `static` overrides which prompt counts as the best single one. Raises `DataError` where dev shares a query with the
    training table or has other prompts, `ConfigError` for an unknown scorer.
    """
    fit = get_fit(scorer)
    best = find_baseline(table) if baseline is None else baseline
    if dev is not None:
        _check_dev(table, dev)
    if len(table.queries) < MIN_QUERIES or len(table.prompts) < 2:
        return SelectionPolicy(prompts=table.prompts, baseline=best, scorer=None, fallback=never_switch(), name=scorer)
    fitted = fit(table, baseline=best, seed=seed)
    if dev is not None:
        fallback = tune_on_table([fitted.advantages(dev.queries)], dev, baseline=best)
    else:
        fallback = tune_on_table(_cross_fitted(scorer, table, best, seed, folds), table, baseline=best)
    return SelectionPolicy(prompts=table.prompts, baseline=best, scorer=fitted, fallback=fallback, name=scorer)


def load_selection(folder: Path) -> SelectionPolicy:
    """Read what `SelectionPolicy.save` wrote; raises `DataError` for anything else."""
    try:
        read: object = json.loads((folder / "policy.json").read_text(encoding="utf-8"))
        with np.load(folder / "arrays.npz", allow_pickle=False) as file:
            arrays: dict[str, Floats] = {name: file[name] for name in file.files}
    except (OSError, ValueError) as error:
        raise DataError(f"no readable selection policy in {str(folder)!r}: {error}") from error
    if not isinstance(read, dict) or cast("dict[str, object]", read).get("format") != FORMAT:
        raise DataError(f"{str(folder / 'policy.json')!r} is not a selection policy of format {FORMAT}")
    body = cast("dict[str, object]", read)
    spec = cast("Mapping[str, object] | None", body["scorer"])
    return SelectionPolicy(
        prompts=tuple(cast("list[str]", body["prompts"])),
        baseline=cast("int", body["static"]),
        scorer=None
        if spec is None
        else restore_scorer(
            ScorerState(
                kind=cast("str", spec["kind"]), values=cast("Mapping[str, object]", spec["values"]), arrays=arrays
            )
        ),
        fallback=decode_fallback(cast("dict[str, float | str | None]", body["guard"])),
        name=cast("str", body["name"]),
    )


def _cross_fitted(scorer: str, table: OutcomeTable, baseline: int, seed: int, folds: int) -> list[Floats]:
    if scorer == "multitask":  # its kernel is most of the cost and serves all folds, so several draws of them are cheap
        return cross_fit_multitask(table, baseline=baseline, seed=seed, folds=folds)
    return [predict_out_of_fold(get_fit(scorer), table, baseline=baseline, seed=seed, folds=folds)]


def _check_dev(train: OutcomeTable, dev: OutcomeTable) -> None:
    if dev.prompts != train.prompts:
        raise ConfigError(
            "the dev table has other prompts than the training table; build it with prompts=train.prompts"
        )
    known = {normalize_question(query) for query in train.queries}
    shared = [query for query in dev.queries if normalize_question(query) in known]
    if shared:
        raise DataError(
            f"{len(shared)} dev queries are in the training table too, such as {shared[0]!r}; leave them out"
        )
