"""Embedders: the similarity of texts, by word counts or by a sentence-transformers model.

The GPO paper retrieves past prompts with BGE. `lexical` needs only the standard library and returns the same numbers in
every process.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Protocol, cast

from askwell.core.errors import ConfigError
from askwell.core.protocols import Embedder
from askwell.core.text import cosine, hashed_counts

DEFAULT_SENTENCE_MODEL = "BAAI/bge-small-en-v1.5"
_PREFIX = "sentence-transformers:"


class LexicalEmbedder:
    """Cosine of hashed word and character-trigram counts."""

    def similarities(self, text: str, others: Sequence[str]) -> list[float]:
        query = hashed_counts(text)
        return [cosine(query, hashed_counts(other)) for other in others]


class SentenceEmbedder:
    """Embeddings of a sentence-transformers model, and their cosine. The model is loaded at the first text."""

    def __init__(self, model: str = DEFAULT_SENTENCE_MODEL, *, load: Callable[[str], Encoder] | None = None) -> None:
        self._model = model
        self._load = load or _load_encoder
        self._encoder: Encoder | None = None
        self._vectors: dict[str, Sequence[float]] = {}

    def similarities(self, text: str, others: Sequence[str]) -> list[float]:
        query, *rest = self.vectors([text, *others])
        return [math.fsum(a * b for a, b in zip(query, vector, strict=True)) for vector in rest]

    def vectors(self, texts: Sequence[str]) -> list[Sequence[float]]:
        """Return the unit-length embedding of each text, in order. Each distinct text is encoded once."""
        unseen = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        if unseen:
            self._encoder = self._encoder or self._load(self._model)
            encoded = self._encoder.encode(unseen, normalize_embeddings=True, show_progress_bar=False)
            self._vectors.update(zip(unseen, encoded.tolist(), strict=True))
        return [self._vectors[text] for text in texts]


class Array(Protocol):
    """An array with one row per text."""

    def tolist(self) -> list[list[float]]: ...


class Encoder(Protocol):
    """The part of a sentence-transformers model that is used here."""

    def encode(self, texts: list[str], *, normalize_embeddings: bool, show_progress_bar: bool) -> Array: ...


def require_package(name: str) -> None:
    """Raise `ConfigError` if the embedder of this name needs a package that is not installed."""
    if name.startswith(_PREFIX) and importlib.util.find_spec("sentence_transformers") is None:
        raise ConfigError(
            f"the embedder {name!r} needs sentence-transformers; "
            f"pip install 'askwell[embed]', or choose embedder = \"lexical\""
        )


def _load_encoder(model: str) -> Encoder:
    require_package(_PREFIX + model)
    library = importlib.import_module("sentence_transformers")
    try:
        return cast(Encoder, library.SentenceTransformer(model, device="cpu"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"can't load the embedding model {model!r} ({error}); give the path of a local one, "
            f'or choose embedder = "lexical"'
        ) from error


def default_embedder() -> str:
    """Return the name of the embedder that "auto" stands for on this machine; a logged config holds this name.

    It is the paper's if sentence-transformers is installed and the model is in the local cache; else "lexical".
    Nothing is downloaded unless the user names a model.
    """
    if importlib.util.find_spec("sentence_transformers") is None:
        return "lexical"
    hub = importlib.import_module("huggingface_hub")  # a dependency of sentence-transformers
    cached = isinstance(hub.try_to_load_from_cache(DEFAULT_SENTENCE_MODEL, "config.json"), str)
    return _PREFIX + DEFAULT_SENTENCE_MODEL if cached else "lexical"


@cache
def get_embedder(name: str) -> Embedder:
    """Return the (shared) embedder of this name: "lexical", "sentence-transformers:MODEL_OR_PATH", or "auto"."""
    if name == "auto":
        return get_embedder(default_embedder())
    if name == "lexical":
        return LexicalEmbedder()
    if name.startswith(_PREFIX) and len(name) > len(_PREFIX):
        return SentenceEmbedder(name.removeprefix(_PREFIX))
    raise ConfigError(f"unknown embedder {name!r}; choose 'lexical', 'auto' or '{_PREFIX}MODEL_OR_PATH'")
