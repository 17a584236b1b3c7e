"""Listen on an address and serve an application until it is stopped."""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import socket
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from aiohttp import web
from aiohttp.http import HttpProcessingError

from askwell.core.errors import ConfigError
from askwell.core.event_loop import new_event_loop

_DRAIN_S = 10.0  # aiohttp waits twice as long; container managers kill a process after 30 s
_IDLE_S = 60.0  # for a connection without a request, or with a part of its head
_MOST_FILES, _LAST_PORT = 65_536, 65_535
_BACKLOG = 1024  # connections that arrive at once; a full queue costs its clients a second each


class _WithoutClientFaults(logging.Filter):
    """Drops the tracebacks of requests that are not HTTP: the client is told, and anybody could fill the terminal."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, HttpProcessingError)


_LOG = logging.getLogger(__name__)
_LOG.addFilter(_WithoutClientFaults())


def listen(host: str, port: int) -> list[socket.socket]:
    """Return listening sockets for every address of a host. Raises `ConfigError`, such as for a port that is taken."""
    if not 0 <= port <= _LAST_PORT:
        raise ConfigError(f"--port {port} is no port; expected 0 (a free one) to {_LAST_PORT}")
    try:
        addresses = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ConfigError(f"--host {host!r} is no address of this machine: {error.strerror}") from error
    sockets: list[socket.socket] = []
    for family, *_, address in dict.fromkeys(addresses):
        # With port 0, the further addresses of a host get the port that the first one was given.
        bound = (address[0], sockets[0].getsockname()[1] if sockets else port, *address[2:])
        try:
            sockets.append(socket.create_server(bound, family=family, backlog=_BACKLOG))
        except OSError as error:
            if error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL) and len(addresses) > 1:
                continue  # a machine without IPv6 still has a name for ::1
            _close(sockets)
            raise ConfigError(_describe(host, port, error)) from error
    return sockets


def run_server(app: web.Application, sockets: Sequence[socket.socket], announce: Callable[[], None]) -> None:
    """Serve until SIGINT or SIGTERM: answers under way are finished for some seconds, a second signal stops at once."""
    _raise_file_limit()
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_run(app, sockets, announce))


@asynccontextmanager
async def serving(
    app: web.Application, sockets: Sequence[socket.socket], *, idle_s: float = _IDLE_S, drain_s: float = _DRAIN_S
) -> AsyncGenerator[None]:
    """Serve an application on listening sockets."""
    runner = web.AppRunner(
        app,
        handler_cancellation=True,  # a client that leaves must not keep the upstream busy
        shutdown_timeout=drain_s,
        keepalive_timeout=idle_s,
        logger=_LOG,
        auto_decompress=False,  # a small compressed body can hold gigabytes
    )
    await runner.setup()
    try:
        for listener in sockets:
            await web.SockSite(runner, listener, backlog=_BACKLOG).start()
        yield
    finally:
        await runner.cleanup()


async def _run(app: web.Application, sockets: Sequence[socket.socket], announce: Callable[[], None]) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    async with serving(app, sockets):
        with suppress(NotImplementedError):  # on Windows, Ctrl-C raises KeyboardInterrupt instead
            for number in signals:
                loop.add_signal_handler(number, stop.set)
        announce()
        await stop.wait()
        for number in signals:
            loop.remove_signal_handler(number)


def _raise_file_limit() -> None:
    """Allow as many open sockets as the system does: a request holds two, and the usual limit is 1024."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if most == resource.RLIM_INFINITY else min(most, _MOST_FILES)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _describe(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is taken; give another one with --port (0 takes a free one)"
    if error.errno == errno.EACCES:
        return f"port {port} needs the rights of an administrator; give one above 1023 with --port"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"--host {host!r} is no address of this machine"
    return f"can't listen on {host!r}, port {port}: {error.strerror}"


def _close(sockets: Sequence[socket.socket]) -> None:
    for listener in sockets:
        listener.close()
