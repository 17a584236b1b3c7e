"""Read a reply up to the point where the answer types differ.

Reply -> message to the user (`hidden_text`) -> unified characters (`normalize`) -> structured answer (`structured`), or
prose without the questions that a base model adds. An answer type then finds its answer in `Reading.text`.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from askwell.tasks.grading.normalize import unify_characters
from askwell.tasks.grading.reply.hidden_text import remove_hidden
from askwell.tasks.grading.reply.structured import find_structured
from askwell.tasks.grading.reply.turns import first_turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a reply says to the user."""

    text: str
    """Where an answer type looks for the answer: the structured answer, else the prose of the first turn."""
    whole: str
    """The whole message, for types that compare all of it."""
    answers: tuple[str, ...] = ()
    """The answers of a structured reply; more than one for a list. Empty for prose."""

    @property
    def is_structured(self) -> bool:
        """Whether the reply states its answer in a JSON field or a tag."""
        return bool(self.answers)

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts to read in order: `text`, and the whole message in case its first turn states no answer."""
        return (self.text,) if self.answers or self.text == self.whole else (self.text, self.whole)

    @property
    def message(self) -> str:
        """The structured answer, else the whole message."""
        return self.text if self.answers else self.whole


def read_reply(reply: str) -> Reading:
    """Return the visible text of a reply and the answers of its structure."""
    message = remove_hidden(unicodedata.normalize("NFC", reply))
    whole = unify_characters(message)
    structured = find_structured(message) or (find_structured(whole) if "{" in whole else None)  # “quoted” keys
    if structured is None:
        return Reading(text=first_turn(whole), whole=whole)
    answers = tuple(unify_characters(answer) for answer in structured.answers)
    return Reading(text=first_turn(", ".join(answers)), whole=whole, answers=answers)
