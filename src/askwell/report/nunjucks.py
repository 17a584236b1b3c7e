"""Write chat messages as a template of nunjucks, promptfoo's engine: a prompt's text never becomes code.

Nunjucks runs any JavaScript in an expression, so no text may be read as one. A text with a brace is written as a string
literal inside an expression. A `raw` block would not do: the text may hold the end of the block.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Sequence

from askwell.core.types import Message

_PREFIX = re.compile(r"\s*[\w.+-]*:")
"""promptfoo runs or loads a prompt that begins with `exec:`, `file:` and the like."""
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
"""The escapes that nunjucks knows; it has none for other characters, which a literal may hold as they are."""
_BREAKS = re.compile(r"\{(?=[{%#])|[}%#](?=\})|en(?=v[.\[])")
"""Places at which a literal is cut in two: promptfoo searches the whole text for `{{ … env.NAME … }}` and renders what
it finds when it reads the file, inside a literal too."""


def nunjucks(messages: Sequence[Message], mark: str) -> str:
    """Return a template of these messages in which the variable `input` stands for the mark.

    A single user message becomes a template of its text, other chats one of a JSON list.
    """
    if len(messages) == 1 and messages[0].role == "user":
        first, *others = messages[0].content.split(mark)
        return "{{ input }}".join([_text(first, is_first=True), *map(_text, others)])
    return f"[{', '.join(_message(message, mark) for message in messages)}]"


def _text(text: str, *, is_first: bool = False) -> str:
    is_plain = not re.search("[{}]", text) and not (is_first and _PREFIX.match(text))
    return text if is_plain else f"{{{{ {_literal(text)} }}}}"


def _message(message: Message, mark: str) -> str:
    """Write a message as JSON; the template itself has to quote the question."""
    if re.search("[{}]", message.content) or mark in message.content:
        parts = " + input + ".join(map(_literal, message.content.split(mark)))
        content = f"{{{{ ({parts}) | dump }}}}"
    else:
        content = json.dumps(message.content, ensure_ascii=False)
    return f'{{"role": "{message.role}", "content": {content} }}'


def _literal(text: str) -> str:
    """Return an expression whose value is the text."""
    cuts = [0, *(hit.end() for hit in _BREAKS.finditer(text)), len(text)]
    parts = [text[begin:end] for begin, end in itertools.pairwise(cuts)]
    return " + ".join(f'"{"".join(_ESCAPES.get(char, char) for char in part)}"' for part in parts)
