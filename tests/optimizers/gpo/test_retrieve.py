"""The retrievers of past prompts."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from askwell.core.types import Candidate, Prompt
from askwell.models.embedder import LexicalEmbedder
from askwell.optimizers.gpo.retrieve import RETRIEVERS


class ByNumber:
    """Similarity that a test can choose: texts are numbers, the nearer the more alike."""

    def similarities(self, text: str, others: Sequence[str]) -> list[float]:
        return [-abs(float(text) - float(other)) for other in others]


def candidate(step: int, text: str, score: float = 0.5) -> Candidate:
    return Candidate(step=step, prompt=Prompt(instruction=text), score=score, n=48)


NUMBERED = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4)), max_size=12).map(
    lambda pairs: [candidate(step, str(number), score / 4) for step, (number, score) in enumerate(pairs)]
)
CURRENT = candidate(99, "4", 0.5)
NAMES = st.sampled_from(sorted(RETRIEVERS))


def retrieved(name: str, past: Sequence[Candidate], k: int, seed: int = 0) -> list[Candidate]:
    return RETRIEVERS[name].retrieve(past, CURRENT, k, ByNumber(), seed)


@given(NAMES, NUMBERED, st.integers(0, 9), st.integers(0, 3))
def test_retrieval_returns_k_distinct_past_prompts_and_is_pure(name: str, past: list[Candidate], k: int, seed: int):
    found = retrieved(name, past, k, seed)
    assert len(found) == min(k, len(past))
    assert len({c.step for c in found}) == len(found)
    assert {(c.step, c.prompt) for c in found} <= {(c.step, c.prompt) for c in past}
    assert found == retrieved(name, past, k, seed)


@given(NUMBERED, st.integers(1, 9))
def test_relevance_is_ascending_the_most_similar_last_and_ties_go_to_the_later(past: list[Candidate], k: int):
    order = sorted(past, key=lambda c: (-abs(4 - int(c.prompt.instruction)), c.step))
    assert retrieved("relevance", past, k) == order[-k:]


@given(NUMBERED, st.integers(1, 9))
def test_importance_is_ascending_the_best_last_and_ties_go_to_the_later(past: list[Candidate], k: int):
    assert retrieved("importance", past, k) == sorted(past, key=lambda c: (c.score, c.step))[-k:]


@given(NUMBERED, st.integers(1, 9))
def test_recency_is_in_order_of_time(past: list[Candidate], k: int):
    assert retrieved("recency", past, k) == past[-k:]


@given(NUMBERED, st.integers(0, 9))
def test_shuffled_keeps_prompts_and_order_and_permutes_the_scores(past: list[Candidate], seed: int):
    found = retrieved("shuffled", past, len(past), seed)
    assert [c.prompt for c in found] == [c.prompt for c in retrieved("relevance", past, len(past))]
    assert sorted(c.score for c in found) == sorted(c.score for c in past)


def test_shuffled_scores_depend_on_the_seed():
    past = [candidate(i, str(i), i / 10) for i in range(8)]
    dealt = {tuple(c.score for c in retrieved("shuffled", past, 8, seed)) for seed in range(10)}
    assert len(dealt) > 5


@given(NUMBERED)
def test_diverse_with_one_entry_takes_the_largest_product_of_relevance_and_score(past: list[Candidate]):
    found = RETRIEVERS["diverse"].retrieve(past, CURRENT, 1, LexicalEmbedder(), 0)
    alike = LexicalEmbedder().similarities("4", [c.prompt.instruction for c in past])
    value = [max(0.05, near) * max(0.05, c.score) for near, c in zip(alike, past, strict=True)]
    assert [max(value)] == [value[past.index(c)] for c in found] if past else found == []


@given(NUMBERED, st.integers(1, 6))
def test_diverse_picks_are_a_prefix_of_more_picks_the_first_pick_last(past: list[Candidate], k: int):
    shorter, longer = (RETRIEVERS["diverse"].retrieve(past, CURRENT, n, LexicalEmbedder(), 0) for n in (k, k + 1))
    assert longer[len(longer) - len(shorter) :] == shorter


def test_diverse_skips_a_copy_of_a_shown_prompt():
    past = [
        candidate(0, "Count the even numbers in the list.", 0.8),
        candidate(1, "Count all the even numbers in the list.", 0.8),
        candidate(2, "Sort the words by letter.", 0.7),
        candidate(3, "Be polite.", 0.0),
    ]
    current = candidate(9, "Count the even numbers, then sort the words.")
    found = RETRIEVERS["diverse"].retrieve(past, current, 2, LexicalEmbedder(), 0)
    assert {c.step for c in found} in ({0, 2}, {1, 2})


def test_random_takes_all_equally_often():
    past = [candidate(i, str(i)) for i in range(4)]
    counts = [0] * 4
    for seed in range(400):
        for found in retrieved("random", past, 2, seed):
            counts[found.step] += 1
    assert all(150 < count < 250 for count in counts)


def test_relevance_with_the_lexical_embedder_ranks_the_most_similar_prompt_last():
    past = [candidate(0, "Sort the words."), candidate(1, "Add the numbers up."), candidate(2, "Be polite, please.")]
    found = RETRIEVERS["relevance"].retrieve(past, candidate(3, "Add up all the numbers."), 2, LexicalEmbedder(), 0)
    assert found[-1].step == 1
