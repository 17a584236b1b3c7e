"""Which headers pass between a client and the upstream, and the headers that name the prompt."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping

from multidict import CIMultiDict

from askwell.core.types import Prompt
from askwell.models.http.secrets import SecretMask
from askwell.runlog.codec import prompt_id

PROMPT_ID_HEADER = "X-Askwell-Prompt-Id"
"""Response header with the id of the prompt that was sent, as in the run's log."""
PROMPT_HEADER = "X-Askwell-Prompt"
"""Response header with the beginning of the instruction, percent-encoded; sent only if the owner wants it."""

_LONGEST_PROMPT = 900  # characters after encoding: many clients and proxies refuse headers of 4 or 8 KiB
_TO_UPSTREAM = ("traceparent", "tracestate", "Idempotency-Key", "X-Request-Id", "X-Client-Request-Id")
_NOT_TO_CLIENT = frozenset({
    # of one connection (RFC 9110, section 7.6.1)
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade",
    # of the body as it was sent: it is decompressed, and framed anew
    "content-length", "content-encoding", "content-md5", "digest", "etag",
    # of the upstream's host
    "set-cookie", "server", "date", "alt-svc", "strict-transport-security", "location", "www-authenticate",
    PROMPT_HEADER.lower(), PROMPT_ID_HEADER.lower(),
})  # fmt: skip


def request_headers(client: Mapping[str, str]) -> dict[str, str]:
    """Return the client's headers that the upstream gets: those for tracing and for repeated requests."""
    return {name: client[name] for name in _TO_UPSTREAM if name in client}


def response_headers(upstream: Mapping[str, str], mask: SecretMask) -> CIMultiDict[str]:
    """Return the upstream's headers that the client gets: all but those of one connection or host."""
    of_connection = {name.strip().lower() for name in upstream.get("Connection", "").split(",")}
    return CIMultiDict(
        (name, mask.mask_text(value))
        for name, value in upstream.items()
        if not (_stays(name.lower()) or name.lower() in of_connection)
    )


def prompt_headers(prompt: Prompt, *, shown: bool) -> dict[str, str]:
    """Return the headers that name the prompt; with the beginning of its instruction if `shown`."""
    headers = {PROMPT_ID_HEADER: prompt_id(prompt)}
    if shown:
        headers[PROMPT_HEADER] = _encode_start(prompt.instruction)
    return headers


def _stays(name: str) -> bool:
    return name in _NOT_TO_CLIENT or name.startswith("access-control-")


def _encode_start(text: str) -> str:
    """Return as much of the percent-encoded text as a header can hold."""
    encoded = ""
    for character in text:
        part = urllib.parse.quote(character, errors="replace")
        if len(encoded) + len(part) > _LONGEST_PROMPT:
            return encoded + "..."
        encoded += part
    return encoded
