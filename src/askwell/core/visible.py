"""Make the control characters of a text visible, because a terminal would obey them."""

from __future__ import annotations

import re

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""C0 without newline and tab, DEL, C1, the marks that reorder text, and halves of surrogate pairs."""
_PICTURES = 0x2400
"""Unicode has a visible character for each of the first 32 at this offset."""


def visible(text: str) -> str:
    """Return a text in which control characters are visible; newlines and tabs are kept."""
    return _CONTROL.sub(_show, text)


def _show(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(_PICTURES + code)
    if code == 0x7F:
        return "␡"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
