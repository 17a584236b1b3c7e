"""One HTTP exchange with a model's server: bytes go out; an answer, or a failure with its fault class, comes back.

Every provider's model posts through here, so time-outs, broken connections, proxies and secrets are treated alike. No
retries (see `retry`), no limit on connections (see `limit`). Redirects are never followed: they would carry the key and
the prompts elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

from askwell.errors import ConfigError
from askwell.models.endpoint import Endpoint
from askwell.models.perloop import PerLoop
from askwell.models.transport import HttpAnswer, Line, NotConnected, NotConnectedInTime, Transport
from askwell.types import Completion, Fault

_CONNECT_S = 10.0
_SECRET_CHARS = 4  # a shorter "key" is a placeholder for a local server, and removing it would spoil every message
_NOTHING: Mapping[str, str] = MappingProxyType({})
CHECK_URL = "check the base URL (it often ends in /v1) and that the server is running"


def quickest(line: Line) -> Transport:
    """Open the direct transport where the `speed` extra is installed and no proxy stands between, else aiohttp's."""
    from askwell.models.transport_direct import DirectTransport, parser_type

    parser = None if line.proxy else parser_type()
    if parser is not None:
        return DirectTransport(line, parser)
    from askwell.models.transport_aiohttp import AiohttpTransport

    return AiohttpTransport(line)


class HttpClient:
    """Asks one server, over as many connections as calls are under way; one pool for each event loop.

    `headers` go with every request. `timeout_s` bounds a whole exchange, connecting included (that alone at most 10 s).
    Proxies named by the environment are used as by every other client, except for this machine's own addresses;
    `use_proxy=False` ignores them. `key` is what `without_secrets` removes besides secrets of the URL and the proxy.
    `open_transport` is called once for each event loop.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        timeout_s: float,
        headers: Mapping[str, str] = _NOTHING,
        key: str | None = None,
        use_proxy: bool = True,
        open_transport: Callable[[Line], Transport] = quickest,
    ) -> None:
        self.endpoint = endpoint
        self._line = line = Line(
            headers={"User-Agent": "askwell", "Content-Type": "application/json", **headers},
            timeout_s=timeout_s,
            connect_s=min(_CONNECT_S, timeout_s),
            proxy=endpoint.proxy() if use_proxy else None,
        )
        secrets = (key or "", *endpoint.secrets(), (urlsplit(line.proxy).password if line.proxy else "") or "")
        self._secrets = tuple(secret for secret in secrets if len(secret) >= _SECRET_CHARS)
        self._transports = PerLoop(lambda: open_transport(line))

    async def post(self, url: str, data: bytes) -> HttpAnswer | Completion:
        """Send one request; what kept it from an answer comes back as a failed completion."""
        return await self._exchange("POST", url, data)

    async def get(self, url: str) -> HttpAnswer | Completion:
        """Like `post`, without a body."""
        return await self._exchange("GET", url, None)

    def without_secrets(self, text: str) -> str:
        """Return the text with every key and password this client knows replaced by stars."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    async def aclose(self) -> None:
        """Close this event loop's connections; a later request opens new ones."""
        transport = self._transports.pop()
        if transport is not None:
            await transport.aclose()

    async def _exchange(self, method: str, url: str, data: bytes | None) -> HttpAnswer | Completion:
        shown = self.endpoint.shown
        try:
            return await self._transports.get().exchange(method, url, data)
        except NotConnectedInTime:
            return failed("connection", f"no connection to {shown} within {self._line.connect_s:g} s; {CHECK_URL}")
        except TimeoutError:
            return failed("timeout", f"no answer from {shown} within timeout_s={self._line.timeout_s:g}")
        except NotConnected as problem:
            return failed("connection", f"no connection to {shown}: {problem}; {CHECK_URL}")
        except OSError as problem:
            return failed("connection", f"the connection to {shown} broke: {problem}")


def failed(fault: Fault, error: str) -> Completion:
    """Return the completion of a call that came to nothing."""
    return Completion(outcome="failed", fault=fault, error=error)


def checked_key(api_key: str | None) -> str | None:
    """Return the key without surrounding blanks (a pasted newline is the usual accident); None for an empty one."""
    key = (api_key or "").strip()
    if not key:
        return None
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ConfigError("the API key holds blanks or characters no HTTP header can carry; copy it again")
    return key
