"""Embedders: how similar two prompts are, for retrieval by relevance.

The paper uses BGE. `lexical` needs nothing but the standard library and gives the same numbers in every process.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import Protocol, cast

from askwell.edits import words
from askwell.errors import ConfigError

DEFAULT_SENTENCE_MODEL = "BAAI/bge-small-en-v1.5"
_PREFIX = "sentence-transformers:"


class Embedder(Protocol):
    """Say how similar texts are to one text.

    Contract: one number a text, in their order, higher is more alike, at most 1 (equal texts get 1 up to rounding);
    pure: the same texts give the same numbers.
    """

    def similarities(self, text: str, others: Sequence[str]) -> list[float]: ...


class LexicalEmbedder:
    """Cosine of hashed word and character-trigram counts."""

    def similarities(self, text: str, others: Sequence[str]) -> list[float]:
        query = _features(text)
        return [_cosine(query, _features(other)) for other in others]


class SentenceEmbedder:
    """Cosine of a sentence-transformers model's embeddings. The model is loaded once, at the first comparison."""

    def __init__(self, model: str = DEFAULT_SENTENCE_MODEL, *, load: Callable[[str], Encoder] | None = None) -> None:
        self._model = model
        self._load = load or _load_encoder
        self._encoder: Encoder | None = None
        self._vectors: dict[str, Sequence[float]] = {}

    def similarities(self, text: str, others: Sequence[str]) -> list[float]:
        self._remember([text, *others])
        query = self._vectors[text]
        return [math.fsum(a * b for a, b in zip(query, self._vectors[other], strict=True)) for other in others]

    def _remember(self, texts: Sequence[str]) -> None:
        unseen = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        if unseen:
            self._encoder = self._encoder or self._load(self._model)
            vectors = self._encoder.encode(unseen, normalize_embeddings=True, show_progress_bar=False)
            self._vectors.update(zip(unseen, vectors.tolist(), strict=True))


class Vectors(Protocol):
    """An array of one row a text."""

    def tolist(self) -> list[list[float]]: ...


class Encoder(Protocol):
    """The one method of a sentence-transformers model that is used here."""

    def encode(self, texts: list[str], *, normalize_embeddings: bool, show_progress_bar: bool) -> Vectors: ...


def _load_encoder(model: str) -> Encoder:
    try:
        library = importlib.import_module("sentence_transformers")
    except ImportError as error:
        raise ConfigError(
            f"the embedder {_PREFIX + model!r} needs sentence-transformers; "
            f"pip install 'askwell[embed]', or choose embedder = \"lexical\""
        ) from error
    try:
        return cast(Encoder, library.SentenceTransformer(model, device="cpu"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"can't load the embedding model {model!r} ({error}); give the path of a local one, "
            f'or choose embedder = "lexical"'
        ) from error


def default_embedder() -> str:
    """Name the embedder that "auto" stands for here: a logged config holds this name, never "auto".

    The paper's, where sentence-transformers is installed and the model is on this machine; else "lexical". No download
    is started that nobody asked for: name the model to have it fetched.
    """
    if importlib.util.find_spec("sentence_transformers") is None:
        return "lexical"
    hub = importlib.import_module("huggingface_hub")  # a dependency of sentence-transformers
    here = isinstance(hub.try_to_load_from_cache(DEFAULT_SENTENCE_MODEL, "config.json"), str)
    return _PREFIX + DEFAULT_SENTENCE_MODEL if here else "lexical"


@cache
def embedder_named(name: str) -> Embedder:
    """Return the one embedder of this name: "lexical", "sentence-transformers:MODEL_OR_PATH", or "auto"."""
    if name == "auto":
        return embedder_named(default_embedder())
    if name == "lexical":
        return LexicalEmbedder()
    if name.startswith(_PREFIX) and len(name) > len(_PREFIX):
        return SentenceEmbedder(name.removeprefix(_PREFIX))
    raise ConfigError(f"unknown embedder {name!r}; choose 'lexical', 'auto' or '{_PREFIX}MODEL_OR_PATH'")


@cache
def _features(text: str) -> Counter[int]:
    # crc32, not hash(): the built-in one differs from process to process
    found: Counter[int] = Counter()
    for word in words(text):
        found[zlib.crc32(word.encode("utf-8", "surrogatepass"))] += 2
        padded = f" {word} "
        found.update(zlib.crc32(padded[i : i + 3].encode("utf-8", "surrogatepass")) for i in range(len(padded) - 2))
    return found


def _cosine(left: Counter[int], right: Counter[int]) -> float:
    if not left or not right:
        return float(left == right)
    dot = sum(count * right[key] for key, count in left.items() if key in right)
    return dot / math.sqrt(sum(c * c for c in left.values()) * sum(c * c for c in right.values()))
