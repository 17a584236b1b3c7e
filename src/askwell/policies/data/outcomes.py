"""Offline data: what is known of (query, prompt) pairs, merged from run logs and files, failures and repeats kept.

    cells = merge([*read_outcomes(Path("old.parquet")), *from_rollouts(read_rollouts(store))])
    parts = split_cells(cells, dev=0.2, seed=0)
    summary(cells)

A *draw* is one sampled answer that was scored; a *cell* is all draws of one prompt on one query, for one target model.
Equal queries (after `askwell.tasks.splits.normalize_question`) are one query, whatever source they came from.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from askwell.core.errors import ConfigError, DataError
from askwell.core.types import Example, Experience, Rollout, Split
from askwell.tasks.splits import check_disjoint, normalize_question, split

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRow:
    """One logged row: the summed score of `draws` answers to one query with one prompt. Failures are rows too."""

    query: str
    prompt: str
    total: float
    """Sum of the draws' scores, each 0..1."""
    draws: int = 1
    sample_index: int | None = None
    """Which draw this is, where the source numbers them: the same draw met twice counts once."""
    target: str = ""
    """Name of the target model; draws of different targets are never mixed."""
    confidence: float | None = None
    """Mean log-probability per token of the right answer (or of the reply); None where the API gives none."""
    place: str = ""
    """Source and line, for messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOutcome:
    """All draws of one prompt on one query."""

    query: str
    prompt: str
    total: float
    draws: int
    target: str = ""
    confidence: float | None = None

    @property
    def mean(self) -> float:
        """Raw share of the draws that were right (p̂, not shrunken)."""
        return self.total / self.draws


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOutcomes:
    """Merged offline data in order of first appearance, and what merging did."""

    cells: tuple[PairOutcome, ...]
    copies: int = 0
    """Rows left out because the same draw had been read before."""
    conflicts: int = 0
    """Copies that disagreed with the first reading of their draw; the first was kept."""

    @property
    def queries(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(cell.query for cell in self.cells))

    @property
    def prompts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(cell.prompt for cell in self.cells))

    @property
    def targets(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(cell.target for cell in self.cells))


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeSummary:
    """What offline data holds, before anything is learnt from it."""

    queries: int
    prompts: int
    cells: int
    draws: int
    targets: tuple[str, ...]
    density: float
    """Share of all (query, prompt) pairs that were tried."""
    repeated: float
    """Share of cells with two draws or more: with none, noise and interaction can't be told apart."""
    success: float
    """Mean score over cells; near 0 or 1 there is little to learn."""
    failures: int
    """Cells in which no draw scored above 0. None at all is a sign that failures were filtered out."""
    balance: float
    """Evenness of prompts over cells: entropy / log(prompts); 1 = each prompt tried equally often."""
    copies: int = 0
    conflicts: int = 0
    warnings: tuple[str, ...] = ()


def merge(rows: Iterable[OutcomeRow]) -> PairOutcomes:
    """Add rows up to cells, from any number of sources, in the order in which they come.

    A numbered draw met again is a copy and counts once (with another score it is a conflict; the first is kept). Rows
    without a number are draws of their own and add up. The first wording of a query stands for all that are alike.
    Raises `DataError` for a score outside 0..1, fewer than one draw, or an empty query or prompt.
    """
    merging = _Merge()
    for row in rows:
        merging.add(row)
    if merging.conflicts:
        logger.warning("%d draws were logged twice with different scores; the first was kept", merging.conflicts)
    cells = tuple(
        PairOutcome(
            query=merging.texts[key],
            prompt=prompt,
            target=target,
            total=found.total,
            draws=found.draws,
            confidence=found.confidence / found.confident if found.confident else None,
        )
        for (key, prompt, target), found in merging.sums.items()
    )
    return PairOutcomes(cells=cells, copies=merging.copies, conflicts=merging.conflicts)


def from_rollouts(rollouts: Iterable[Rollout], *, target: str = "") -> Iterator[OutcomeRow]:
    """Read a run log's rollouts (`runlog.fold.rollouts`) as rows. Never the test split; a failed call is no row.

    A prompt with demonstrations is skipped: a query-level policy here chooses or writes instructions.
    """
    for rollout in rollouts:
        if rollout.score is not None and rollout.split != "test" and not rollout.prompt.demos:
            yield OutcomeRow(
                query=rollout.query,
                prompt=rollout.prompt.instruction,
                total=rollout.score.value,
                sample_index=rollout.sample_index,
                target=target,
                place=f"step {rollout.step}, example {rollout.example_id!r}",
            )


def one_target(cells: PairOutcomes, target: str | None = None) -> PairOutcomes:
    """Keep one target model's cells; raises `ConfigError` where there are several and none is named, or none of it."""
    targets = cells.targets
    if target is None:
        if len(targets) > 1:
            raise ConfigError(f"the data hold outcomes of several target models; name one of {sorted(targets)}")
        return cells
    kept = tuple(cell for cell in cells.cells if cell.target == target)
    if not kept:
        raise ConfigError(f"no outcomes of target model {target!r}; the data hold {sorted(targets)}")
    return replace(cells, cells=kept)


def split_cells(
    cells: PairOutcomes, *, dev: int | float = 0.2, test: int | float = 0, seed: int
) -> dict[Split, PairOutcomes]:
    """Draw train, dev and test by unique query: all cells of a query go to one side."""
    queries = [Example(id=query, input=query, target="") for query in cells.queries]
    shares = {"dev": dev, "test": test}
    whole = {name: size if isinstance(size, int) else int(size * len(queries) + 1e-9) for name, size in shares.items()}
    train = len(queries) - sum(whole.values())
    if train < 1:
        raise DataError(f"dev={dev!r} and test={test!r} leave none of {len(queries)} queries to train on; ask for less")
    drawn = split(queries, train=train, dev=whole["dev"], test=whole["test"], seed=seed)
    return {name: only_target(cells, (example.input for example in drawn[name])) for name in drawn}


def join_cells(splits: Mapping[Split, PairOutcomes]) -> dict[Split, PairOutcomes]:
    """Take splits as they are given; raise `DataError` if two share a query (see `normalize_question`)."""
    examples: dict[Split, list[Example]] = {
        name: [Example(id=query, input=query, target="") for query in cells.queries] for name, cells in splits.items()
    }
    check_disjoint(examples)
    return dict(splits)


def only_target(cells: PairOutcomes, queries: Iterable[str]) -> PairOutcomes:
    """Keep the cells of some queries, under whatever wording `normalize_question` takes for the same."""
    return _kept(cells, queries, inside=True)


def without(cells: PairOutcomes, queries: Iterable[str]) -> PairOutcomes:
    """Leave out every cell of some queries, under whatever wording `normalize_question` takes for the same."""
    return _kept(cells, queries, inside=False)


def _kept(cells: PairOutcomes, queries: Iterable[str], *, inside: bool) -> PairOutcomes:
    named = {normalize_question(query) for query in queries}
    wanted = {query for query in cells.queries if (normalize_question(query) in named) == inside}
    return replace(cells, cells=tuple(cell for cell in cells.cells if cell.query in wanted))


def experiences(cells: PairOutcomes, *, baseline: str | None = None) -> list[Experience]:
    """Cells as QPO's experiences, failures among them; advantage over `static` where that was tried on the query."""
    base = {cell.query: cell.mean for cell in cells.cells if cell.prompt == baseline}
    return [
        Experience(
            query=cell.query,
            prompt=cell.prompt,
            reward=cell.mean,
            advantage=cell.mean - base[cell.query] if cell.query in base else None,
        )
        for cell in cells.cells
    ]


def summarize(cells: PairOutcomes) -> OutcomeSummary:
    """Describe offline data. Raises `DataError` for none at all."""
    if not cells.cells:
        raise DataError(
            "no scored (query, prompt) pairs: nothing to learn from; name a finished run or a file with rows"
        )
    queries, prompts = len(cells.queries), len(cells.prompts)
    counts: dict[str, int] = {}
    for cell in cells.cells:
        counts[cell.prompt] = counts.get(cell.prompt, 0) + 1
    n = len(cells.cells)
    found = OutcomeSummary(
        queries=queries,
        prompts=prompts,
        cells=n,
        draws=sum(cell.draws for cell in cells.cells),
        targets=cells.targets,
        density=n / (queries * prompts * len(cells.targets)),
        repeated=sum(cell.draws > 1 for cell in cells.cells) / n,
        success=math.fsum(cell.mean for cell in cells.cells) / n,
        failures=sum(cell.total == 0 for cell in cells.cells),
        balance=_evenness(list(counts.values())),
        copies=cells.copies,
        conflicts=cells.conflicts,
    )
    return replace(found, warnings=tuple(_warnings(found)))


def _warnings(found: OutcomeSummary) -> Iterator[str]:
    if not found.failures:
        yield "no failure is among the data: a policy can't learn what doesn't work; log failed attempts too"
    if found.prompts == 1:
        yield "only one prompt was tried: there is nothing to choose from"
    if not found.repeated:
        yield "no cell was drawn twice: sampling luck can't be told from prompt effects"
    if found.density < 0.05:
        yield f"only {found.density:.1%} of the (query, prompt) pairs were tried: per-query comparisons will be few"
    if len(found.targets) > 1:
        yield f"outcomes of {len(found.targets)} target models: name one"


def _evenness(counts: Sequence[int]) -> float:
    if len(counts) < 2:
        return 1.0
    total = sum(counts)
    return -math.fsum(count / total * math.log(count / total) for count in counts) / math.log(len(counts))


@dataclass(slots=True)
class _Sum:
    total: float = 0.0
    draws: int = 0
    confidence: float = 0.0
    confident: int = 0


@dataclass(slots=True)
class _Merge:
    """Rows being added up."""

    keys: dict[str, str] = field(default_factory=dict[str, str])
    texts: dict[str, str] = field(default_factory=dict[str, str])
    sums: dict[tuple[str, str, str], _Sum] = field(default_factory=dict[tuple[str, str, str], _Sum])
    seen: dict[tuple[str, str, str, int], float] = field(default_factory=dict[tuple[str, str, str, int], float])
    copies: int = 0
    conflicts: int = 0

    def add(self, row: OutcomeRow) -> None:
        _check(row)
        key = self.keys.get(row.query)
        if key is None:  # a query comes once a prompt, and normalising costs more than the rest
            key = self.keys[row.query] = normalize_question(row.query)
        pair = (key, row.prompt, row.target)
        if row.sample_index is not None:
            numbered = (*pair, row.sample_index)
            if numbered in self.seen:
                self.copies += 1
                self.conflicts += self.seen[numbered] != row.total
                return
            self.seen[numbered] = row.total
        self.texts.setdefault(key, row.query)
        cell = self.sums.setdefault(pair, _Sum())
        cell.total += row.total
        cell.draws += row.draws
        if row.confidence is not None:
            cell.confidence += row.confidence * row.draws
            cell.confident += row.draws


def _check(row: OutcomeRow) -> None:
    where = f"{row.place}: " if row.place else ""
    if not row.query.strip() or not row.prompt.strip():
        raise DataError(f"{where}query {row.query!r} with prompt {row.prompt!r}: neither may be empty")
    if row.draws < 1:
        raise DataError(f"{where}draws={row.draws!r}; expected 1 or more (leave out what was not tried)")
    if not 0.0 <= row.total <= row.draws:
        raise DataError(
            f"{where}total score {row.total!r} of {row.draws} draws; expected 0..{row.draws}: scale to 0..1"
        )
