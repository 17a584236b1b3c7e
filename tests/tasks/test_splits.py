"""Splits: contents, sizes and refusals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askwell.core.errors import AskwellError, ConfigError, DataError
from askwell.core.types import Example, Split
from askwell.tasks.questions import normalize_question
from askwell.tasks.splits import (
    SPLITS,
    Size,
    check_disjoint,
    join_splits,
    split,
    split_sizes,
)


def example(identity: str, text: str, target: str = "t") -> Example:
    return Example(id=identity, input=text, target=target)


def numbered(n: int) -> list[Example]:
    return [example(f"e{index}", f"question {index}") for index in range(n)]


sources = st.lists(st.text("ab ?1", min_size=1, max_size=4), min_size=1, max_size=30).map(
    lambda texts: [example(f"e{index}", text) for index, text in enumerate(texts)]
)


@given(sources, st.integers(), st.data())
def test_a_split_is_disjoint_exact_and_repeatable(source: list[Example], seed: int, data: st.DataObject) -> None:
    n = len({normalize_question(item.input) for item in source})
    train = data.draw(st.integers(0, n))
    dev = data.draw(st.integers(0, n - train))
    test = data.draw(st.integers(0, n - train - dev))
    drawn = split(source, train=train, dev=dev, test=test, seed=seed)
    assert {name: len(members) for name, members in drawn.items()} == {"train": train, "dev": dev, "test": test}
    together = [item for members in drawn.values() for item in members]
    assert len({normalize_question(item.input) for item in together}) == len(together)
    assert all(item in source for item in together)
    check_disjoint(drawn)
    assert split(source, train=train, dev=dev, test=test, seed=seed) == drawn


@given(st.permutations(numbered(12)), st.integers(0, 5))
def test_the_order_of_the_source_does_not_matter(shuffled: list[Example], seed: int) -> None:
    assert split(shuffled, seed=seed) == split(numbered(12), seed=seed)


def test_seeds_draw_differently_and_evenly() -> None:
    source = numbered(50)
    chosen = [frozenset(item.id for item in split(source, test=10, seed=seed)["test"]) for seed in range(200)]
    assert len(set(chosen)) == 200
    counts = [sum(item.id in ids for ids in chosen) for item in source]
    assert min(counts) >= 20
    assert max(counts) <= 65  # 40 expected, standard deviation 5.7


def test_more_examples_leave_most_where_they_were() -> None:
    before = {item.id: name for name, members in split(numbered(200), seed=1).items() for item in members}
    after = {item.id: name for name, members in split(numbered(210), seed=1).items() for item in members}
    assert sum(after.get(identity) == name for identity, name in before.items()) > 180


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (3, (1, 1, 1)), (4, (1, 1, 2)), (5, (1, 1, 3)), (100, (20, 20, 60)), (250, (50, 50, 150)), (187, (37, 37, 113)),
        (500, (100, 100, 300)), (5000, (100, 100, 300)),
    ],
)  # fmt: skip
def test_default_sizes_are_the_papers_ratio(n: int, expected: tuple[int, int, int]) -> None:
    assert tuple(split_sizes(n).values()) == expected


@pytest.mark.parametrize(
    ("n", "train", "dev", "test", "expected"),
    [
        (250, 48, 48, 144, (48, 48, 144)),
        (250, 48, None, None, (48, 50, 152)),
        (100, None, 50, None, (12, 50, 38)),
        (100, 0, None, 0, (0, 100, 0)),
        (10, 0.2, 0.2, 0.6, (2, 2, 6)),
        (7, 0.2, 0.2, 0.6, (1, 1, 4)),
        (9, 0.5, 0.5, None, (4, 4, 1)),
        (10, 1.0, 0, 0, (1, 0, 0)),
        (10, 1, 1.0, 2.0, (1, 1, 2)),
        (10, 0.0, 0.999, 0.001, (0, 9, 0)),
    ],
)
def test_sizes(n: int, train: Size, dev: Size, test: Size, expected: tuple[int, int, int]) -> None:
    assert tuple(split_sizes(n, train=train, dev=dev, test=test).values()) == expected


@given(st.integers(3, 2000), st.lists(st.none() | st.floats(0.01, 0.33), min_size=3, max_size=3))
def test_fractions_never_exceed_the_number_of_examples(n: int, shares: list[float | None]) -> None:
    sizes = split_sizes(n, train=shares[0], dev=shares[1], test=shares[2])
    assert sum(sizes.values()) <= n
    assert min(sizes.values()) >= 0


@pytest.mark.parametrize(
    ("sizes", "error", "message"),
    [
        ((48, 48, 144), DataError, r"10 different examples are too few for train 48, dev 48, test 144: 230 short"),
        ((5, 5, None), DataError, "too few for train 5, dev 5, test at least 1: 1 short"),
        ((0.6, 0.6, 0), DataError, "too few for train 6, dev 6, test 0: 2 short"),
        ((-1, 1, 1), ConfigError, "size of train is -1"),
        ((1, 1.5, 1), ConfigError, r"size of dev is 1\.5; expected a share between 0 and 1, or a whole number"),
        ((1, 2.9, 1), ConfigError, r"size of dev is 2\.9"),
        ((1, 1, -0.5), ConfigError, "size of test"),
        ((1, 1, float("inf")), ConfigError, "size of test"),
        ((1, float("nan"), 1), ConfigError, "size of dev is nan"),
        ((True, 1, 1), ConfigError, "size of train is True"),
    ],
)
def test_invalid_sizes(sizes: tuple[Size, Size, Size], error: type[AskwellError], message: str) -> None:
    with pytest.raises(error, match=message):
        split(numbered(10), train=sizes[0], dev=sizes[1], test=sizes[2], seed=0)


def test_half_a_surrogate_pair_can_be_split() -> None:
    assert len(split([example(str(index), f"\ud800{index}") for index in range(3)], seed=0)["test"]) == 1


def test_an_overlap_names_both_examples_and_the_text() -> None:
    splits: dict[Split, tuple[Example, ...]] = {
        "train": (example("a", "One?"),),
        "dev": (example("b", "Two?"),),
        "test": (example("c", "Three?"), example("d", "one")),
    }
    with pytest.raises(DataError, match=r"train example 'a' and test example 'd' ask the same: 'one'") as caught:
        check_disjoint(splits)
    assert caught.value.exit_status == 2
    with pytest.raises(DataError, match="ask the same"):
        join_splits(**splits)


def test_rows_with_different_targets_never_block_a_run() -> None:
    splits: dict[Split, tuple[Example, ...]] = {
        "train": (example("a", "Compute 5²", "25"), example("b", "Which?", "x")),
        "dev": (example("c", "Compute 52", "52"),),
        "test": (example("d", "Which?", "y"),),
    }
    assert join_splits(**splits) == splits


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("123")), min_size=8, max_size=30), st.integers())
def test_rows_of_one_question_come_into_one_split_where_the_sizes_permit(
    rows: list[tuple[str, str]], seed: int
) -> None:
    unique = sorted(set(rows))
    source = [example(f"{text}{target}", text, target) for text, target in unique]
    third = len(source) // 3
    drawn = split(source, train=third, dev=third, test=None, seed=seed)
    assert [len(drawn["train"]), len(drawn["dev"])] == [third, third]
    together = [item.id for members in drawn.values() for item in members]
    assert len(set(together)) == len(together)
    assert split(source[::-1], train=third, dev=third, test=None, seed=seed) == drawn


def test_pairs_of_rows_are_kept_together() -> None:
    source = [example(f"{number}{target}", f"question {number}", target) for number in range(10) for target in "01"]
    drawn = split(source, seed=3)
    questions = [{item.input for item in members} for members in drawn.values()]
    assert [len(members) for members in drawn.values()] == [4, 4, 12]
    assert sum(map(len, questions)) == 10


def test_duplicates_within_one_given_split_are_kept() -> None:
    twice = (example("a", "One?"), example("b", "one"))
    assert join_splits(train=twice, dev=(), test=())["train"] == twice


def test_given_splits_with_equal_ids_get_unique_ids() -> None:
    joined = join_splits(train=[example("1", "a")], dev=[example("1", "b")], test=[example("2", "c")])
    assert [item.id for name in SPLITS for item in joined[name]] == ["train/1", "dev/1", "test/2"]
    kept = join_splits(train=[example("1", "a")], dev=[example("2", "b")])
    assert [item.id for name in SPLITS for item in kept[name]] == ["1", "2"]
