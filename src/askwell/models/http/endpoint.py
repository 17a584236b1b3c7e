"""A model server's address: for requests, and without secrets for messages and logs."""

from __future__ import annotations

import ipaddress
import re
import urllib.parse
import urllib.request
from dataclasses import dataclass

from askwell.core.errors import ConfigError

CHAT_PATH = "/chat/completions"
_API_PATH = re.compile(r"(/chat/completions|/completions|/messages|/models/[^/]+:generateContent)$")
"""The paths of OpenAI, Anthropic and Gemini that a pasted address may have after the base URL."""
_SECRET_NAMES = ("key", "token", "secret", "sig", "pass", "pwd", "code", "auth", "cred", "jwt")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Endpoint:
    """A model server's address. Only `shown` may go into names, messages and logs."""

    base: str
    query: str
    shown: str
    host: str

    @classmethod
    def parse(cls, base_url: str) -> Endpoint:
        """Parse a base URL: drop a trailing slash or the path of its chat API, keep a query string (Azure)."""
        parts = _split(base_url)
        if parts.username or parts.password:
            raise ConfigError(
                f"base URL for host {parts.hostname!r} holds a user name or password; give credentials as the API key"
            )
        path = _API_PATH.sub("", parts.path.rstrip("/")).rstrip("/")
        base = f"{parts.scheme}://{parts.netloc}{path}"
        public_query = "&".join(
            f"{name}=***" if any(word in name.lower() for word in _SECRET_NAMES) else f"{name}={value}"
            for name, value in urllib.parse.parse_qsl(parts.query, keep_blank_values=True)
        )
        shown = f"{base}?{public_query}" if public_query else base
        return cls(base=base, query=parts.query, shown=shown, host=parts.hostname or "")

    @property
    def chat_url(self) -> str:
        """Return the URL of chat requests to an OpenAI-compatible server (may hold secrets of the query string)."""
        return self.url(CHAT_PATH)

    def url(self, path: str) -> str:
        """Return the URL of a path below the base URL (may hold secrets of the query string)."""
        if not self.query:
            return self.base + path
        return f"{self.base}{path}{'&' if '?' in path else '?'}{self.query}"

    @property
    def is_loopback(self) -> bool:
        """Return whether the server is this machine."""
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            address = ipaddress.ip_address(self.host)
        except ValueError:
            return False
        return address.is_loopback or address.is_unspecified

    def secrets(self) -> list[str]:
        """Return the secret values of the query string, which messages must not contain."""
        pairs = urllib.parse.parse_qsl(self.query)
        return [value for name, value in pairs if any(word in name.lower() for word in _SECRET_NAMES)]

    def proxy(self) -> str | None:
        """Return the environment's proxy for this address (HTTPS_PROXY, NO_PROXY …); None for loopback."""
        if self.is_loopback or urllib.request.proxy_bypass(self.host):
            return None
        return urllib.request.getproxies().get(urllib.parse.urlsplit(self.base).scheme)


def _split(base_url: str) -> urllib.parse.SplitResult:
    expected = "expected something like 'https://api.openai.com/v1' or 'http://localhost:8000/v1'"
    try:
        parts = urllib.parse.urlsplit(base_url.strip())
        _ = parts.port  # raises for an invalid port
    except ValueError as error:
        raise ConfigError(f"bad base URL {base_url!r}: {error}; {expected}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or any(char.isspace() for char in base_url.strip()):
        raise ConfigError(f"bad base URL {base_url!r}; {expected}")
    return parts
