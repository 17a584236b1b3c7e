from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askwell.core.errors import ConfigError, DataError
from askwell.core.types import Completion, Example, Prompt, Rollout, Score
from askwell.policies.data.outcomes import (
    OutcomeRow,
    build_experiences,
    check_splits,
    convert_rollouts,
    drop_queries,
    keep_queries,
    merge,
    select_target,
    split_outcomes,
)
from askwell.policies.data.summary import summarize
from askwell.tasks.questions import identify_question


def row(query: str, prompt: str = "p", total: float = 1.0, **more: object) -> OutcomeRow:
    return OutcomeRow(query=query, prompt=prompt, total=total, **more)  # pyright: ignore[reportArgumentType]


def test_rows_add_up_by_query_and_failures_stay() -> None:
    outcomes = merge(
        [row("How many?"), row(" How many?\n", total=0.0), row("How many?", prompt="q", total=0.0, repeats=3)]
    ).pairs
    assert [(pair.query, pair.prompt, pair.total, pair.repeats) for pair in outcomes] == [
        ("How many?", "p", 1.0, 2),
        ("How many?", "q", 0.0, 3),
    ]


def test_a_numbered_sample_counts_once_and_a_conflict_is_counted() -> None:
    outcomes = merge(
        [
            row("a", sample_index=0),
            row("a", sample_index=1, total=0.0),
            row("a ", sample_index=0),
            row("a", sample_index=1, total=1.0),
        ]
    )
    assert (outcomes.pairs[0].total, outcomes.pairs[0].repeats) == (1.0, 2)
    assert (outcomes.copies, outcomes.conflicts) == (2, 1)


def test_target_models_are_never_mixed() -> None:
    outcomes = merge([row("a", target="small"), row("a", target="large", total=0.0)])
    assert [pair.repeats for pair in outcomes.pairs] == [1, 1]
    with pytest.raises(ConfigError, match=r"name one of \['large', 'small'\]"):
        select_target(outcomes)
    assert select_target(outcomes, "large").pairs[0].total == 0.0
    with pytest.raises(ConfigError, match="no outcomes of target model 'huge'"):
        select_target(outcomes, "huge")


def test_confidence_is_averaged_over_repeats() -> None:
    pair = merge([row("a", confidence=-1.0), row("a", confidence=-3.0), row("a")]).pairs[0]
    assert pair.confidence == -2.0
    assert pair.repeats == 3


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (row("", source="f.csv: line 2"), "f.csv: line 2: query ''"),
        (row("a", total=1.5), "expected 0..1"),
        (row("a", total=0.0, repeats=0), "expected 1 or more"),
        (row("a", total=float("nan")), "total score nan"),
    ],
)
def test_bad_rows_are_refused(bad: OutcomeRow, message: str) -> None:
    with pytest.raises(DataError, match=message):
        merge([bad])


def rollout(query: str, value: float | None, **more: object) -> Rollout:
    score = None if value is None else Score(value=value)
    settings = {"step": 0, "split": "dev", "prompt": Prompt(instruction="p"), "example_id": "e", **more}
    return Rollout(query=query, completion=Completion(), score=score, **settings)  # pyright: ignore[reportArgumentType]


def test_run_logs_give_rows_without_test_split_failed_calls_and_demonstrations() -> None:
    demo = Example(id="d", input="x", target="y")
    rows = convert_rollouts(
        [
            rollout("a", 0.0, sample_index=1),
            rollout("a", 1.0, split="test"),
            rollout("b", None),
            rollout("c", 1.0, prompt=Prompt(instruction="p", demos=(demo,))),
        ],
        target="m",
    )
    assert [(row.query, row.total, row.sample_index, row.target) for row in rows] == [("a", 0.0, 1, "m")]


@given(st.lists(st.text(min_size=1, max_size=6).filter(str.strip), min_size=4, max_size=30), st.integers(0, 5))
def test_splits_never_share_a_query_and_lose_nothing(queries: list[str], seed: int) -> None:
    outcomes = merge(row(query, prompt=prompt) for query in queries for prompt in "pq")
    if len(outcomes.queries) < 3:
        return
    parts = split_outcomes(outcomes, dev=0.34, seed=seed)
    keys = [{identify_question(query) for query in part.queries} for part in parts.values()]
    assert sum(map(len, keys)) == len(set[str]().union(*keys)) == len(outcomes.queries)
    assert sum(len(part.pairs) for part in parts.values()) == len(outcomes.pairs)
    assert parts == split_outcomes(outcomes, dev=0.34, seed=seed)


def test_overlap_between_given_splits_is_refused() -> None:
    with pytest.raises(DataError, match="ask the same"):
        check_splits({"train": merge([row("café?")]), "dev": merge([row(" cafe\u0301?")])})
    for other in ("b", "A", "a."):
        assert set(check_splits({"train": merge([row("a")]), "dev": merge([row(other)])})) == {"train", "dev"}


def test_queries_are_kept_and_dropped_as_the_same_questions() -> None:
    outcomes = merge([row("Compute 5²"), row("Compute 52"), row("b"), row("b", prompt="q")])
    assert outcomes.queries == ("Compute 5²", "Compute 52", "b")
    assert keep_queries(outcomes, [" Compute 5²"]).queries == ("Compute 5²",)
    assert drop_queries(outcomes, ["Compute 52"]).queries == ("Compute 5²", "b")


def test_experiences_keep_failures_and_have_the_advantage() -> None:
    outcomes = merge([row("a", total=0.0), row("a", prompt="s", total=1.0), row("b", total=1.0)])
    found = build_experiences(outcomes, baseline="s")
    assert [(e.reward, e.advantage) for e in found] == [(0.0, -1.0), (1.0, 0.0), (1.0, None)]


def test_summary_counts_and_warns() -> None:
    outcomes = merge([row("a"), row("a", prompt="q"), row("b", repeats=2, total=2.0)])
    found = summarize(outcomes)
    assert (found.queries, found.prompts, found.pairs, found.samples, found.failures) == (2, 2, 3, 4, 0)
    assert found.density == 0.75
    assert found.repeated == pytest.approx(1 / 3)
    assert 0.9 < found.balance < 1.0
    assert any("no failure" in warning for warning in found.warnings)
    with pytest.raises(DataError, match="nothing to learn from"):
        summarize(merge([]))
