"""Lists of options in a record: shown as lines "(A) Paris", and the target's index as the letter in front of it."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from askwell.core.errors import DataError
from askwell.tasks.records.cells import to_plain, to_text

_LONGEST_LABEL = 2
"""An object whose keys are longer is no list of options: {"A": …, "B": …} is, {"title": …} is not."""
_OTHER_LISTS = (
    "context", "passage", "document", "paragraph", "sentence", "history", "message", "conversation", "turn", "dialog",
    "evidence", "fact", "title",
)  # fmt: skip
"""Parts of the names of fields whose lists are no options."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of one question."""

    texts: Mapping[str, str]
    """Letter (or the data's own label) -> text, in order."""
    are_numbers: bool
    """Whether the options themselves are numbers, so that a number as target may be one of them."""

    def format(self) -> str:
        """Format the options as lines "(A) Paris"."""
        return "\n".join(f"({label}) {text}" for label, text in self.texts.items())

    def label_of(self, target: object) -> str | None:
        """Return the label of a target that is an index from 0; None for a target that is a label or a text.

        Raises `DataError` for an index beyond the last option.
        """
        text = to_text(target).strip()
        is_typed = isinstance(to_plain(target), int | float) and not self.are_numbers
        if not text.isdecimal() or text in self.texts or (not is_typed and text in self.texts.values()):
            return None
        if int(text) >= len(self.texts):
            raise DataError(
                f"is {text}, but an index of the {len(self.texts)} options is 0..{len(self.texts) - 1}; count from 0, "
                "or give letters"
            )
        return list(self.texts)[int(text)]


def read_options(value: object, name: str) -> Options | None:
    """Return the options that the cell of a field lists; None if it is no list of them.

    A list of texts gets letters. The data's own labels are kept in {"A": "Paris", …}, in
    {"label": ["A", …], "text": ["Paris", …]} and in [{"label": "A", "text": "Paris"}, …]. Raises `TypeError` for a
    value that is none of JSON's.
    """
    plain = to_plain(value)
    if any(part in name.lower() for part in _OTHER_LISTS):
        return None
    if isinstance(plain, (list, tuple)):
        return _from_list(cast("Sequence[object]", plain))
    return _from_object(cast("dict[str, object]", plain)) if isinstance(plain, dict) else None


def _from_list(values: Sequence[object]) -> Options | None:
    if values and all(isinstance(value, dict) for value in values):
        items = cast("Sequence[dict[str, object]]", values)
        if not all({"label", "text"} <= item.keys() for item in items):
            return None
        return _labelled([item["label"] for item in items], [item["text"] for item in items])
    return _labelled(string.ascii_uppercase, values)


def _from_object(value: dict[str, object]) -> Options | None:
    labels, texts = to_plain(value.get("label")), to_plain(value.get("text"))
    if isinstance(labels, list) and isinstance(texts, list):
        return _labelled(cast("list[object]", labels), cast("list[object]", texts))
    if value and all(len(str(key)) <= _LONGEST_LABEL for key in value):
        return _labelled(list(value), list(value.values()))
    return None


def _labelled(labels: Sequence[object], texts: Sequence[object]) -> Options | None:
    """Pair labels and texts; None if there are too few labels, a text is empty, or a label occurs twice."""
    try:
        pairs = [(to_text(label).strip(), to_text(text).strip()) for label, text in zip(labels, texts, strict=False)]
    except TypeError:
        return None
    options = dict(pairs)
    if len(options) != len(texts) or len(texts) < 2 or not all(label and text for label, text in pairs):
        return None
    return Options(texts=options, are_numbers=all(not isinstance(to_plain(text), str) for text in texts))
