"""Both transports, in plain and in encrypted connections, and which of them is taken."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from askwell.models.http import quickest
from askwell.models.transport import Line, Transport
from askwell.models.transport_aiohttp import AiohttpTransport
from askwell.models.transport_direct import DirectTransport, parser_type
from tests.conformance.transport import FINE, TransportContract, raw_server, saying

LINE = TransportContract.line()


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


class TestAiohttp(TransportContract):
    @pytest.fixture
    def make(self) -> Callable[[Line], Transport]:
        return AiohttpTransport


class TestDirect(TransportContract):
    @pytest.fixture
    def make(self) -> Callable[[Line], Transport]:
        parser = parser_type()
        if parser is None:
            pytest.skip("httptools (the speed extra) is not installed")
        return lambda line: DirectTransport(line, parser)


async def test_the_direct_one_where_httptools_is_and_no_proxy() -> None:
    kinds = [quickest(LINE), quickest(Line(headers={}, timeout_s=1.0, connect_s=1.0, proxy="http://127.0.0.1:1"))]
    for transport in kinds:
        await transport.aclose()
    direct = AiohttpTransport if parser_type() is None else DirectTransport
    assert [type(transport) for transport in kinds] == [direct, AiohttpTransport]


async def test_encrypted_connections(
    authority: tuple[Path, Path], certificate: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority[0]))  # as users trust an authority of their own
    transport = quickest(LINE)
    async with raw_server(saying(FINE), tls=certificate) as server:
        for _ in range(3):
            assert (await transport.exchange("POST", server.url, b"{}")).body == b"hello"
        assert server.connections == 1
        await transport.aclose()


def test_without_the_speed_extra_everything_goes_through_aiohttp() -> None:
    code = (
        "import sys; sys.modules['httptools'] = sys.modules['uvloop'] = sys.modules['orjson'] = None\n"
        "import asyncio\n"
        "from askwell.models.openai import OpenAIModel\n"
        "from askwell.models.http import quickest\n"
        "from askwell.types import Message, Request\n"
        "from tests.servers import chat_server\n"
        "async def main(url):\n"
        "    model = OpenAIModel('tiny', base_url=url)\n"
        "    print(await model.complete(Request(messages=(Message(role='user', content='hi'),))))\n"
        "    await model.aclose()\n"
        "with chat_server() as server:\n"
        "    asyncio.run(main(server.base_url))\n"
        "assert 'aiohttp.client' in sys.modules\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "text='hi'" in ran.stdout, ran.stderr
