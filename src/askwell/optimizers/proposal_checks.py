"""Check a proposed prompt: it must not echo the request, and its placeholders must be those of the initial prompt."""

from __future__ import annotations

import re

from askwell.core.placeholders import INPUT_NAMES, find_placeholders, fold_name, is_named
from askwell.core.text import word_runs, words

_ECHOED_WORDS = 8
"""This many words of the request's own text in a row are an echo: prompts of people share at most four or five."""
_TAGS = ("prompt", "current", "entry", "delta", "lessons?", "keep", "parent", "other", "gained", "lost", "example",
         "question", "start", "end", "new_prompt")  # fmt: skip
_ECHOED_TAG = re.compile(rf"</?\s*({'|'.join(_TAGS)})\s*>", re.IGNORECASE)
_ECHOED_BLOCK = re.compile(
    r"<(reply|reflection|summary)>[ \t]*\n.*\n[ \t]*</\1>|<(score)>\s*\d|\A<(answer)>.*</answer>\Z",
    re.IGNORECASE | re.DOTALL,
)
"""Tags that a prompt may well ask for ("put it in <answer> tags"), in the form that only the request gives them."""
_BLOCK = re.compile(
    r"<(current|other|entry|parent|example|reflection|summary|lessons|keep|gained|lost)>.*?</\1>",
    re.IGNORECASE | re.DOTALL,
)

_NOUN = (
    r"(?:(?:input|user|test|actual|new|given|original|your)[ _-]+)*"
    r"(?:questions?|inputs?|quer(?:y|ies)|problems?|text|passage|sentence|example|data|content|document|prompt|statement|"
    r"message|task|puzzle|frage|pregunta|вопрос|问题|質問|题目)"
    r"(?:[ _-]+(?:text|goes|here|below|itself))*"
)
_VERB = (
    r"(?:insert(?:ed)?|enter|paste|put|place|add|fill(?: in)?|provide|type|write|"
    r"einfügen|insérer|insertar|插入|вставьте)"
)
_FILLER = r"(?:the|your|a|an|here|actual|die|la|le|el|hier|在此)"
_SLOT = re.compile(
    rf"[\[<{{«]+\s*(?:(?:{_VERB}|{_FILLER})\s*)*{_NOUN}\s*(?:{_VERB})?\s*[\]>}}»]+"
    rf"|[\[<{{(«]+\s*(?:{_FILLER}\s*)*{_VERB}\b[^\[\]<>{{}}()«»\n]{{0,60}}[\]>}})»]+"
    rf"|\(\s*(?:the |your )?{_NOUN}\s+(?:goes )?here\s*\)",
    re.IGNORECASE,
)
"""Places for the question that no program fills: "[insert question here]", "<question>", "(your text here)"."""


def find_placeholder_change(text: str, initial: str) -> str:
    """Return which placeholder a proposal loses or invents, compared with the initial prompt; "" for none."""
    kept, given = (_by_name(prompt) for prompt in (initial, text))
    lost = [shown for name, shown in kept.items() if name not in given]
    if lost:
        return f"loses {', '.join(lost)}"
    invented = [shown for name, shown in given.items() if name not in kept]
    for placeholder in find_placeholders(text):
        text = text.replace(placeholder.text, "")
    invented += [slot[0] for slot in _SLOT.finditer(text) if slot[0].casefold() not in initial.casefold()]
    return f"invents {', '.join(dict.fromkeys(invented))}, which nothing fills" if invented else ""


def find_echo(text: str, request: str, initial: str = "") -> str:
    """Return what of the request's own markup or text a proposal repeats; "" for nothing.

    The prompts, examples and notes that the request shows are not its own text, and whatever the initial prompt holds
    may be repeated.
    """
    for tag in (*_ECHOED_TAG.finditer(text), *_ECHOED_BLOCK.finditer(text)):
        name = next(group for group in tag.groups() if group)
        if not re.search(rf"<\s*/?\s*{name}\s*>", initial, re.IGNORECASE):
            return f"holds the tag <{name}> of the request"
    own = set(word_runs(words(_BLOCK.sub("\n", request)), _ECHOED_WORDS))
    own -= set(word_runs(words(initial), _ECHOED_WORDS))
    echoed = next((run for run in word_runs(words(text), _ECHOED_WORDS) if run in own), None)
    return f"repeats the request: {' '.join(echoed)!r}" if echoed else ""


def _by_name(text: str) -> dict[str, str]:
    """Return the placeholders of a prompt as they stand in it, by a name that does not depend on the spelling."""
    return {
        "input" if is_named(placeholder, INPUT_NAMES) else fold_name(placeholder.name): placeholder.text
        for placeholder in find_placeholders(text)
    }
