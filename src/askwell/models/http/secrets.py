"""Remove secrets from what other people read: messages, logs, and the bytes that a proxy passes on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_STARS = "***"
_SHORTEST_IN_MESSAGE = 4
"""A shorter "key" is a local server's placeholder, and removing it would garble every message."""
_SHORTEST_IN_REPLY = 7
"""A shorter "key" (EMPTY, dummy, ollama) may be a word of a model's reply, which has to arrive unchanged."""
_UNRESERVED = "-._~"
_HTML_NAMES = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}
_NEVER = re.compile(r"(?!)")
_LONGEST_ESCAPE = 12  # of one character: its bytes as %XX


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SecretMask:
    """Replaces secrets by stars, in any mixture of plain characters and escapes of URLs, JSON and HTML."""

    pattern: re.Pattern[str]
    in_bytes: re.Pattern[bytes]
    beginning: re.Pattern[bytes]
    """Matches the end of some data that may be the beginning of a secret."""
    longest: int
    """Upper bound on the length of a secret with its escapes, in bytes."""

    @classmethod
    def for_messages(cls, secrets: Iterable[str]) -> SecretMask:
        """Return the mask for errors and logs; empty secrets count as none."""
        return cls._of([secret for secret in secrets if len(secret) >= _SHORTEST_IN_MESSAGE])

    @classmethod
    def for_replies(cls, secrets: Iterable[str]) -> SecretMask:
        """Return the mask for what a model has written."""
        return cls._of([secret for secret in secrets if len(secret) >= _SHORTEST_IN_REPLY])

    @classmethod
    def _of(cls, secrets: list[str]) -> SecretMask:
        longest_first = sorted(set(secrets), key=len, reverse=True)
        pattern = "|".join("".join(map(_character, secret)) for secret in longest_first) or _NEVER.pattern
        starts = "|".join({_character(secret[0]) for secret in secrets}) or _NEVER.pattern
        return cls(
            pattern=re.compile(pattern),
            in_bytes=re.compile(pattern.encode()),
            beginning=re.compile(rf"(?:{starts}|[%&\\])[^\s]*\Z".encode()) if secrets else re.compile(rb"(?!)"),
            longest=_LONGEST_ESCAPE * max(map(len, secrets), default=0),
        )

    def mask_text(self, text: str) -> str:
        """Return a text without the secrets."""
        return self.pattern.sub(_STARS, text)

    def mask_bytes(self, body: bytes) -> bytes:
        """Return a body without the secrets."""
        return self.in_bytes.sub(_STARS.encode(), body)


class MaskedStream:
    """Masks a body that arrives in chunks. A secret may begin in one chunk and end in the next one."""

    def __init__(self, mask: SecretMask) -> None:
        self._mask = mask
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        """Return what can be passed on; the possible beginning of a secret is held until the next chunk."""
        data = self._mask.mask_bytes(self._held + chunk)
        if data[-1:].isspace():  # no key holds a blank or a line break, and a whole event ends with one
            self._held = b""
            return data
        beginning = self._mask.beginning.search(data, max(0, len(data) - self._mask.longest))
        passed = len(data) if beginning is None else beginning.start()
        self._held = data[passed:]
        return data[:passed]

    def end(self) -> bytes:
        """Return what was held: the body has ended, so it is no secret."""
        held, self._held = self._held, b""
        return held


def _character(character: str) -> str:
    """Return a pattern for a character: itself, or its escapes in a URL (%2F), in JSON and in HTML."""
    if character.isascii() and (character.isalnum() or character in _UNRESERVED):
        return re.escape(character)
    utf8 = character.encode("utf-8", "surrogatepass")
    code = ord(character)
    forms = {re.escape(character), "".join(f"%(?i:{byte:02x})" for byte in utf8), rf"\\+(?i:u{code:04x})"}
    forms |= {rf"&#(?i:x0*{code:x});", f"&#0*{code};", rf"\\+{re.escape(character)}"}
    if character in _HTML_NAMES:
        forms.add(f"&{_HTML_NAMES[character]};")
    if character == " ":
        forms.add(r"\+")
    return f"(?:{'|'.join(sorted(forms, key=len, reverse=True))})"
