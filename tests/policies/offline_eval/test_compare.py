from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from askwell.core.errors import ConfigError, DataError
from askwell.policies.offline_eval.compare import (
    BASELINE,
    ORACLE,
    RANDOM,
    PolicyComparison,
    PolicyRow,
    compare_policies,
)
from tests.support.policy_worlds import phrased, table


def rows(found: PolicyComparison) -> dict[str, PolicyRow]:
    return {row.name: row for row in found.rows}


def test_all_ways_on_the_same_queries_and_each_gain_is_its_score_less_the_static_one() -> None:
    queries, rates = phrased(120, seed=0)
    found = compare_policies(table(rates, repeats=4, seed=0, queries=queries), seed=0, scorers=("trees", "knn"))
    by_name = rows(found)
    assert list(by_name) == [BASELINE, RANDOM, ORACLE, "trees", "knn", "multitask, guarded"]
    assert {row.score.n for row in found.rows} == {120}
    baseline = by_name[BASELINE].score.estimate
    for row in found.rows:
        if row.gain is not None:
            assert row.gain.estimate == pytest.approx(row.score.estimate - baseline)
    assert by_name["trees"].gain is not None
    assert by_name["trees"].gain.low > 0
    assert by_name[RANDOM].score.estimate < baseline < by_name[ORACLE].score.estimate
    assert found.deployed.name == "multitask, guarded"
    assert found.headroom.gain.kind == "interval"


def test_where_nothing_is_to_be_gained_the_default_claims_nothing_though_the_oracle_shines() -> None:
    rates = np.tile([0.6, 0.4, 0.1], (150, 1))
    found = compare_policies(
        table(rates, repeats=3, seed=101, queries=phrased(150, seed=1)[0]), seed=0, scorers=("knn",)
    )
    gain = found.deployed.gain
    assert gain is not None
    assert gain.low <= 0 <= gain.high
    assert rows(found)[ORACLE].score.estimate > rows(found)[BASELINE].score.estimate + 0.05
    assert not found.headroom.is_worthwhile


def test_picks_without_an_outcome_count_as_the_static_prompt_and_queries_without_that_are_left_out() -> None:
    queries, rates = phrased(100, seed=2)
    whole = table(np.add(rates, [0.15, 0.0, 0.0]), repeats=2, seed=2, queries=queries)
    repeats = whole.repeats.copy()
    repeats[:20, 1] = 0  # nobody tried the puzzles' prompt on these
    repeats[20:25, 0] = 0  # nor the sums' prompt, the best single one, on these
    found = compare_policies(
        replace(whole, repeats=repeats, totals=whole.totals * (repeats > 0)), seed=0, scorers=("knn",)
    )
    assert found.left_out == 5
    assert found.queries == 95
    assert 0 < rows(found)["knn"].unlogged <= 20
    gain, switch_rate = rows(found)["knn"].gain, rows(found)["knn"].switch_rate
    assert gain is not None
    assert switch_rate is not None
    assert gain.n == 95


def test_the_same_seed_gives_the_same_table_and_what_can_not_be_compared_is_refused() -> None:
    queries, rates = phrased(40, seed=3)
    data = table(rates, repeats=2, seed=3, queries=queries)
    names: list[str] = []
    first = compare_policies(data, seed=5, scorers=("knn",), show=names.append)
    assert first == compare_policies(data, seed=5, scorers=("knn",))
    assert names == ["knn", "multitask, guarded"]
    with pytest.raises(ConfigError, match="unknown scorer 'tree'; did you mean 'trees'"):
        compare_policies(data, seed=0, scorers=("tree",))
    with pytest.raises(DataError, match="needs 20 or more"):
        compare_policies(data.select_rows(range(12)), seed=0)
