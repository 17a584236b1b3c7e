"""Measure how many evaluations racing saves, and its regret, on recorded block scores of real prompt-optimization runs.

Command:  python bench/racing.py                     # ../shared/data/recorded/capo_block_scores.parquet, all methods
          python bench/racing.py --matrix F.parquet  # another file with the same columns
          python bench/racing.py --curve             # also CAPO's alphas, our prices, halving shares

Prints one JSON object per (dataset, model, method). `share` is (candidate, block) pairs evaluated / all pairs.
`regret_points` is the full-data score (mean of all blocks, 0..100) of the true best minus that of the selected
candidate. Both are averaged over `n_sets` sets. `missed` is how often the selected candidate was worse than the best by
more than 0, 1, 2 and 3 points: the measured family-wise error. A summary table goes to stderr.

Candidate sets are 8 complete rows of one run (same group, optimizer and seed, because those share their blocks): 500
per (dataset, model), seed 0, with the blocks in an order sampled for each set. Every method sees the same sets. Pairs
are requested one at a time (`--slots`), as the rules of `askwell.engine.racing` expect; the rules are those of a real
run. Only means of 30 examples are recorded: see `PairedT` for how CAPO's test treats them.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from askwell.engine.racing import RACING_RULES, ExpectedGain, PairedT, RaceLayout, RacingRule, SuccessiveHalving

DEFAULT = Path(__file__).resolve().parents[2] / "shared" / "data" / "recorded" / "capo_block_scores.parquet"
CANDIDATES = 8
BLOCK_EXAMPLES = 30
GAPS = (0.0, 1.0, 2.0, 3.0)

Rows = Sequence[Sequence[float]]
Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One row of output."""

    dataset: str
    model: str
    method: str
    share: float
    regret_points: float
    n_sets: int
    missed: tuple[float, ...]


def main() -> None:
    """Read the arguments, replay, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--matrix", type=Path, default=DEFAULT, help="Parquet file of block scores")
    parser.add_argument("--sets", type=int, default=500, help="candidate sets per (dataset, model)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--slots", type=int, default=1, help="(candidate, block) pairs in flight at once")
    parser.add_argument("--curve", action="store_true", help="vary each method's parameter")
    arguments = parser.parse_args()
    if not arguments.matrix.exists():
        sys.exit(f"{arguments.matrix} does not exist; expected a Parquet file of block scores, give one with --matrix")
    rules: dict[str, RacingRule] = {name: make() for name, make in RACING_RULES.items()}
    if arguments.curve:
        rules |= curve()
    sets = draw_sets(arguments.matrix, arguments.sets, arguments.seed)
    results: list[Result] = []
    for name, rule in rules.items():
        for key, drawn in sets.items():
            results.append(replay(key, name, rule, drawn, arguments.slots))
            print(json.dumps(asdict(results[-1])), flush=True)
    print(table(results), file=sys.stderr)


def curve() -> dict[str, RacingRule]:
    """Return the methods over the range of their parameter, to compare them at equal evaluations."""
    alphas: dict[str, RacingRule] = {
        f"capo-paired-t alpha={alpha}": PairedT(alpha=alpha) for alpha in (0.4, 0.3, 0.25, 0.18, 0.15, 0.1, 0.05)
    }
    prices: dict[str, RacingRule] = {
        f"askwell price={price}": ExpectedGain(price=price) for price in (0.016, 0.008, 0.0035, 0.0025, 0.0015)
    }
    halving: dict[str, RacingRule] = {
        f"successive-halving share={share}": SuccessiveHalving(share=share) for share in (0.45, 0.6)
    }
    other: dict[str, RacingRule] = {
        "askwell family_error=1": ExpectedGain(family_error=1.0),
        "askwell family_error=0.1 at 2 points": ExpectedGain(indifference=0.02),
        "askwell complete": ExpectedGain(complete=True),
    }
    return alphas | prices | halving | other


def draw_sets(path: Path, count: int, seed: int) -> dict[Key, list[Rows]]:
    """Sample candidate sets for each (dataset, model) from the runs that have enough complete rows."""
    frame = pd.read_parquet(path)
    blocks = sorted((c for c in frame.columns if c.startswith("block_")), key=lambda c: int(c.removeprefix("block_")))
    frame = frame[frame[blocks].notna().all(axis=1)]
    sets: dict[Key, list[Rows]] = {}
    for (dataset, model), part in frame.groupby(["dataset", "model"], observed=True, sort=True):
        groups = part.groupby(["group", "optimizer", "seed"], observed=True, sort=True)
        runs = [rows[blocks].to_numpy().tolist() for _, rows in groups if len(rows) >= CANDIDATES]
        if runs:
            rng = random.Random(f"{seed}/{dataset}/{model}")
            sets[str(dataset), str(model)] = list(_draw(runs, count, rng))
    return sets


def _draw(runs: Sequence[Rows], count: int, rng: random.Random) -> Iterator[Rows]:
    for _ in range(count):
        run = rng.choice(runs)
        order = rng.sample(range(len(run[0])), len(run[0]))
        yield [[row[block] for block in order] for row in rng.sample(list(run), CANDIDATES)]


def replay(key: Key, method: str, rule: RacingRule, sets: Sequence[Rows], slots: int) -> Result:
    """Race every set and average."""
    shares, regrets = zip(*(race(rule, rows, slots) for rows in sets), strict=True)
    return Result(
        dataset=key[0],
        model=key[1],
        method=method,
        share=round(statistics.fmean(shares), 4),
        regret_points=round(statistics.fmean(regrets), 4),
        n_sets=len(sets),
        missed=tuple(round(sum(regret > gap + 1e-9 for regret in regrets) / len(sets), 4) for gap in GAPS),
    )


def race(rule: RacingRule, rows: Rows, slots: int) -> tuple[float, float]:
    """Evaluate the requested pairs, `slots` at a time; return the share used and the regret in points."""
    names = tuple(str(index) for index in range(len(rows)))
    layout = RaceLayout(candidates=names, blocks=(BLOCK_EXAMPLES,) * len(rows[0]))
    scores: dict[str, dict[int, float]] = {name: {} for name in names}
    decision = rule.decide(layout, scores)
    while decision.wanted:
        # The other rules decide nothing within a round: evaluating a whole round at once changes no outcome.
        for name, block in decision.wanted[: slots if isinstance(rule, ExpectedGain) else None]:
            scores[name][block] = rows[int(name)][block]
        decision = rule.decide(layout, scores)
    full = [statistics.fmean(row) for row in rows]
    used = sum(len(row) for row in scores.values())
    return used / (len(rows) * len(rows[0])), 100 * (max(full) - full[int(decision.chosen)])


def table(results: Sequence[Result]) -> str:
    """Format one row per method: averages over (dataset, model), and the worst beside the mean."""
    by_method: dict[str, list[Result]] = {}
    for result in results:
        by_method.setdefault(result.method, []).append(result)
    head = "method                       share  (most)   regret  (most)   missed by > " + " ".join(
        f"{g:g}" for g in GAPS
    )
    lines = [head]
    for method, of_method in by_method.items():
        shares, regrets = [r.share for r in of_method], [r.regret_points for r in of_method]
        missed = " ".join(
            f"{statistics.fmean(column):.3f}" for column in zip(*(r.missed for r in of_method), strict=True)
        )
        lines.append(
            f"{method:28s} {statistics.fmean(shares):.3f}  ({max(shares):.3f})  "
            f"{statistics.fmean(regrets):.3f}  ({max(regrets):.3f})  {missed}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
