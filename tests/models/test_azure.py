"""AzureModel against a real server with both of Azure's addresses: paths, key, deployments, content filter."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from aiohttp import web

from askwell.core.protocols import ChatModel
from askwell.core.types import Completion
from askwell.models.providers.openai import AzureModel
from askwell.testing import ChatModelContract
from tests.support.requests import ask
from tests.support.wire_servers import KEY, always, azure_server


async def answer(model: ChatModel) -> Completion:
    try:
        return await model.complete(ask("hello there"))
    finally:
        await model.aclose()


class TestContract(ChatModelContract):
    @pytest.fixture
    def model(self) -> Iterator[ChatModel]:
        with azure_server() as server:
            yield AzureModel("tiny", base_url=server.base_url, api_key=KEY)


V1 = "/openai/v1/chat/completions"
DATED = "/openai/deployments/tiny/chat/completions?api-version=2024-10-21"


@pytest.mark.parametrize(
    ("path", "posted"),
    [
        ("", V1),
        ("/", V1),
        ("/openai", V1),
        ("/openai/v1/", V1),
        ("/openai/v1?api-version=preview", f"{V1}?api-version=preview"),
        ("?api-version=2024-10-21", DATED),
        ("/openai?api-version=2024-10-21", DATED),
        ("/openai/deployments/tiny/chat/completions?api-version=2024-10-21", DATED),
    ],
)
async def test_every_address_azure_shows_is_understood(path: str, posted: str) -> None:
    with azure_server() as server:
        got = await answer(AzureModel("tiny", base_url=server.base_url + path, api_key=KEY))
    assert (got.text, got.outcome) == ("hello there", "ok")
    assert server.paths == [posted]


@pytest.mark.parametrize("query", ["", "?api-version=2024-10-21"])
async def test_an_unknown_deployment_is_named_in_the_error(query: str) -> None:
    with azure_server() as server:
        got = await answer(AzureModel("gpt-4.1", base_url=server.base_url + query, api_key=KEY))
    assert got.fault == "bad_request"
    assert "name of a deployment" in got.error


async def test_a_wrong_key_and_a_filtered_prompt() -> None:
    body = {"error": {"code": "content_filter", "message": "The prompt was filtered", "param": "prompt"}}
    with azure_server() as server:
        assert (await answer(AzureModel("tiny", base_url=server.base_url, api_key="another-key"))).fault == "auth"
        assert "no API key was sent" in (await answer(AzureModel("tiny", base_url=server.base_url))).error
        server.transform = always(lambda: web.json_response(body, status=400))
        got = await answer(AzureModel("tiny", base_url=server.base_url, api_key=KEY))
    assert (got.outcome, got.fault) == ("refused", "")


def test_the_name_tells_deployments_apart_and_shows_no_key() -> None:
    model = AzureModel("tiny", base_url="https://x.openai.azure.com", api_key=KEY)
    assert model.name == "azure:tiny@https://x.openai.azure.com"
    assert repr(model) == "AzureModel('azure:tiny@https://x.openai.azure.com')"
