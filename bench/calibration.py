"""Measure how often askwell's intervals contain the true value, and how often equal prompts are called different.

Command:  python bench/calibration.py                        # 4,000 simulations per row, seed 0
          python bench/calibration.py --simulations 20000 --seed 1
          python bench/calibration.py --json calibration.json # also as JSON

Prints, for each kind of scores and n = 30, 100, 300, the share of 95 % intervals that contain the true value (expected:
93.5-96.5 %). For pairs of equal prompts (A/A) it prints the share of false claims (expected: at most 5 %, ± 1.5). The
`pooled` rows average a family over its kinds. 0/1 scores are discrete: at one p and a small n no interval that is a
function of the counts has exact coverage, so single rows may deviate if almost all answers are right, or almost all
pairs tie. With three sources in all (n = 30 in sources of 10) an interval can only be conservative.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from askwell.core.stats import Interval, mean_interval, paired_difference

SIZES = (30, 100, 300)
Draw = Callable[[random.Random, int], Interval]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A kind of data: how to sample an interval from it, and the value that the interval should contain."""

    family: str
    name: str
    draw: Draw
    truth: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row of the table; `rate` is coverage, or the share of false claims for the family `A/A`."""

    family: str
    name: str
    n: int
    rate: float
    width: float
    simulations: int


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=4_000, help="number per row")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    arguments = parser.parse_args()
    lines: list[Line] = []
    for case in cases():
        for n in SIZES:
            lines.append(simulate(case, n, arguments.simulations, arguments.seed))
            print(f"{case.family:12s} {case.name:34s} n={n:<4d} {show(lines[-1])}", flush=True)
    for line in pooled(lines):
        lines.append(line)
        print(f"{line.family:12s} {line.name:34s} n={line.n:<4d} {show(line)}")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(line) for line in lines], indent=1) + "\n")


def show(line: Line) -> str:
    """Format the rate, the mean width in points, and a mark if the rate is outside its range."""
    good = line.rate <= 0.065 if line.family == "A/A" else 0.935 <= line.rate <= 0.965
    return f"{100 * line.rate:6.2f} %   width {100 * line.width:5.1f}{'' if good else '   <-- outside'}"


def simulate(case: Case, n: int, simulations: int, seed: int) -> Line:
    """Sample intervals and count those that contain the true value (or, for A/A, exclude zero)."""
    rng = random.Random(f"{seed}/{case.family}/{case.name}/{n}")
    intervals = [case.draw(rng, n) for _ in range(simulations)]
    if case.family == "A/A":
        hits = sum(interval.excludes_zero for interval in intervals)
    else:
        hits = sum(interval.low <= case.truth <= interval.high for interval in intervals)
    width = statistics.fmean(interval.high - interval.low for interval in intervals)
    return Line(family=case.family, name=case.name, n=n, rate=hits / simulations, width=width, simulations=simulations)


def pooled(lines: list[Line]) -> list[Line]:
    """Average each family over its cases, for each n."""
    groups: dict[tuple[str, int], list[Line]] = {}
    for line in lines:
        groups.setdefault((line.family, line.n), []).append(line)
    return [
        Line(
            family=family,
            name="pooled",
            n=n,
            rate=statistics.fmean(line.rate for line in group),
            width=statistics.fmean(line.width for line in group),
            simulations=sum(line.simulations for line in group),
        )
        for (family, n), group in groups.items()
    ]


def cases() -> list[Case]:
    """Return every kind of data."""
    kinds = [
        Case(family="mean 0/1", name=f"p={p}", draw=_bernoulli(p), truth=p) for p in (0.2, 0.35, 0.5, 0.65, 0.8, 0.9)
    ]
    kinds += [
        Case(family="mean 0..1", name=name, draw=_mean_of(draw), truth=truth)
        for name, (draw, truth) in FRACTIONAL.items()
    ]
    for size, agreement in ((5, 0.3), (10, 0.5)):
        draw = _clustered(0.7, size, agreement)
        kinds.append(Case(family="clustered", name=f"0/1 in sources of {size}, icc {agreement}", draw=draw, truth=0.7))
    for p, gain, overlap in PAIRS:
        family = "difference" if gain else "A/A"
        name = f"0/1 p={p} gain={gain} overlap={overlap}"
        kinds.append(Case(family=family, name=name, draw=_pair(p, gain, overlap), truth=gain))
        if not gain:
            kinds.append(Case(family="difference", name=name, draw=_pair(p, gain, overlap), truth=gain))
    for gain in (0.0, 0.05):
        name = f"0..1 shared difficulty gain={gain}"
        for family in ("difference",) if gain else ("difference", "A/A"):
            kinds.append(Case(family=family, name=name, draw=_fractional_pair(gain), truth=gain))
    return kinds


PAIRS = (
    (0.5, 0.0, 0.0), (0.5, 0.0, 0.5), (0.7, 0.0, 0.3), (0.7, 0.0, 0.6), (0.85, 0.0, 0.3), (0.85, 0.0, 0.5),
    (0.5, 0.1, 0.5), (0.6, 0.15, 0.3), (0.7, 0.1, 0.5), (0.8, 0.05, 0.5), (0.5, 0.3, 0.3),
)  # fmt: skip
"""(accuracy of theirs, gain of ours, share of examples on which both have the same answer by construction)."""

FRACTIONAL: Mapping[str, tuple[Callable[[random.Random], float], float]] = {
    "beta(2, 5)": (lambda rng: rng.betavariate(2, 5), 2 / 7),
    "beta(0.5, 0.5)": (lambda rng: rng.betavariate(0.5, 0.5), 0.5),
    "beta(8, 2)": (lambda rng: rng.betavariate(8, 2), 0.8),
    "beta(1, 0.3)": (lambda rng: rng.betavariate(1, 0.3), 1 / 1.3),
    "0, 1/2 or 1 (0.2, 0.3, 0.5)": (lambda rng: rng.choices((0.0, 0.5, 1.0), (0.2, 0.3, 0.5))[0], 0.65),
    "mean of 3 draws": (lambda rng: sum(rng.random() < q for q in [rng.betavariate(1.4, 0.6)] * 3) / 3, 0.7),
}


def _bernoulli(p: float) -> Draw:
    return lambda rng, n: mean_interval([float(rng.random() < p) for _ in range(n)])


def _mean_of(draw: Callable[[random.Random], float]) -> Draw:
    return lambda rng, n: mean_interval([draw(rng) for _ in range(n)])


def _clustered(p: float, size: int, agreement: float) -> Draw:
    """Sample sources whose own accuracy varies: beta-binomial with this intra-class correlation."""
    strength = 1 / agreement - 1

    def draw(rng: random.Random, n: int) -> Interval:
        levels = [rng.betavariate(p * strength, (1 - p) * strength) for _ in range(n // size)]
        sources = [index for index in range(n // size) for _ in range(size)]
        return mean_interval([float(rng.random() < levels[source]) for source in sources], clusters=sources)

    return draw


def _pair(p: float, gain: float, overlap: float) -> Draw:
    """Sample 0/1 pairs that share an answer on some of the examples and are independent on the others."""
    apart = gain / (1 - overlap)

    def draw(rng: random.Random, n: int) -> Interval:
        ours: list[float] = []
        theirs: list[float] = []
        for _ in range(n):
            same = rng.random() < overlap
            right = float(rng.random() < p)
            theirs.append(right)
            ours.append(right if same else float(rng.random() < p + apart))
        return paired_difference(ours, theirs)

    return draw


def _fractional_pair(gain: float) -> Draw:
    """Sample scores in 0..1 around a difficulty that both prompts share."""

    def draw(rng: random.Random, n: int) -> Interval:
        ours: list[float] = []
        theirs: list[float] = []
        for _ in range(n):
            difficulty = rng.betavariate(2, 2) * 0.8
            theirs.append(difficulty + 0.15 * rng.betavariate(0.5, 0.5))
            ours.append(difficulty + 0.15 * rng.betavariate(0.5, 0.5) + gain)
        return paired_difference(ours, theirs)

    return draw


if __name__ == "__main__":
    main()
