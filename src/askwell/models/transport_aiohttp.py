"""The transport that is always there: an aiohttp session."""

from __future__ import annotations

import aiohttp

from askwell.models.transport import KEEP_ALIVE_S, HttpAnswer, Line, NotConnected, NotConnectedInTime


class AiohttpTransport:
    """See `Transport`; knows proxies."""

    def __init__(self, line: Line) -> None:
        self._proxy = line.proxy
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S),
            headers=line.headers,
            timeout=aiohttp.ClientTimeout(total=line.timeout_s, sock_connect=line.connect_s),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def exchange(self, method: str, url: str, data: bytes | None) -> HttpAnswer:
        try:
            async with self._session.request(
                method, url, data=data, allow_redirects=False, proxy=self._proxy
            ) as response:
                body = await response.read()
                return HttpAnswer(status=response.status, headers=response.headers, body=body)
        except aiohttp.ConnectionTimeoutError as problem:
            raise NotConnectedInTime from problem
        except aiohttp.ClientConnectorError as problem:
            raise NotConnected(str(problem)) from problem
        except aiohttp.ClientError as problem:
            raise OSError(str(problem) or type(problem).__name__) from problem

    async def aclose(self) -> None:
        await self._session.close()
