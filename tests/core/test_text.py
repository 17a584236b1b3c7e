import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askwell.core.text import cosine, edit_distance, hashed_counts, term_rarities, tfidf, word_runs, words

TEXTS = st.lists(st.sampled_from(["add", "all", "numbers", "the", "step."]), max_size=7).map(" ".join)


def test_counts_inserted_deleted_and_substituted_words():
    assert edit_distance("Add all the numbers.", "Add all the numbers.") == 0
    assert edit_distance("Add all the numbers.", "Add the numbers.") == 1
    assert edit_distance("Add the numbers.", "Add all the numbers now.") == 2
    assert edit_distance("Add the numbers.", "Sort the words.") == 2
    assert edit_distance("", "Think step by step.") == 4
    assert edit_distance("a b c d", "b c d e") == 2


def test_case_and_punctuation_around_words_cost_nothing():
    assert edit_distance("Let's think: step by step!", "let's think step by STEP") == 0
    assert words("a + b") == ["a", "+", "b"]


def test_scripts_without_spaces_count_characters():
    assert words("数える") == ["数", "え", "る"]


@given(TEXTS, TEXTS, TEXTS)
def test_is_a_metric(a: str, b: str, c: str):
    assert edit_distance(a, b) == edit_distance(b, a)
    assert (edit_distance(a, b) == 0) == (words(a) == words(b))
    assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)


@given(TEXTS, TEXTS)
def test_lies_between_the_difference_and_the_larger_of_the_lengths(a: str, b: str):
    sizes = len(words(a)), len(words(b))
    assert abs(sizes[0] - sizes[1]) <= edit_distance(a, b) <= max(sizes)


@given(st.text(max_size=40), st.text(max_size=40))
def test_never_raises(a: str, b: str):
    assert edit_distance(a, b) >= 0


def test_word_runs_are_all_runs_of_one_size():
    assert word_runs(["a", "b", "c"], 2) == [("a", "b"), ("b", "c")]
    assert word_runs(["a"], 2) == []


def test_rare_terms_weigh_more_and_unknown_ones_nothing():
    rarities = term_rarities([["the", "cat"], ["the", "dog", "dog"]])
    assert rarities == {"the": math.log(3 / 2), "cat": math.log(3), "dog": math.log(3)}
    assert tfidf(["cat", "cat", "bird"], rarities) == {"cat": 2 * math.log(3), "bird": 0.0}


@given(st.text(max_size=30), st.text(max_size=30))
def test_the_cosine_is_symmetric_within_0_and_1_and_1_for_equal_texts(a: str, b: str):
    left, right = hashed_counts(a), hashed_counts(b)
    assert cosine(left, left) == pytest.approx(1)
    assert 0 <= cosine(left, right) <= 1 + 1e-9
    assert cosine(left, right) == pytest.approx(cosine(right, left))


def test_a_vector_of_length_zero_is_like_nothing_but_an_empty_one_equals_another():
    assert cosine({}, {}) == 1
    assert cosine({}, {"a": 1}) == 0
    assert cosine({"a": 0.0}, {"a": 1.0}) == 0
