import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askwell.core.errors import ConfigError, DataError
from askwell.core.quantiles import beta_cdf, beta_quantile, normal_quantile, student_cdf, student_quantile
from askwell.core.stats import (
    Interval,
    format_interval,
    jeffreys_bounds,
    mean_interval,
    optimism,
    paired_difference,
)

SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=60)
BITS = st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0])), min_size=1, max_size=60)


def bits(right: int, n: int) -> list[float]:
    return [1.0] * right + [0.0] * (n - right)


@pytest.mark.parametrize(
    ("freedom", "expected"),
    [(1, 12.706205), (2, 4.302653), (3, 3.182446), (4, 2.776445), (29, 2.045230), (100, 1.983972), (1000, 1.962339)],
)
def test_student_quantiles_match_the_tables(freedom: int, expected: float) -> None:
    assert student_quantile(0.975, freedom) == pytest.approx(expected, abs=2e-6)
    assert student_quantile(0.025, freedom) == pytest.approx(-expected, abs=2e-6)


def test_student_cdf_and_quantile_are_inverses() -> None:
    for freedom in (1, 2, 5, 8, 33):
        assert student_cdf(student_quantile(0.9, freedom), freedom) == pytest.approx(0.9, abs=1e-9)
    assert student_quantile(0.975, 10**6) == pytest.approx(normal_quantile(0.975), abs=1e-5)


@pytest.mark.parametrize(
    ("probability", "a", "b", "expected"),
    [
        (0.5, 1.0, 1.0, 0.5),
        (0.9, 1.0, 3.0, 1 - 0.1 ** (1 / 3)),
        (0.25, 0.5, 0.5, math.sin(math.pi / 8) ** 2),  # the arcsine law
        (0.1, 200.0, 1.0, 0.1 ** (1 / 200)),
    ],
)
def test_beta_quantiles_match_closed_forms(probability: float, a: float, b: float, expected: float) -> None:
    assert beta_quantile(probability, a, b) == pytest.approx(expected, abs=1e-9)
    assert beta_cdf(expected, a, b) == pytest.approx(probability, abs=1e-9)
    assert (beta_cdf(0.0, a, b), beta_cdf(1.0, a, b)) == (0.0, 1.0)


def test_jeffreys_bounds_are_those_of_a_textbook_and_reach_the_ends() -> None:
    low, high = jeffreys_bounds(1 / 10, 10)  # Brown, Cai and DasGupta 2001, table 5
    assert (low, high) == (pytest.approx(0.011, abs=1e-3), pytest.approx(0.381, abs=1e-3))
    assert jeffreys_bounds(1.0, 24)[1] == 1.0
    assert jeffreys_bounds(0.0, 24)[0] == 0.0
    assert jeffreys_bounds(0.3, 0.0) == (0.0, 1.0)
    assert jeffreys_bounds(0.3, 4e4)[1] == pytest.approx(0.3045, abs=1e-4)


def test_wilson_interval_of_a_textbook_case() -> None:
    # Newcombe (1998a), table 1: 81 of 263 gives 0.2553 to 0.3662.
    interval = mean_interval(bits(81, 263))
    assert (interval.low, interval.high) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_tango_interval_inverts_the_score_test() -> None:
    # At its own bound the score statistic is z: no difference is just rejected when 5 of 5 (25/5 > 3.84) speak for it,
    # and not when 4 of 5 do (9/5 < 3.84).
    assert paired_difference(bits(5, 30), bits(0, 30)).excludes_zero
    assert not paired_difference([1, 1, 1, 1, 0] + [0] * 25, [0, 0, 0, 0, 1] + [0] * 25).excludes_zero


@given(SCORES)
def test_a_mean_interval_holds_its_estimate_inside_the_scale(scores: list[float]) -> None:
    interval = mean_interval(scores)
    assert 0.0 <= interval.low <= interval.estimate <= interval.high <= 1.0
    assert interval.n == len(scores)


@given(BITS)
def test_swapping_sides_mirrors_a_paired_difference(pairs: list[tuple[float, float]]) -> None:
    ours, theirs = [a for a, _ in pairs], [b for _, b in pairs]
    one, other = paired_difference(ours, theirs), paired_difference(theirs, ours)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-9)
    assert -1.0 <= one.low <= one.estimate <= one.high <= 1.0


@given(BITS)
def test_more_of_the_same_evidence_narrows_the_interval(pairs: list[tuple[float, float]]) -> None:
    ours, theirs = [a for a, _ in pairs], [b for _, b in pairs]
    once, more = paired_difference(ours, theirs), paired_difference(ours * 4, theirs * 4)
    assert more.high - more.low < once.high - once.low


def test_equal_scores_still_have_an_interval() -> None:
    assert mean_interval([1.0] * 30).low < 0.9
    assert mean_interval([0.5] * 30).high - mean_interval([0.5] * 30).low > 0.3
    assert mean_interval([1.0]).low < 0.25
    same = paired_difference(bits(20, 30), bits(20, 30))
    assert same.low < 0.0 < same.high
    assert not same.excludes_zero


def test_a_single_fractional_pair_has_the_widest_interval() -> None:
    interval = paired_difference([0.9], [0.1])
    assert (interval.low, interval.high) == (-1.0, 1.0)


def test_clusters_widen_the_interval_when_sources_agree() -> None:
    scores = [float(source % 2) for source in range(10) for _ in range(10)]
    sources = [source for source in range(10) for _ in range(10)]
    naive, clustered = mean_interval(scores), mean_interval(scores, clusters=sources)
    assert clustered.high - clustered.low > 2 * (naive.high - naive.low)
    other = [1 - score for score in scores]
    assert not paired_difference(scores, other, clusters=sources).excludes_zero


def test_clusters_of_one_change_next_to_nothing() -> None:
    scores = bits(60, 100)
    alone = mean_interval(scores, clusters=range(100))
    assert alone.low == pytest.approx(mean_interval(scores).low, abs=0.003)


@pytest.mark.parametrize("bad", [[], [math.nan], [0.5, math.inf]])
def test_invalid_scores_are_refused(bad: list[float]) -> None:
    with pytest.raises(DataError):
        mean_interval(bad)
    with pytest.raises(DataError):
        paired_difference(bad, bad)


def test_invalid_arguments_are_refused() -> None:
    with pytest.raises(DataError, match="both scores of every example"):
        paired_difference([1.0], [1.0, 0.0])
    with pytest.raises(DataError, match=r"outside 0\.\.1"):
        mean_interval([55.0])
    with pytest.raises(DataError, match="cluster names"):
        mean_interval([1.0, 0.0], clusters=["a"])
    with pytest.raises(ConfigError, match="level"):
        mean_interval([1.0], level=95)
    with pytest.raises(ConfigError, match="0/1"):
        paired_difference([0.5, 0.1], [0.2, 0.2], method="score")


def test_optimism_is_dev_minus_test() -> None:
    gap = optimism(bits(40, 48), bits(100, 144))
    assert gap.estimate == pytest.approx(40 / 48 - 100 / 144)
    assert gap.low < gap.estimate < gap.high


def test_bootstrap_is_seeded_and_near_t() -> None:
    rng = random.Random(4)
    ours = [rng.random() for _ in range(40)]
    theirs = [0.7 * score for score in ours]
    one = paired_difference(ours, theirs, method="bootstrap-t", seed=1)
    assert one == paired_difference(ours, theirs, method="bootstrap-t", seed=1)
    t = paired_difference(ours, theirs)
    assert (one.low, one.high) == pytest.approx((t.low, t.high), abs=0.02)


def test_intervals_are_written_in_points() -> None:
    interval = Interval(estimate=0.0404, low=-0.012, high=0.091, n=50, level=0.95, method="score")
    assert format_interval(interval) == "4.0 [-1.2, 9.1]"
    assert format_interval(interval, signed=True) == "+4.0 [-1.2, +9.1]"


@pytest.mark.parametrize("n", [30, 100, 300])
def test_intervals_cover_and_equal_prompts_stay_equal(n: int) -> None:
    """The reduced form of bench/calibration.py: limits are its 93.5–96.5 % and 6.5 % with room for 600 simulations."""
    rng, covered, claims, simulations = random.Random(n), 0, 0, 600
    for index in range(simulations):
        p, overlap = (0.5, 0.65, 0.8)[index % 3], (0.2, 0.5)[index % 2]
        theirs = [float(rng.random() < p) for _ in range(n)]
        ours = [score if rng.random() < overlap else float(rng.random() < p) for score in theirs]
        interval = mean_interval(theirs)
        covered += interval.low <= p <= interval.high
        claims += paired_difference(ours, theirs).excludes_zero
    assert 0.925 <= covered / simulations <= 0.98
    assert 0.02 <= claims / simulations <= 0.075
