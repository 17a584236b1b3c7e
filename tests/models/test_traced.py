"""Spans by the GenAI conventions: their content, what they omit, and their export to a collector."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from askwell.core.protocols import ChatModel
from askwell.core.types import Completion, Message, Request, Usage
from askwell.models.wrappers.renamed import Renamed
from askwell.models.wrappers.retry import Retrying
from askwell.models.wrappers.traced import Traced
from askwell.testing import ChatModelContract
from askwell.testing.fakes import FlakyModel, ScriptedModel
from tests.support.harness import askwell, clean_environment, optimize_flags, serving

pytest.importorskip("opentelemetry.sdk")
QUESTION, REPLY = "a private question", "a private reply"


@pytest.fixture(scope="module")
def exporter() -> Any:
    """The process's tracer provider, set once: a second one would be refused."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    found = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(found))
    trace.set_tracer_provider(provider)
    return found


@pytest.fixture
def spans(exporter: Any) -> Any:
    exporter.clear()
    return exporter.get_finished_spans


def model() -> ChatModel:
    usage = Usage(prompt_tokens=7, completion_tokens=3, cost_usd=0.25)
    return Renamed(
        ScriptedModel(lambda _: Completion(text=REPLY, usage=usage, outcome="truncated")), name="openai:tiny"
    )


def ask(wrapped: ChatModel) -> Completion:
    request = Request(messages=(Message(role="user", content=QUESTION),), temperature=0.5, max_tokens=9, seed=4)
    return asyncio.run(wrapped.complete(request))


@pytest.mark.parametrize(
    ("name", "conventional"),
    [("anthropic", "anthropic"), ("gemini", "gcp.gemini"), ("azure", "azure.ai.openai"), ("mistral", "mistral_ai")],
)
def test_providers_have_the_names_of_the_conventions(spans: Any, name: str, conventional: str) -> None:
    ask(Traced(Renamed(model(), name=f"{name}:tiny:1b")))
    [span] = spans()
    assert span.attributes["gen_ai.request.model"] == "tiny:1b"
    assert span.attributes["gen_ai.provider.name"] == conventional


def test_a_span_tells_model_parameters_tokens_and_outcome_by_the_conventions(spans: Any) -> None:
    from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as names

    assert ask(Traced(model())).text == REPLY
    [span] = spans()
    assert span.name == "chat tiny"
    assert dict(span.attributes) == {
        names.GEN_AI_OPERATION_NAME: "chat",
        names.GEN_AI_PROVIDER_NAME: "openai",
        names.GEN_AI_REQUEST_MODEL: "tiny",
        names.GEN_AI_REQUEST_TEMPERATURE: 0.5,
        names.GEN_AI_REQUEST_MAX_TOKENS: 9,
        names.GEN_AI_REQUEST_SEED: 4,
        names.GEN_AI_USAGE_INPUT_TOKENS: 7,
        names.GEN_AI_USAGE_OUTPUT_TOKENS: 3,
        names.GEN_AI_RESPONSE_FINISH_REASONS: ("length",),
        "askwell.outcome": "truncated",
        "askwell.cost_usd": 0.25,
    }
    assert QUESTION not in span.to_json()
    assert REPLY not in span.to_json()


def test_spans_hold_messages_only_on_request(spans: Any) -> None:
    ask(Traced(model(), detail="content"))
    [span] = spans()
    assert QUESTION in span.attributes["gen_ai.input.messages"]
    assert REPLY in span.attributes["gen_ai.output.messages"]


def test_every_attempt_is_a_span_and_a_failed_one_says_so(spans: Any) -> None:
    flaky = FlakyModel(model(), seed=3, rate=0.7, faults=["server"])
    ask(Retrying(Traced(flaky), base_s=0.0001, max_attempts=50))
    *failed, last = spans()
    assert len(failed) == flaky.fault_counts["server"] > 0
    assert {span.attributes["error.type"] for span in failed} == {"server"}
    assert not last.status.description
    assert all(span.status.description == "injected fault server" for span in failed)


class TestTracedContract(ChatModelContract):
    @pytest.fixture
    def model(self) -> Any:
        return Traced(ScriptedModel(lambda _: "hello"))


@pytest.mark.slow
def test_a_traced_run_reaches_a_collector(tmp_path: Path) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    got: list[bytes] = []
    ready: list[str] = []
    loop = asyncio.new_event_loop()

    async def collect(request: web.Request) -> web.Response:
        got.append(await request.read())
        return web.Response()

    async def serve() -> None:
        app = web.Application(client_max_size=1 << 26)
        app.router.add_post("/v1/traces", collect)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        ready.append(f"http://127.0.0.1:{runner.addresses[0][1]}")

    loop.run_until_complete(serve())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    with serving() as server:
        env = clean_environment(OTEL_EXPORTER_OTLP_ENDPOINT=ready[0])
        run = askwell(
            "optimize", *optimize_flags(server), "--steps", "1", "--run", "r", "--trace", "calls", cwd=tmp_path, env=env
        )
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    assert run.status == 0, run.err
    sent = b"".join(got)
    for part in (b"chat tiny", b"gen_ai.usage.input_tokens", b"askwell.run"):
        assert part in sent
    assert b"think step by step" not in sent
