"""Embedders and the model that returns likelihoods keep their contracts."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pytest

from askwell.core.protocols import Embedder, LikelihoodModel
from askwell.core.text import hashed_counts
from askwell.models.embedder import LexicalEmbedder, SentenceEmbedder
from askwell.models.local import LocalModel
from askwell.testing import EmbedderContract, LikelihoodModelContract


class TestLexicalEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> Embedder:
        return LexicalEmbedder()


class Rows:
    """An array with one row per text."""

    def __init__(self, rows: list[list[float]]) -> None:
        self.rows = rows

    def tolist(self) -> list[list[float]]:
        return self.rows


class CountingEncoder:
    """Stands for a sentence-transformers model: the counts of a text's words and trigrams, at unit length."""

    def encode(self, texts: list[str], *, normalize_embeddings: bool, show_progress_bar: bool) -> Rows:
        assert normalize_embeddings
        assert not show_progress_bar
        return Rows([self._encode(text) for text in texts])

    def _encode(self, text: str) -> list[float]:
        counts: Counter[int] = Counter({0: 1})  # so that an empty text has a direction too
        for bucket, count in hashed_counts(text).items():
            counts[1 + bucket % 512] += count
        length = math.sqrt(sum(count * count for count in counts.values()))
        return [counts[bucket] / length for bucket in range(513)]


class TestSentenceEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> Embedder:
        return SentenceEmbedder("some/model", load=lambda _: CountingEncoder())


class TestLocalModel(LikelihoodModelContract):
    @pytest.fixture
    def likelihood_model(self, checkpoint: Path) -> LikelihoodModel:
        pytest.importorskip("torch")
        return LocalModel(str(checkpoint), dtype="float64")
