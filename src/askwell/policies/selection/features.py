"""Query texts as vectors: TF-IDF of words and templates, and surface facts.

Numbers become `#`, so that "had 42 lives" and "had 71 lives" are one phrase. `template` also blanks every word that few
queries share: names and things go, the phrasing stays.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# (scikit-learn has no type stubs: only its TfidfVectorizer is used here)
from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, Protocol, cast

from askwell.core.errors import ConfigError, nearest
from askwell.policies.data.arrays import Floats, np
from askwell.policies.selection.surface_features import NUMBER, extract_surface_facts

TextView = Literal["word", "template"]

_TOKEN = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?|#|[$%]")

TEMPLATE_SHARE = 0.03
"""A word stays in a template if at least this share of the queries holds it (and two of them)."""

NGRAMS: Mapping[TextView, tuple[int, int]] = MappingProxyType({"word": (1, 2), "template": (1, 3)})


class Features(Protocol):
    """Turn texts into rows of about unit length, so that their inner product is a similarity.

    Contract: `rows` returns (texts, dimensions), a scipy sparse matrix or an array, and is pure; `state` holds JSON
    values from which `restore_features` builds the same features again.
    """

    def transform(self, texts: Sequence[str]) -> Any: ...  # noqa: ANN401 - scipy's sparse matrices have no types

    def state(self) -> dict[str, object]: ...


@dataclass(frozen=True, slots=True, eq=False)
class TfidfFeatures:
    """TF-IDF (sublinear counts) of one view of the texts; terms of a single text are left out."""

    view: TextView
    kept_words: frozenset[str]
    vectorizer: Any

    def transform(self, texts: Sequence[str]) -> Any:  # noqa: ANN401
        return self.vectorizer.transform([apply_view(text, self.view, self.kept_words) for text in texts])

    def state(self) -> dict[str, object]:
        terms = sorted(self.vectorizer.vocabulary_.items(), key=lambda item: item[1])
        return {
            "kind": "tfidf",
            "view": self.view,
            "kept_words": sorted(self.kept_words),
            "terms": [term for term, _ in terms],
            "idf": [float(value) for value in self.vectorizer.idf_],
        }


@dataclass(frozen=True, slots=True, eq=False)
class SurfaceFeatures:
    """Facts of the surface (see `askwell.policies.selection.surface_features`), standardised."""

    means: Floats
    spreads: Floats

    def transform(self, texts: Sequence[str]) -> Floats:
        facts = (np.array([extract_surface_facts(text) for text in texts]) - self.means) / self.spreads
        return np.clip(facts, -4.0, 4.0) / math.sqrt(facts.shape[1])

    def state(self) -> dict[str, object]:
        return {"kind": "surface", "means": self.means.tolist(), "spreads": self.spreads.tolist()}


def fit_tfidf(view: TextView, texts: Sequence[str]) -> TfidfFeatures:
    """Learn the vocabulary of one view."""
    lowered = [blank_numbers(text) for text in texts]
    counts = Counter(word for text in lowered for word in set(_TOKEN.findall(text)))
    at_least = max(2, math.ceil(TEMPLATE_SHARE * len(texts)))
    kept = frozenset(word for word, n in counts.items() if n >= at_least) if view == "template" else frozenset[str]()
    vectorizer = _vectorizer(view, min_df=2 if len(texts) > 20 else 1)
    vectorizer.fit([apply_view(text, view, kept) for text in texts])
    return TfidfFeatures(view, kept, vectorizer)


def fit_surface(texts: Sequence[str]) -> SurfaceFeatures:
    """Learn the mean and spread of each surface fact."""
    facts = np.array([extract_surface_facts(text) for text in texts])
    spreads = facts.std(axis=0)
    return SurfaceFeatures(facts.mean(axis=0), np.where(spreads > 1e-6, spreads, 1.0))


def fit_features(name: str, texts: Sequence[str]) -> Features:
    """Fit features by name; raises `ConfigError` for an unknown one, or a missing dependency."""
    fitters: dict[str, Callable[[], Features]] = {
        "word": lambda: fit_tfidf("word", texts),
        "template": lambda: fit_tfidf("template", texts),
        "surface": lambda: fit_surface(texts),
    }
    if name not in fitters:
        raise ConfigError(f"unknown features {name!r}; {nearest(name, fitters)}")
    return fitters[name]()


def restore_features(state: Mapping[str, object]) -> Features:
    """Build features from what `state()` gave."""
    if state["kind"] == "surface":
        return SurfaceFeatures(np.array(state["means"], dtype=float), np.array(state["spreads"], dtype=float))
    view = cast("TextView", state["view"])
    vectorizer = _vectorizer(view, min_df=1)
    vectorizer.vocabulary = cast("list[str]", state["terms"])
    vectorizer.idf_ = np.array(state["idf"], dtype=float)
    return TfidfFeatures(view, frozenset(cast("list[str]", state["kept_words"])), vectorizer)


def blank_numbers(text: str) -> str:
    """Lower case, with each number written as `#`."""
    return NUMBER.sub(" # ", text.lower())


def apply_view(text: str, view: TextView, kept: frozenset[str]) -> str:
    """Return the text as a view's vectorizer reads it."""
    if view == "word":
        return blank_numbers(text)
    return " ".join(word if word in kept else "*" for word in _TOKEN.findall(blank_numbers(text)))


def _vectorizer(view: TextView, *, min_df: int) -> Any:  # noqa: ANN401
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
    except ImportError as error:
        raise ConfigError("selection policies need scikit-learn: pip install 'askwell[select]'") from error
    return TfidfVectorizer(
        tokenizer=str.split,
        token_pattern=cast("str", None),  # unused beside a tokenizer; any other value is warned about
        ngram_range=NGRAMS[view],
        sublinear_tf=True,
        min_df=min_df,
        lowercase=False,
    )
