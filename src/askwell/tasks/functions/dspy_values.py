"""Examples and replies in the form that DSPy and GEPA metrics expect: `gold.answer == pred.answer`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from askwell.core.types import Example
from askwell.tasks.fields import SYNONYMS


class PredictionView(str):
    """A reply whose every output field (`pred.answer`, `pred["label"]`) is the reply: there is one output."""

    __slots__ = ()

    def __getattr__(self, name: str) -> str:
        if name.startswith("_"):
            raise AttributeError(name)
        return str(self)

    def __getitem__(self, key: Any) -> str:  # noqa: ANN401 - an index, a slice or a field's name
        return str(self) if isinstance(key, str) else super().__getitem__(key)


class GoldText(str):  # noqa: SLOT000 - its fields are in its dictionary
    """The target as text, with the example's fields as attributes and keys."""

    def __getitem__(self, key: Any) -> Any:  # noqa: ANN401 - a field may hold several targets
        return cast("object", vars(self)[key]) if isinstance(key, str) else super().__getitem__(key)


class GoldTexts(tuple[str, ...]):  # noqa: SLOT001 - as above
    """Several targets, with the example's fields as attributes and keys."""

    def __getitem__(self, key: Any) -> Any:  # noqa: ANN401 - a field may hold several targets
        return cast("object", vars(self)[key] if isinstance(key, str) else tuple(self)[key])


def view_gold(example: Example) -> GoldText | GoldTexts:
    """Return the example as such a metric reads it: equal to its target, with the fields that its data have.

    The names of the input and target fields are not kept, so each has all the usual ones (`question`, `answer`, …).
    """
    gold = GoldText(example.target) if isinstance(example.target, str) else GoldTexts(example.target)
    # In the instance's dictionary a field named like a method of str ("title", "index") comes first.
    vars(gold).update(_fields(example))
    return gold


def _fields(example: Example) -> Mapping[str, object]:
    usual: dict[str, object] = dict.fromkeys(SYNONYMS["input"], example.input)
    usual |= dict.fromkeys(SYNONYMS["target"], example.target)
    return {**usual, "id": example.id, "meta": example.meta, **example.meta}
