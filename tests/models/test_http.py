"""The HTTP client against servers that send given bytes, plain and encrypted."""

from __future__ import annotations

import asyncio
import gzip
import os
import re
import shutil
import ssl
import subprocess
import sys
import time
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from askwell.core.types import Completion
from askwell.models.http.client import HttpClient, HttpResponse
from askwell.models.http.endpoint import Endpoint

Say = Callable[["RawServer", bytes, asyncio.StreamWriter], Awaitable[None]]
"""Answers one request; the connection stays open for the next one unless it is closed."""


@dataclass
class RawServer:
    """A TCP server that reads requests and answers with whatever bytes `say` writes."""

    say: Say
    url: str = ""
    connections: int = 0
    closed: int = 0
    requests: list[bytes] = field(default_factory=list[bytes])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = next((int(x[15:]) for x in head.lower().split(b"\r\n") if x.startswith(b"content-length:")), 0)
                request = head + await reader.readexactly(size)
                self.requests.append(request)
                await self.say(self, request, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.closed += 1
        finally:
            writer.close()


@asynccontextmanager
async def raw_server(say: Say, *, tls: ssl.SSLContext | None = None) -> AsyncGenerator[RawServer]:
    made = RawServer(say)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=tls)
    scheme = "https" if tls else "http"
    host = "localhost" if tls else "127.0.0.1"
    made.url = f"{scheme}://{host}:{server.sockets[0].getsockname()[1]}/v1/chat?a=b%20c"
    try:
        yield made
    finally:
        server.close()


def saying(*parts: bytes, close: bool = False, pause_s: float = 0.0) -> Say:
    async def say(_server: RawServer, _request: bytes, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause_s)
        if close:
            writer.close()

    return say


FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Thing: Some\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
ZIPPED = gzip.compress(b"hello")
ZIPPED_HEAD = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(ZIPPED)
WHOLE: dict[str, Say] = {
    "with a length": saying(FINE),
    "in single bytes": saying(*(bytes([byte]) for byte in FINE)),
    "chunked": saying(CHUNKED),
    "chunked, in pieces": saying(CHUNKED[:60], CHUNKED[60:64], CHUNKED[64:], pause_s=0.001),
    "until the connection ends": saying(b"HTTP/1.1 200 OK\r\n\r\nhel", b"lo", close=True),
    "after early hints": saying(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", FINE),
    "zipped unasked": saying(ZIPPED_HEAD, ZIPPED),
    "by HTTP/1.0": saying(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", close=True),
}  # fmt: skip
BROKEN: dict[str, Say] = {
    "nothing": saying(close=True),
    "half a head": saying(b"HTTP/1.1 200 OK\r\nContent-Le", close=True),
    "half a body": saying(FINE[:-2], close=True),
    "half the chunks": saying(CHUNKED[:-8], close=True),
    "no HTTP": saying(b"SSH-2.0-OpenSSH_9.6\r\n", close=True),
    "broken zip": saying(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"),
}


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost that signs itself, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl program to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    subprocess.run([*command.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


@pytest.fixture
def certificate(authority: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority)
    return context


@asynccontextmanager
async def opened(*, timeout_s: float = 5.0) -> AsyncGenerator[HttpClient]:
    client = HttpClient(Endpoint.parse("http://127.0.0.1/v1"), timeout_s=timeout_s, headers={"X-Mine": "1"})
    try:
        yield client
    finally:
        await client.aclose()
        await client.aclose()


async def answer_to(client: HttpClient, url: str, data: bytes = b"{}") -> HttpResponse:
    got = await client.post(url, data)
    assert isinstance(got, HttpResponse), got
    return got


def assert_failed(got: HttpResponse | Completion, fault: str, words: str) -> None:
    assert isinstance(got, Completion)
    assert (got.outcome, got.fault) == ("failed", fault)
    assert re.search(words, got.error), got.error


@pytest.mark.parametrize("how", WHOLE)
async def test_a_response_is_read_completely(how: str) -> None:
    async with raw_server(WHOLE[how]) as server, opened() as client:
        for _ in range(3):
            got = await answer_to(client, server.url)
            assert (got.status, got.body) == (200, b"hello")


async def test_the_request_is_sent_unchanged() -> None:
    async with raw_server(saying(FINE)) as server, opened() as client:
        got = await answer_to(client, server.url, b'{"a": 1}')
        await client.get(server.url)
    assert got.headers.get("x-thing") == "Some"
    posted, read = server.requests
    assert posted.startswith(b"POST /v1/chat?a=b%20c HTTP/1.1\r\n")
    assert posted.endswith(b'\r\n\r\n{"a": 1}')
    heads = posted.lower().split(b"\r\n")
    for expected in (b"x-mine: 1", b"content-type: application/json", b"content-length: 8"):
        assert heads.count(expected) == 1
    assert sum(head.startswith(b"host: 127.0.0.1:") for head in heads) == 1
    assert read.startswith(b"GET /v1/chat?a=b%20c HTTP/1.1\r\n")


async def test_statuses_and_empty_bodies_come_as_they_are() -> None:
    said = iter(
        [b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 204 None\r\n\r\n", FINE]
    )

    async def say(_server: RawServer, _request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(next(said))

    async with raw_server(say) as server, opened() as client:
        found = [await answer_to(client, server.url) for _ in range(3)]
    assert [(one.status, one.body) for one in found] == [(429, b""), (204, b""), (200, b"hello")]
    assert found[0].headers.get("retry-after") == "7"
    assert server.connections == 1


async def test_a_redirect_is_not_followed() -> None:
    moved = b"HTTP/1.1 307 Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    async with raw_server(saying(moved)) as server, opened() as client:
        assert (await answer_to(client, server.url)).status == 307
    assert len(server.requests) == 1


@pytest.mark.parametrize("how", BROKEN)
async def test_a_partial_response_is_a_failure_and_nothing_is_sent_twice(how: str) -> None:
    async with raw_server(BROKEN[how]) as server, opened() as client:
        assert_failed(await client.post(server.url, b"{}"), "connection", r"the connection to \S+ broke: .")
        assert len(server.requests) == 1


async def test_connections_are_kept_and_as_many_as_calls_are_under_way() -> None:
    async with raw_server(saying(FINE, pause_s=0.01)) as server, opened() as client:
        for _ in range(4):
            await asyncio.gather(*(client.post(server.url, b"{}") for _ in range(7)))
    assert server.connections == 7
    assert len(server.requests) == 28


async def test_a_connection_that_the_server_closed_is_not_used_again() -> None:
    async with raw_server(saying(FINE, close=True)) as server, opened() as client:
        for _ in range(5):
            assert (await answer_to(client, server.url)).status == 200
            await asyncio.sleep(0.02)
    assert server.connections == 5


async def test_an_unexpected_response_answers_no_later_request() -> None:
    number = 0

    async def say(_server: RawServer, _request: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal number
        number += 1
        writer.write(FINE.replace(b"hello", b"no. %d" % number) + FINE)

    async with raw_server(say) as server, opened() as client:
        bodies: set[bytes] = set()
        for _ in range(3):
            got = await client.post(server.url, b"{}")
            if isinstance(got, HttpResponse):
                bodies.add(got.body)
            await asyncio.sleep(0.02)
    assert b"hello" not in bodies


async def test_a_slow_answer_times_out_and_leaves_the_others_alone() -> None:
    async def say(_server: RawServer, request: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30.0 if b"slow" in request else 0.15)
        writer.write(FINE)

    async with raw_server(say) as server, opened(timeout_s=0.5) as client:
        begun = time.monotonic()
        slow, quick, later = await asyncio.gather(
            client.post(server.url, b"slow"),
            client.post(server.url, b"quick"),
            later_post(client, server.url),
        )
        assert_failed(slow, "timeout", r"no answer from \S+ within timeout_s=0.5")
        assert 0.4 <= time.monotonic() - begun < 5
        assert isinstance(quick, HttpResponse)
        assert isinstance(later, HttpResponse)


async def later_post(client: HttpClient, url: str) -> HttpResponse | Completion:
    await asyncio.sleep(0.35)
    return await client.post(url, b"quick")


async def test_a_closed_port_is_a_connection_fault() -> None:
    async with raw_server(saying(FINE)) as server:
        url = server.url
    async with opened() as client:
        for address in (url, "http://no-such-host.invalid/v1"):
            assert_failed(await client.post(address, b"{}"), "connection", "no connection to .*check the base URL")


async def test_a_cancelled_exchange_frees_its_connection() -> None:
    async with (
        raw_server(saying(FINE)) as quick,
        raw_server(saying(b"", pause_s=30.0)) as slow,
        opened() as client,
    ):
        call = asyncio.ensure_future(client.post(slow.url, b"{}"))
        await asyncio.sleep(0.05)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.sleep(0.05)
        assert (await answer_to(client, quick.url)).body == b"hello"


async def test_an_untrusted_certificate_is_refused(certificate: ssl.SSLContext) -> None:
    async with raw_server(saying(FINE), tls=certificate) as server, opened() as client:
        got = await client.post(server.url, b"{}")
    assert_failed(got, "connection", "(?i)no connection.*certificate is not trusted.*set SSL_CERT_FILE")
    assert server.requests == []


async def test_a_server_without_encryption_is_told() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with opened() as client:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        assert_failed(await client.post(url, b"{}"), "connection", "no connection to .*(?i:ssl).*check the base URL")
    server.close()


POST_THREE = """
import asyncio, resource, sys
from askwell.models.http.endpoint import Endpoint
from askwell.models.http.client import HttpClient
async def main(url):
    client = HttpClient(Endpoint.parse(url), timeout_s=20.0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(3):
        got = await client.post(url, b'{}')
        print(getattr(got, 'body', None) or got)
    print('grown', (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024, 'MiB')
    await client.aclose()
asyncio.run(main(sys.argv[1]))
"""


async def posted_by_another_process(url: str, **environment: str) -> str:
    """Post three times from a process with this environment; return what it printed."""
    unset = {name: value for name, value in os.environ.items() if not name.endswith("CA_BUNDLE")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", POST_THREE, url, env={**unset, **environment},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await process.communicate()
    return out.decode()


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
async def test_a_certificate_of_the_users_own_authority_is_accepted(
    variable: str, authority: tuple[Path, Path], certificate: ssl.SSLContext
) -> None:
    # A process of its own: aiohttp reads SSL_CERT_FILE once, when it is imported.
    async with raw_server(saying(FINE), tls=certificate) as server:
        out = await posted_by_another_process(server.url, **{variable: str(authority[0])})
    assert out.count("b'hello'") == 3, out
    assert server.connections == 1


@pytest.mark.parametrize(
    ("content", "words"), [(None, "REQUESTS_CA_BUNDLE is .*does not exist"), ("hello", "cannot read the certificates")]
)
async def test_a_wrong_bundle_is_told(
    content: str | None, words: str, tmp_path: Path, certificate: ssl.SSLContext
) -> None:
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_text(content, encoding="utf-8")
    async with raw_server(saying(FINE), tls=certificate) as server:
        out = await posted_by_another_process(server.url, REQUESTS_CA_BUNDLE=str(bundle))
    assert re.search(words, out), out


async def endless(_server: RawServer, _request: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
        await writer.drain()


def bomb(size_mib: int) -> Say:
    packer = zlib.compressobj(wbits=31)
    body = b"".join(packer.compress(bytes(2**20)) for _ in range(size_mib)) + packer.flush()
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    return saying(head, body)


@pytest.mark.parametrize("how", [endless, bomb(1024)], ids=["endless", "compressed bomb"])
async def test_a_huge_body_is_a_failure_of_bounded_size(how: Say) -> None:
    async with raw_server(how) as server:
        out = await posted_by_another_process(server.url)
    assert out.count("fault='malformed'") == out.count("larger than 67,108,864 bytes") == 3, out
    assert int(out.split("grown ")[1].split()[0]) < 200, out


async def test_a_large_body_is_read() -> None:
    body = b" " * (20 * 2**20) + b"{}"
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with raw_server(saying(head, body)) as server, opened() as client:
        assert (await answer_to(client, server.url)).body == body


def test_a_model_works_without_the_speed_extra() -> None:
    code = (
        "import sys; sys.modules['uvloop'] = sys.modules['orjson'] = None\n"
        "import asyncio\n"
        "from askwell.models.providers.openai import OpenAIModel\n"
        "from askwell.core.types import Message, Request\n"
        "from tests.support.servers import chat_server\n"
        "async def main(url):\n"
        "    model = OpenAIModel('tiny', base_url=url)\n"
        "    print(await model.complete(Request(messages=(Message(role='user', content='hi'),))))\n"
        "    await model.aclose()\n"
        "with chat_server() as server:\n"
        "    asyncio.run(main(server.base_url))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "text='hi'" in ran.stdout, ran.stderr
