"""Who may use the endpoint: the names it answers to, the web pages it serves, and the key of its clients.

Without these checks any web page could spend the key of the upstream: by a request that browsers send without asking
(`text/plain`), or by a DNS name of its own that points to this machine (DNS rebinding).
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import urllib.parse
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from askwell.core.errors import ConfigError
from askwell.serve.errors import RequestRefused, error_response

HEALTH_PATH = "/health"
_ANY = "*"
_PREFLIGHT_S = "600"  # how long a browser may remember that an origin is allowed


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Access:
    """The rules for clients."""

    hosts: frozenset[str] | None = frozenset()
    """Names in a request's `Host` header besides this machine's loopback names; None: any name."""
    origins: frozenset[str] = frozenset()
    """Origins of web pages that may use the endpoint; "*" stands for all."""
    key_digest: bytes | None = None
    """SHA-256 of the key that clients send; None: no key is needed."""

    @classmethod
    def of(
        cls, host: str, *, names: Collection[str] = (), origins: Collection[str] = (), key: str | None = None
    ) -> Access:
        """Return the rules of a server that listens on `host`.

        Raises `ConfigError` if other machines could use it without a key, or for an origin that is none.
        """
        if key is None and not is_loopback(host):
            raise ConfigError(
                f"--host {host!r} lets other machines spend your key: give --serve-key-env with the name of an "
                "environment variable that holds a key for your clients, or listen on 127.0.0.1"
            )
        if key is None and _ANY in origins:
            raise ConfigError(
                "--cors '*' lets every web page spend your key: name the origins, or give --serve-key-env"
            )
        # A web page that rebinds its DNS name has no key, so behind a key a server may have any name.
        hosts = None if not is_loopback(host) else frozenset({host.lower(), *(name.lower() for name in names)})
        return cls(
            hosts=hosts,
            origins=frozenset(_parse_origin(origin) for origin in origins),
            key_digest=None if key is None else _digest(key),
        )

    def allows_host(self, header: str) -> bool:
        """Return whether this server has the name in a `Host` header."""
        try:
            name = (urllib.parse.urlsplit(f"//{header}").hostname or "").rstrip(".")
        except ValueError:
            return False
        return self.hosts is None or is_loopback(name) or name in self.hosts

    def allows_origin(self, origin: str) -> bool:
        """Return whether a web page of this origin may use the endpoint."""
        return _ANY in self.origins or origin.lower() in self.origins

    def allows_key(self, authorization: str) -> bool:
        """Return whether an `Authorization` header holds the key; takes the same time for every wrong key."""
        if self.key_digest is None:
            return True
        scheme, _, key = authorization.partition(" ")
        return hmac.compare_digest(_digest(key.strip()), self.key_digest) and scheme.lower() == "bearer"


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Return whether a host's name or address is reachable from this machine only."""
    name = host.lower().strip("[]")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def protect(app: web.Application, access: Access) -> None:
    """Let only these clients use an application."""

    async def add_cors_headers(http: web.Request, response: web.StreamResponse) -> None:
        origin = http.headers.get(hdrs.ORIGIN)
        if origin is not None and access.allows_origin(origin):
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
            response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _ANY
            response.headers.add(hdrs.VARY, hdrs.ORIGIN)

    app.middlewares.append(_guard(access))
    app.on_response_prepare.append(add_cors_headers)  # a signal also covers streams and errors


def _guard(access: Access) -> Middleware:

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        _check_host(request, access)
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is not None and not _is_own_page(request, origin) and not access.allows_origin(origin):
            raise RequestRefused(
                f"the web page {origin!r} may not use this server; its owner can allow that with --cors", status=403
            )
        if request.method == hdrs.METH_OPTIONS and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers:
            return _answer_preflight(request)
        if request.path.rstrip("/") != HEALTH_PATH and not access.allows_key(
            request.headers.get(hdrs.AUTHORIZATION, "")
        ):
            return _refuse_key()
        if request.method == hdrs.METH_POST:
            _check_content(request)
        return await handler(request)

    return check


def _check_host(http: web.Request, access: Access) -> None:
    headers = http.headers.getall(hdrs.HOST, [])
    if not headers and http.version < (1, 1):  # HTTP/1.0 clients need not send it; browsers always do
        return
    if len(headers) != 1:
        raise RequestRefused("expected one Host header")
    if not access.allows_host(headers[0]):
        raise RequestRefused(
            f"the Host header {headers[0]!r} is no name of this server; its owner can add it with --allow-host",
            status=403,
        )


def _is_own_page(http: web.Request, origin: str) -> bool:
    """Return whether the page came from this very server, such as through a reverse proxy that also serves pages."""
    return origin.partition("://")[2] == http.headers.get(hdrs.HOST)


def _answer_preflight(http: web.Request) -> web.Response:
    headers = {
        "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
        "Access-Control-Max-Age": _PREFLIGHT_S,
    }
    if asked := http.headers.get("Access-Control-Request-Headers"):
        headers["Access-Control-Allow-Headers"] = asked
    if "Access-Control-Request-Private-Network" in http.headers:
        headers["Access-Control-Allow-Private-Network"] = "true"
    return web.Response(status=204, headers=headers)


def _refuse_key() -> web.Response:
    response = error_response(
        401,
        "wrong or missing key: send the key of this server as Authorization: Bearer KEY (api_key in OpenAI's clients)",
        code="invalid_api_key",
    )
    response.headers[hdrs.WWW_AUTHENTICATE] = "Bearer"
    return response


def _check_content(http: web.Request) -> None:
    """Refuse a body that browsers send without asking the server first, and a compressed one."""
    is_from_browser = hdrs.ORIGIN in http.headers or "Sec-Fetch-Site" in http.headers
    is_untyped = hdrs.CONTENT_TYPE not in http.headers and not is_from_browser
    if not is_untyped and http.content_type != "application/json":
        raise RequestRefused(
            f"the content type is {http.headers.get(hdrs.CONTENT_TYPE, '')!r}; expected application/json", status=415
        )
    if http.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
        raise RequestRefused("compressed requests are not accepted; send the body without Content-Encoding", status=415)


def _parse_origin(origin: str) -> str:
    parts = urllib.parse.urlsplit(origin)
    if origin in (_ANY, "null") or (parts.scheme and parts.netloc and not parts.path.strip("/") and not parts.query):
        return origin.lower().rstrip("/")
    raise ConfigError(f"--cors {origin!r} is no origin; expected something like https://app.example.com")


def _digest(key: str) -> bytes:
    """Return a digest: `compare_digest` reveals the length of what it compares."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
