"""Offline data: the logged outcomes of (query, prompt) pairs, merged from run logs and files.

    outcomes = merge([*read_outcomes(Path("old.parquet")), *convert_rollouts(read_rollouts(store))])
    splits = split_outcomes(outcomes, dev=0.2, seed=0)

A *pair* is one prompt on one query, for one target model; its *repeats* are the scored answers to it. Failures are
kept. Queries that are equal after `askwell.tasks.questions.identify_question` are one query, whatever their source.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from askwell.core.errors import ConfigError, DataError
from askwell.core.types import Example, Experience, Rollout, Split
from askwell.tasks.questions import identify_question
from askwell.tasks.splits import check_disjoint, split

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRow:
    """One logged row: the summed score of `repeats` answers to one query with one prompt. Failures are rows too."""

    query: str
    prompt: str
    total: float
    """Sum of the answers' scores, each 0..1."""
    repeats: int = 1
    sample_index: int | None = None
    """Number of the sample, if the source numbers its samples: a sample that is read twice counts once."""
    target: str = ""
    """Name of the target model; outcomes of different targets are never merged."""
    confidence: float | None = None
    """Mean log-probability per token of the right answer (or of the reply); None if the API gives none."""
    source: str = ""
    """File and line (or step and example), for error messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOutcome:
    """All samples of one prompt on one query."""

    query: str
    prompt: str
    total: float
    repeats: int
    target: str = ""
    confidence: float | None = None

    @property
    def mean(self) -> float:
        """Raw mean score of the samples (p̂, without shrinkage)."""
        return self.total / self.repeats


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOutcomes:
    """Merged offline data in order of first appearance, and how many rows merging left out."""

    pairs: tuple[PairOutcome, ...]
    copies: int = 0
    """Rows left out because the same sample had been read before."""
    conflicts: int = 0
    """Copies whose score differed from the first one read; the first was kept."""

    @property
    def queries(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(pair.query for pair in self.pairs))

    @property
    def prompts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(pair.prompt for pair in self.pairs))

    @property
    def targets(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(pair.target for pair in self.pairs))


def merge(rows: Iterable[OutcomeRow]) -> PairOutcomes:
    """Sum rows into pairs, in the order of the rows, which may come from any number of sources.

    A numbered sample that is read again is a copy and counts once; with another score it is a conflict, and the first
    score is kept. Rows without a number are separate samples and add up. Equal queries keep their first wording.
    Raises `DataError` for a score outside 0..1, fewer than one repeat, or an empty query; an empty prompt is a prompt.
    """
    merging = _Merge()
    for row in rows:
        merging.add(row)
    if merging.conflicts:
        logger.warning("%d samples were logged twice with different scores; the first was kept", merging.conflicts)
    pairs = tuple(
        PairOutcome(
            query=merging.texts[key],
            prompt=prompt,
            target=target,
            total=sums.total,
            repeats=sums.repeats,
            confidence=sums.confidence / sums.confident if sums.confident else None,
        )
        for (key, prompt, target), sums in merging.sums.items()
    )
    return PairOutcomes(pairs=pairs, copies=merging.copies, conflicts=merging.conflicts)


def convert_rollouts(rollouts: Iterable[Rollout], *, target: str = "", with_test: bool = False) -> Iterator[OutcomeRow]:
    """Convert a run log's rollouts (`runlog.fold.read_rollouts`) to rows, without failed calls.

    The test split of an optimization or a training is left out; an evaluation holds nothing out, so all its examples
    (logged as test) are data: `with_test`. A prompt with demonstrations is skipped: a query-level policy selects or
    writes instructions only.
    """
    for rollout in rollouts:
        if rollout.score is None or rollout.prompt.demos:
            continue
        if with_test or rollout.split != "test":
            yield OutcomeRow(
                query=rollout.query,
                prompt=rollout.prompt.instruction,
                total=rollout.score.value,
                sample_index=rollout.sample_index,
                target=target,
                source=f"step {rollout.step}, example {rollout.example_id!r}",
            )


def select_target(outcomes: PairOutcomes, target: str | None = None) -> PairOutcomes:
    """Keep one target model's pairs.

    Raises `ConfigError` if there are several models and `target` is None, or no outcome of `target`.
    """
    targets = outcomes.targets
    if target is None:
        if len(targets) > 1:
            raise ConfigError(f"the data hold outcomes of several target models; name one of {sorted(targets)}")
        return outcomes
    kept = tuple(pair for pair in outcomes.pairs if pair.target == target)
    if not kept:
        raise ConfigError(f"no outcomes of target model {target!r}; the data hold {sorted(targets)}")
    return replace(outcomes, pairs=kept)


def split_outcomes(
    outcomes: PairOutcomes, *, dev: int | float = 0.2, test: int | float = 0, seed: int
) -> dict[Split, PairOutcomes]:
    """Draw train, dev and test by unique query: all pairs of a query are in the same split.

    `dev` and `test` are numbers of queries (int) or shares of them (float).
    """
    queries = [_as_example(query) for query in outcomes.queries]
    shares = {"dev": dev, "test": test}
    # 1e-9: a share such as 0.29 of 100 is 28.999... in floating point
    sizes = {name: size if isinstance(size, int) else int(size * len(queries) + 1e-9) for name, size in shares.items()}
    train = len(queries) - sum(sizes.values())
    if train < 1:
        raise DataError(f"dev={dev!r} and test={test!r} leave none of {len(queries)} queries to train on; ask for less")
    drawn = split(queries, train=train, dev=sizes["dev"], test=sizes["test"], seed=seed)
    return {name: keep_queries(outcomes, (example.input for example in drawn[name])) for name in drawn}


def check_splits(splits: Mapping[Split, PairOutcomes]) -> dict[Split, PairOutcomes]:
    """Return the given splits; raises `DataError` if two of them share a query (equal after `identify_question`)."""
    examples: dict[Split, list[Example]] = {
        name: [_as_example(query) for query in part.queries] for name, part in splits.items()
    }
    check_disjoint(examples)
    return dict(splits)


def _as_example(query: str) -> Example:
    """Return a query as an example; two are copies if and only if they are the same query."""
    return Example(id=query, input=query, target=identify_question(query))


def keep_queries(outcomes: PairOutcomes, queries: Iterable[str]) -> PairOutcomes:
    """Keep the pairs of these queries, in any Unicode form (queries are compared after `identify_question`)."""
    return _filter(outcomes, queries, keep=True)


def drop_queries(outcomes: PairOutcomes, queries: Iterable[str]) -> PairOutcomes:
    """Drop the pairs of these queries, in any Unicode form (queries are compared after `identify_question`)."""
    return _filter(outcomes, queries, keep=False)


def _filter(outcomes: PairOutcomes, queries: Iterable[str], *, keep: bool) -> PairOutcomes:
    named = {identify_question(query) for query in queries}
    kept = {query for query in outcomes.queries if (identify_question(query) in named) == keep}
    return replace(outcomes, pairs=tuple(pair for pair in outcomes.pairs if pair.query in kept))


def build_experiences(outcomes: PairOutcomes, *, baseline: str | None = None) -> list[Experience]:
    """Build QPO's experiences, failures included.

    The advantage is over the `baseline` prompt; None if that has no outcome on the query.
    """
    rewards = {pair.query: pair.mean for pair in outcomes.pairs if pair.prompt == baseline}
    return [
        Experience(
            query=pair.query,
            prompt=pair.prompt,
            reward=pair.mean,
            advantage=pair.mean - rewards[pair.query] if pair.query in rewards else None,
        )
        for pair in outcomes.pairs
    ]


@dataclass(slots=True)
class _Sums:
    total: float = 0.0
    repeats: int = 0
    confidence: float = 0.0
    confident: int = 0
    """Samples with a confidence: not every row of a pair needs to have one."""


@dataclass(slots=True)
class _Merge:
    """The running sums of `merge`."""

    keys: dict[str, str] = field(default_factory=dict[str, str])
    texts: dict[str, str] = field(default_factory=dict[str, str])
    sums: dict[tuple[str, str, str], _Sums] = field(default_factory=dict[tuple[str, str, str], _Sums])
    seen: dict[tuple[str, str, str, int], float] = field(default_factory=dict[tuple[str, str, str, int], float])
    copies: int = 0
    conflicts: int = 0

    def add(self, row: OutcomeRow) -> None:
        _check(row)
        key = self.keys.get(row.query)
        if key is None:  # cached: a query has a row per prompt, and normalising costs more than the rest
            key = self.keys[row.query] = identify_question(row.query)
        pair = (key, row.prompt, row.target)
        if row.sample_index is not None:
            sample = (*pair, row.sample_index)
            if sample in self.seen:
                self.copies += 1
                self.conflicts += self.seen[sample] != row.total
                return
            self.seen[sample] = row.total
        self.texts.setdefault(key, row.query)
        sums = self.sums.setdefault(pair, _Sums())
        sums.total += row.total
        sums.repeats += row.repeats
        if row.confidence is not None:
            sums.confidence += row.confidence * row.repeats
            sums.confident += row.repeats


def _check(row: OutcomeRow) -> None:
    source = f"{row.source}: " if row.source else ""
    if not row.query.strip():
        raise DataError(f"{source}query {row.query!r}: expected a text")
    if row.repeats < 1:
        raise DataError(f"{source}repeats={row.repeats!r}; expected 1 or more (leave out pairs that were not tried)")
    if not 0.0 <= row.total <= row.repeats:
        raise DataError(
            f"{source}total score {row.total!r} of {row.repeats} repeats; expected 0..{row.repeats}: scale to 0..1"
        )
