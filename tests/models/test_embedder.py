import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askwell.core.errors import ConfigError
from askwell.models.embedder import LexicalEmbedder, SentenceEmbedder, default_embedder, get_embedder


@given(st.text(max_size=30), st.lists(st.text(max_size=30), max_size=4))
def test_lexical_similarities_lie_in_0_to_1_and_a_text_is_most_like_itself(text: str, others: list[str]):
    found = LexicalEmbedder().similarities(text, [*others, text])
    assert len(found) == len(others) + 1
    assert all(0 <= value <= 1 + 1e-9 for value in found)
    assert found[-1] == pytest.approx(1)


def test_wordings_of_one_thing_are_more_alike_than_different_things():
    near, far = LexicalEmbedder().similarities(
        "Count the even numbers.", ["How many numbers are even?", "Translate the text into French."]
    )
    assert near > far + 0.1


def test_lexical_numbers_are_the_same_in_every_process():
    code = (
        "from askwell.models.embedder import LexicalEmbedder as L;"
        "print(L().similarities('Count the even numbers.', ['even numbers', 'odd words', '数']))"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(runs) == 1


def test_an_embedder_is_loaded_once():
    assert get_embedder("lexical") is get_embedder("lexical")
    assert get_embedder("auto") is get_embedder(default_embedder())
    assert default_embedder() != "auto"


@pytest.mark.parametrize("name", ["lexcal", "sentence-transformers:", ""])
def test_an_unknown_name_is_refused(name: str):
    with pytest.raises(ConfigError, match="unknown embedder"):
        get_embedder(name)


class Rows:
    def __init__(self, rows: list[list[float]]) -> None:
        self.rows = rows

    def tolist(self) -> list[list[float]]:
        return self.rows


class LengthEncoder:
    """Long and short texts at right angles; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def encode(self, texts: list[str], *, normalize_embeddings: bool, show_progress_bar: bool) -> Rows:
        assert normalize_embeddings
        assert not show_progress_bar
        self.asked.append(texts)
        return Rows([[1.0, 0.0] if len(text) > 3 else [0.0, 1.0] for text in texts])


def test_a_sentence_model_is_loaded_once_and_each_text_embedded_once():
    encoder, loaded = LengthEncoder(), list[str]()

    def load(model: str) -> LengthEncoder:
        loaded.append(model)
        return encoder

    embedder = SentenceEmbedder("some/model", load=load)
    assert loaded == []
    assert embedder.similarities("long text", ["a", "another", "a"]) == [0.0, 1.0, 0.0]
    assert embedder.similarities("another", ["a", "new text"]) == [0.0, 1.0]
    assert loaded == ["some/model"]
    assert embedder.vectors(["a", "another", "a"]) == [[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]
    assert encoder.asked == [["long text", "a", "another"], ["new text"]]


@pytest.mark.slow
def test_a_missing_sentence_model_says_what_to_do():
    embedder = get_embedder("sentence-transformers:/no/such/model")
    with pytest.raises(ConfigError, match="lexical"):
        embedder.similarities("a", ["b"])
