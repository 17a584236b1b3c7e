"""OpenTelemetry spans of model calls by the GenAI semantic conventions: one per request sent, retries included.

A span holds no message text unless `detail="content"`, and never a key: a request has none.
"""

from __future__ import annotations

import importlib
import json
from typing import Any, Literal

from askwell.core.errors import ConfigError
from askwell.core.protocols import ChatModel
from askwell.core.types import Completion, Message, Outcome, Request
from askwell.models.parts import parts_of

Detail = Literal["calls", "content"]
"""The content of a span: "calls" for model, parameters, tokens and outcome, "content" for the messages too."""

_FINISH: dict[Outcome, str] = {"ok": "stop", "truncated": "length", "refused": "content_filter"}

_PROVIDERS = {"gemini": "gcp.gemini", "azure": "azure.ai.openai", "mistral": "mistral_ai"}
"""Our name of a provider -> the conventions' name, if it differs."""


class Traced:
    """Make a span for every call of a model, with the tracer provider of the process."""

    def __init__(self, model: ChatModel, *, detail: Detail = "calls") -> None:
        self.inner = model
        self.parts = parts_of(model)
        self._detail: Detail = detail
        self._trace = _otel("opentelemetry.trace")
        self._tracer = self._trace.get_tracer("askwell")

    @property
    def name(self) -> str:
        return self.inner.name

    async def complete(self, request: Request) -> Completion:
        provider, _, model = self.name.partition(":") if ":" in self.name else ("", "", self.name)
        attributes: dict[str, str | int | float] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": _PROVIDERS.get(provider, provider) or "askwell",
            "gen_ai.request.model": model,
            "gen_ai.request.temperature": request.temperature,
            "gen_ai.request.max_tokens": request.max_tokens,
        }
        if request.seed is not None:
            attributes["gen_ai.request.seed"] = request.seed
        if self._detail == "content":
            attributes["gen_ai.input.messages"] = _format_messages(request.messages)
        kind = self._trace.SpanKind.CLIENT
        with self._tracer.start_as_current_span(f"chat {model}", kind=kind, attributes=attributes) as span:
            completion = await self.inner.complete(request)
            self._record(span, completion)
        return completion

    async def aclose(self) -> None:
        await self.inner.aclose()

    def _record(self, span: Any, completion: Completion) -> None:  # noqa: ANN401 - the optional library's span
        usage = completion.usage
        attributes: dict[str, object] = {
            "gen_ai.usage.input_tokens": usage.prompt_tokens,
            "gen_ai.usage.output_tokens": usage.completion_tokens,
            "askwell.outcome": completion.outcome,
        }
        if usage.cost_usd is not None:
            attributes["askwell.cost_usd"] = usage.cost_usd
        if completion.outcome == "failed":
            attributes["error.type"] = completion.fault or "unknown"
            span.set_status(self._trace.Status(self._trace.StatusCode.ERROR, completion.error))
        else:
            attributes["gen_ai.response.finish_reasons"] = (_FINISH.get(completion.outcome, completion.outcome),)
            if self._detail == "content":
                attributes["gen_ai.output.messages"] = _format_messages(
                    (Message(role="assistant", content=completion.text),)
                )
        span.set_attributes(attributes)


class TraceExport:
    """Export spans to the collector of the OTEL_EXPORTER_OTLP_* variables within the `with` block.

    A tracer provider that the process already has (`opentelemetry-instrument`) is kept.
    """

    def __init__(self, run: str) -> None:
        self._run = run
        self._provider: Any = None

    def __enter__(self) -> None:
        trace, sdk = _otel("opentelemetry.trace"), _otel("opentelemetry.sdk.trace")
        if isinstance(trace.get_tracer_provider(), sdk.TracerProvider):
            return
        exporter = _otel("opentelemetry.exporter.otlp.proto.http.trace_exporter").OTLPSpanExporter()
        resource = _otel("opentelemetry.sdk.resources").Resource.create(
            {"service.name": "askwell", "askwell.run": self._run}
        )
        self._provider = sdk.TracerProvider(resource=resource)
        self._provider.add_span_processor(_otel("opentelemetry.sdk.trace.export").BatchSpanProcessor(exporter))
        trace.set_tracer_provider(self._provider)

    def __exit__(self, *_: object) -> None:
        if self._provider is not None:
            self._provider.shutdown()


def _format_messages(messages: tuple[Message, ...]) -> str:
    return json.dumps(
        [{"role": message.role, "parts": [{"type": "text", "content": message.content}]} for message in messages],
        ensure_ascii=False,
    )


def _otel(module: str) -> Any:  # noqa: ANN401 - an optional library's module
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError('traces need OpenTelemetry: pip install "askwell[otel]"') from error
