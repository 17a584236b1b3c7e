"""Selection policies: select one prompt of a pool for each query, from logged outcomes; nothing is generated.

    policy = fit_selection(build_table(outcomes), seed=0)    # margin by cross-validation
    policy = fit_selection(train, dev=dev, seed=0)           # margin on dev queries
    policy.prompts_for(["How many …"])                       # the `Policy` protocol
    policy.save(Path("policy")); load_selection(Path("policy"))

The cheap baseline for QPO, and deployable: a query costs as much as a text classifier.
"""

from __future__ import annotations

import json
import math
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from askwell.core.errors import ConfigError, DataError
from askwell.core.files import write_whole
from askwell.core.types import Prompt
from askwell.policies.data.arrays import Floats, np
from askwell.policies.data.table import OutcomeTable, find_baseline
from askwell.policies.fallback_threshold import FallbackThreshold, decode_fallback, encode_fallback, never_switch
from askwell.policies.policy_file import FILE, SELECTION, check_policy_file, read_policy_file, refuses_broken_state
from askwell.policies.selection.base import Scorer, ScorerState
from askwell.policies.selection.fallback import predict_out_of_fold, select_above_margin, tune_on_table
from askwell.policies.selection.multitask import cross_fit_multitask
from askwell.policies.selection.registry import get_fit, restore_scorer
from askwell.tasks.questions import identify_question

DEFAULT_SCORER = "multitask"
"""The best scorer by nested cross-validation on recorded outcomes (docs/algorithms/qpo_select.md)."""

FORMAT = 1
KIND = "selection"
"""As in `saved_policy`, which loads this module only for a policy of this kind."""
MIN_QUERIES = 20
"""With fewer training queries no scorer is fitted, and every query gets the baseline prompt."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SelectionPolicy:
    """A pool of prompts, which contains the baseline prompt, a scorer and a fallback threshold."""

    prompts: tuple[str, ...]
    baseline: int
    """Index of the baseline prompt in `prompts`, chosen on training queries."""
    scorer: Scorer | None
    """None if there were too few logged outcomes: every query then gets the baseline prompt."""
    fallback: FallbackThreshold
    name: str = DEFAULT_SCORER
    """Name of the scorer."""

    def prompts_for(self, queries: Sequence[str]) -> list[Prompt]:
        return [Prompt(instruction=self.prompts[column]) for column in self.select_columns(queries)]

    def select_columns(self, queries: Sequence[str]) -> list[int]:
        """Return the index in `prompts` of each query's prompt."""
        if self.scorer is None or not queries or math.isinf(self.fallback.margin):
            return [self.baseline] * len(queries)
        return select_above_margin(
            self.scorer.advantages(queries), baseline=self.baseline, margin=self.fallback.margin
        ).tolist()

    def advantages(self, queries: Sequence[str]) -> Floats:
        """Predict the advantage of each prompt over the baseline prompt, (queries, prompts), without the fallback."""
        if self.scorer is None:
            return np.zeros((len(queries), len(self.prompts)))
        return self.scorer.advantages(queries)

    def save(self, folder: Path) -> None:
        """Write `policy.json` and `arrays.npz` into a folder: plain values, no pickle."""
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
        write_whole(folder / "policy.json", text.encode("utf-8", "surrogatepass"))
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
    """Fit a policy; the margin is tuned on `dev`, or by cross-validation if that is None.

    `baseline` is the column of the baseline prompt; None chooses it by `find_baseline`. Raises `DataError` if dev
    shares a query with the training table, `ConfigError` for an unknown scorer or a dev table with other prompts.
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
        fallback = tune_on_table(_cross_fit(scorer, table, best, seed, folds), table, baseline=best)
    return SelectionPolicy(prompts=table.prompts, baseline=best, scorer=fitted, fallback=fallback, name=scorer)


def load_selection(folder: Path) -> SelectionPolicy:
    """Load what `SelectionPolicy.save` wrote; raises `DataError` for any other content."""
    body = read_policy_file(folder)
    if body.get("format") != FORMAT:
        raise DataError(f"{str(folder / FILE)!r} is not a selection policy of format {FORMAT}")
    check_policy_file(body, SELECTION, folder)
    spec = cast("Mapping[str, object] | None", body["scorer"])
    with refuses_broken_state(folder, zipfile.BadZipFile, zlib.error, EOFError, RecursionError):
        policy = SelectionPolicy(
            prompts=tuple(cast("list[str]", body["prompts"])),
            baseline=cast("int", body["static"]),
            scorer=None if spec is None else _restore_scorer(spec, folder),
            fallback=decode_fallback(cast("dict[str, float | str | None]", body["guard"])),
            name=cast("str", body["name"]),
        )
        _try_out(policy)
    return policy


def _restore_scorer(spec: Mapping[str, object], folder: Path) -> Scorer:
    with (folder / "arrays.npz").open("rb") as raw, np.load(raw, allow_pickle=False) as file:
        arrays: dict[str, Floats] = {name: file[name] for name in file.files}
    values = cast("Mapping[str, object]", spec["values"])
    return restore_scorer(ScorerState(kind=cast("str", spec["kind"]), values=values, arrays=arrays))


def _try_out(policy: SelectionPolicy) -> None:
    """Raise `ValueError` if a loaded policy does not give one finite advantage per prompt."""
    with np.errstate(all="ignore"):
        advantages = np.asarray(policy.advantages(["a", "2 b?"]), dtype=float)
    if advantages.shape != (2, len(policy.prompts)) or not np.isfinite(advantages).all():
        raise ValueError(f"it predicts {advantages.shape} values for 2 queries and {len(policy.prompts)} prompts")
    if policy.baseline >= len(policy.prompts):
        raise ValueError(f"its baseline is prompt {policy.baseline} of {len(policy.prompts)}")


def _cross_fit(scorer: str, table: OutcomeTable, baseline: int, seed: int, folds: int) -> list[Floats]:
    if scorer == "multitask":  # one kernel, most of the cost, serves all folds, so several rounds are cheap
        return cross_fit_multitask(table, baseline=baseline, seed=seed, folds=folds)
    return [predict_out_of_fold(get_fit(scorer), table, baseline=baseline, seed=seed, folds=folds)]


def _check_dev(train: OutcomeTable, dev: OutcomeTable) -> None:
    if dev.prompts != train.prompts:
        raise ConfigError(
            "the dev table has other prompts than the training table; build it with prompts=train.prompts"
        )
    training = {identify_question(query) for query in train.queries}
    shared = [query for query in dev.queries if identify_question(query) in training]
    if shared:
        raise DataError(
            f"{len(shared)} dev queries are in the training table too, such as {shared[0]!r}; leave them out"
        )
