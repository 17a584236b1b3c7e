"""One HTTP exchange with a model's server: it returns a response, or a failure with its fault class.

Every provider's model uses this client, so time-outs, broken connections, proxies and secrets are treated alike. It has
no retries (see `wrappers.retry`) and no limit on connections (see `wrappers.limited`). Redirects are never followed:
they would send the key and the prompts to another server.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from askwell.core.errors import ConfigError
from askwell.core.types import Completion, Fault
from askwell.models.http.certificates import TRUST_HINT, find_bundle, trusting_context
from askwell.models.http.endpoint import Endpoint
from askwell.models.http.headers import merge_headers
from askwell.models.http.secrets import SecretMask
from askwell.models.per_loop import PerLoop

if TYPE_CHECKING:
    from aiohttp import ClientConnectorError, ClientSession, StreamReader

_CONNECT_S = 10.0
_MAX_BYTES = 64 * 2**20  # of a decompressed body: a server could send without end, or a compressed bomb
_KEEP_ALIVE_S = 30.0  # how long an idle connection stays open
_NOTHING: Mapping[str, str] = MappingProxyType({})
CHECK_URL = "check the base URL (it often ends in /v1) and that the server is running"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """A complete, decompressed HTTP response. Look up header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpClient:
    """A client of one server, with one connection per call in flight and one aiohttp session per event loop.

    `headers` are sent with every request. `timeout_s` bounds a whole exchange, of which connecting takes at most 10 s.
    The proxies of the environment are used, except for this machine's own addresses; `use_proxy=False` ignores them.
    `without_secrets` removes `key`, `secrets`, and the secrets of the URL and the proxy. A cancelled request closes its
    connection. Raises `ConfigError` if the environment names a missing bundle of certificates.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        timeout_s: float,
        headers: Mapping[str, str] = _NOTHING,
        key: str | None = None,
        secrets: Iterable[str] = (),
        use_proxy: bool = True,
    ) -> None:
        self.endpoint = endpoint
        self._headers = merge_headers({"User-Agent": "askwell", "Content-Type": "application/json"}, headers)
        self._timeout_s, self._connect_s = timeout_s, min(_CONNECT_S, timeout_s)
        self._proxy = endpoint.proxy() if use_proxy else None
        proxy_password = urlsplit(self._proxy).password if self._proxy else None
        self._mask = SecretMask.for_messages((key or "", *secrets, *endpoint.secrets(), proxy_password or ""))
        self._bundle = find_bundle() if endpoint.base.startswith("https:") else ""
        self._sessions = PerLoop(self._open_session)

    async def post(self, url: str, data: bytes) -> HttpResponse | Completion:
        """Send one request; return its response, or a failed completion if there is none."""
        return await self._exchange("POST", url, data)

    async def get(self, url: str) -> HttpResponse | Completion:
        """Like `post`, without a body."""
        return await self._exchange("GET", url, None)

    def without_secrets(self, text: str) -> str:
        """Return the text with this client's keys and passwords replaced by stars."""
        return self._mask.mask_text(text)

    async def aclose(self) -> None:
        """Close this event loop's connections; a later request opens new ones."""
        session = self._sessions.pop()
        if session is not None:
            await session.close()

    def _open_session(self) -> ClientSession:
        import aiohttp  # not at the top: reading a config or a log must not import an HTTP library

        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                keepalive_timeout=_KEEP_ALIVE_S,
                ssl=trusting_context(self._bundle) if self._bundle else True,
            ),
            headers=self._headers,
            timeout=aiohttp.ClientTimeout(total=self._timeout_s, sock_connect=self._connect_s),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def _exchange(self, method: str, url: str, data: bytes | None) -> HttpResponse | Completion:
        import aiohttp

        shown = self.endpoint.shown
        try:
            async with self._sessions.get().request(
                method, url, data=data, allow_redirects=False, proxy=self._proxy
            ) as response:
                body = await _read_content(response.content)
                if body is None:
                    response.close()
                    return failed_completion("malformed", f"the answer of {shown} is larger than {_MAX_BYTES:,} bytes")
                return HttpResponse(status=response.status, headers=response.headers, body=body)
        except aiohttp.ConnectionTimeoutError:  # a subclass of TimeoutError, so it comes first
            return failed_completion(
                "connection", f"no connection to {shown} within {self._connect_s:g} s; {CHECK_URL}"
            )
        except TimeoutError:
            return failed_completion("timeout", f"no answer from {shown} within timeout_s={self._timeout_s:g}")
        except aiohttp.ClientConnectorCertificateError as problem:
            error = f"no connection to {shown}, whose certificate is not trusted: {problem.certificate_error}"
            return failed_completion("connection", f"{error}; {TRUST_HINT}")
        except aiohttp.ClientConnectorError as problem:
            return failed_completion("connection", f"no connection to {shown}: {_describe(problem)}; {CHECK_URL}")
        except (aiohttp.ClientError, OSError) as problem:
            reason = str(problem) or type(problem).__name__
            return failed_completion("connection", f"the connection to {shown} broke: {reason}")


async def _read_content(content: StreamReader) -> bytes | None:
    """Return a body, decompressed; None if it is larger than the limit."""
    blocks: list[bytes] = []
    size = 0
    while block := await content.readany():
        blocks.append(block)
        size += len(block)
        if size > _MAX_BYTES:
            return None
    return b"".join(blocks)


def _describe(problem: ClientConnectorError) -> str:
    """Describe why there is no connection, without aiohttp's note on the TLS settings."""
    return re.sub(r" ssl:(\w+|<[^>]*>)", "", str(problem))


def failed_completion(fault: Fault, error: str) -> Completion:
    """Return the completion of a failed call."""
    return Completion(outcome="failed", fault=fault, error=error)


def validate_key(api_key: str | None) -> str | None:
    """Return the key without surrounding blanks (often a pasted newline); None for an empty one."""
    key = (api_key or "").strip()
    if not key:
        return None
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ConfigError("the API key contains blanks or characters that are invalid in an HTTP header; copy it again")
    return key
