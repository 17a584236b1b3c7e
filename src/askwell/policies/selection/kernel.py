"""Similarity of queries: a mean of kernels, each sharp (near-copies of a query count most) or smooth (its kind counts).

Recorded data say that what can be told about a query's best prompt comes mostly from queries with the same phrasing:
hence exp(-distance² / (2 width)) over templates and words, which is exp(-(1 - cosine) / width) for rows of unit length.
A further kernel may multiply the mean: alike are then only queries that are alike by both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from askwell.policies.data.arrays import Floats, np
from askwell.policies.selection.features import Features, fit_features, restore_features


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelTerm:
    """One kernel of the mean."""

    features: str
    """Name of the features (see `askwell.policies.selection.features.fit_features`)."""
    width: float = 0.0
    """Of exp(-distance² / (2 width)); 0 takes the inner product (for rows of unit length: the cosine)."""
    weight: float = 1.0
    multiplies: bool = False
    """Multiplies the mean of the others instead of joining it; its weight doesn't count."""


@dataclass(frozen=True, slots=True, eq=False)
class TextKernel:
    """A fitted kernel between any texts and the texts it was fitted on."""

    terms: tuple[KernelTerm, ...]
    features: Mapping[str, Features]
    texts: tuple[str, ...]
    rows: Mapping[str, Any]
    """Features of `texts`, by name."""

    def gram_matrix(self) -> Floats:
        """Kernel matrix of the fitted texts."""
        return self._from(self.rows)

    def cross_matrix(self, texts: Sequence[str]) -> Floats:
        """Kernel of new texts (rows) with the fitted ones (columns)."""
        return self._from({name: fitted.transform(texts) for name, fitted in self.features.items()})

    def state(self) -> dict[str, object]:
        return {
            "terms": [[term.features, term.width, term.weight, term.multiplies] for term in self.terms],
            "features": {name: fitted.state() for name, fitted in self.features.items()},
            "texts": list(self.texts),
        }

    def _from(self, rows: Mapping[str, Any]) -> Floats:
        total = sum(term.weight for term in self.terms if not term.multiplies)
        mixed: Floats | None = None
        for term in sorted(self.terms, key=lambda term: term.multiplies):
            part = _similarities(rows[term.features], self.rows[term.features], term.width)
            if mixed is not None and term.multiplies:
                mixed *= part
                continue
            part *= term.weight / total
            mixed = part if mixed is None else mixed + part
        assert mixed is not None
        return mixed


def fit_kernel(terms: Sequence[KernelTerm], texts: Sequence[str]) -> TextKernel:
    """Fit the features of each term on the texts."""
    features = {name: fit_features(name, texts) for name in dict.fromkeys(term.features for term in terms)}
    return build_kernel(terms, features, texts)


def restore_kernel(state: Mapping[str, object]) -> TextKernel:
    """Build a kernel from what `state()` gave."""
    terms = cast("list[tuple[str, float, float, bool]]", state["terms"])
    features = cast("Mapping[str, Mapping[str, object]]", state["features"])
    return build_kernel(
        [
            KernelTerm(features=name, width=width, weight=weight, multiplies=multiplies)
            for name, width, weight, multiplies in terms
        ],
        {name: restore_features(spec) for name, spec in features.items()},
        cast("list[str]", state["texts"]),
    )


def build_kernel(terms: Sequence[KernelTerm], features: Mapping[str, Features], texts: Sequence[str]) -> TextKernel:
    """Build a kernel from fitted features."""
    rows = {name: fitted.transform(texts) for name, fitted in features.items()}
    return TextKernel(tuple(terms), features, tuple(texts), rows)


def _similarities(left: Any, right: Any, width: float) -> Floats:  # noqa: ANN401 - scipy's sparse matrices have no types
    product = left @ right.T
    found = np.asarray(product if isinstance(product, np.ndarray) else product.toarray(), dtype=np.float64)
    if not width:
        return found
    found -= _squares(left)[:, None] / 2
    found -= _squares(right) / 2
    found /= width
    return np.exp(np.minimum(found, 0.0, out=found), out=found)


def _squares(rows: Any) -> Floats:  # noqa: ANN401 - as above
    squared = cast("Any", rows * rows if isinstance(rows, np.ndarray) else rows.multiply(rows))
    return np.asarray(squared.sum(axis=1), dtype=np.float64).ravel()
