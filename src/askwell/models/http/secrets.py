"""Remove secrets from what other people read: messages, logs, and the bytes that a proxy passes on."""

from __future__ import annotations

import html
import json
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass

_SHORTEST_IN_MESSAGE = 4
"""A shorter "key" is a local server's placeholder, and removing it would garble every message."""
_SHORTEST_IN_REPLY = 7
"""A shorter "key" (EMPTY, dummy, ollama) may be a word of a model's reply, which has to arrive unchanged."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SecretMask:
    """Replaces secrets by stars, in each form in which a server may repeat them (plain, URL, JSON, HTML)."""

    forms: tuple[str, ...]
    """What is replaced, longest first."""
    encoded: tuple[bytes, ...]
    """The same as UTF-8."""

    @classmethod
    def for_messages(cls, secrets: Iterable[str]) -> SecretMask:
        """Return the mask for errors and logs; empty secrets count as none."""
        return cls._of(secrets, shortest=_SHORTEST_IN_MESSAGE)

    @classmethod
    def for_replies(cls, secrets: Iterable[str]) -> SecretMask:
        """Return the mask for what a model has written."""
        return cls._of(secrets, shortest=_SHORTEST_IN_REPLY)

    @classmethod
    def _of(cls, secrets: Iterable[str], *, shortest: int) -> SecretMask:
        forms = _forms(secret for secret in secrets if len(secret) >= shortest)
        return cls(forms=forms, encoded=tuple(form.encode() for form in forms))

    def mask_text(self, text: str) -> str:
        """Return a text without the secrets."""
        for form in self.forms:
            text = text.replace(form, "***")
        return text

    def mask_bytes(self, body: bytes) -> bytes:
        """Return a body without the secrets."""
        for form in self.encoded:
            body = body.replace(form, b"***")
        return body


class MaskedStream:
    """Masks a body that arrives in chunks. A secret may begin in one chunk and end in the next one."""

    def __init__(self, mask: SecretMask) -> None:
        self._mask = mask
        self._bytes = frozenset(b"".join(mask.encoded))
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        """Return what can be passed on; the possible beginning of a secret is held until the next chunk."""
        data = self._mask.mask_bytes(self._held + chunk)
        passed = len(data) - self._held_length(data)
        self._held = data[passed:]
        return data[:passed]

    def end(self) -> bytes:
        """Return what was held: the body has ended, so it is no secret."""
        held, self._held = self._held, b""
        return held

    def _held_length(self, data: bytes) -> int:
        """Return the length of the longest end of the data that is the beginning of a secret."""
        if not data or data[-1] not in self._bytes:  # almost every chunk: events end with a newline
            return 0
        longest = max(map(len, self._mask.encoded)) - 1
        for length in range(min(longest, len(data)), 0, -1):
            end = data[-length:]
            if any(form.startswith(end) for form in self._mask.encoded):
                return length
        return 0


def _forms(secrets: Iterable[str]) -> tuple[str, ...]:
    forms: set[str] = set()
    for secret in secrets:
        quoted, in_json = urllib.parse.quote(secret, safe=""), json.dumps(secret)[1:-1]
        forms |= {secret, quoted, quoted.replace("%2F", "/"), urllib.parse.quote_plus(secret)}
        forms |= {in_json, in_json.replace("/", "\\/"), json.dumps(secret, ensure_ascii=False)[1:-1]}
        forms |= {html.escape(secret), _lower_escapes(quoted)}
    return tuple(sorted(forms, key=lambda form: (-len(form), form)))


def _lower_escapes(quoted: str) -> str:
    """Return a percent-encoded text with its escapes in lower case (%2b), as some servers write them."""
    first, *others = quoted.split("%")
    return "%".join([first, *(part[:2].lower() + part[2:] for part in others)])
