"""What servers were seen to answer, on a real server: behaviour -> outcome, fault and text of the call."""

from __future__ import annotations

import json
import zlib
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from askwell.models.providers.anthropic import AnthropicModel
from askwell.models.providers.gemini import GeminiModel
from askwell.models.providers.http_model import HttpModel
from askwell.models.providers.openai import OpenAIModel
from tests.support.requests import ask
from tests.support.servers import running

KEY = "key-very-secret-0123456789"
OK, EMPTY, REFUSED, CUT = ("ok", ""), ("unparsed", ""), ("refused", ""), ("truncated", "")
RATE, SERVER, BAD, AUTH = (("failed", fault) for fault in ("rate_limit", "server", "bad_request", "auth"))
MALFORMED, BROKEN = ("failed", "malformed"), ("failed", "connection")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One answer of a server, and what the call becomes."""

    name: str
    body: Any
    """JSON, text or bytes."""
    became: tuple[str, str]
    text: str = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    words: str = ""
    """Part of the completion's error."""


def chat(content: Any, reason: str | None = "stop", **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": content}
    return {"choices": [{"index": 0, "message": message, "finish_reason": reason}], **more}


def refusal(code: Any = None, message: str = "no", kind: str = "invalid_request_error", **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "code": code, **more}}


def chunks(*deltas: Mapping[str, Any], reason: str | None = "stop", done: bool = True) -> str:
    choices: list[dict[str, Any]] = [{"index": 0, "delta": delta} for delta in deltas]
    if reason is not None:
        choices.append({"index": 0, "delta": {}, "finish_reason": reason})
    lines = [f"data: {json.dumps({'choices': [choice]})}\n\n" for choice in choices]
    return "".join(lines) + ("data: [DONE]\n\n" if done else "")


def case(name: str, body: Any, became: tuple[str, str], text: str = "", **more: Any) -> Case:
    return Case(name=name, body=body, became=became, text=text, **more)


STREAM = {"Content-Type": "text/event-stream"}
YES = chunks({"role": "assistant", "content": "Ye"}, {"content": "s"})
RAW_DEFLATE = zlib.compressobj(wbits=-15)
DEFLATED = RAW_DEFLATE.compress(json.dumps(chat("Yes")).encode()) + RAW_DEFLATE.flush()

CONTENT = [
    case("text", chat("Yes"), OK, "Yes"),
    case("a list of texts", chat(["Yes"]), OK, "Yes"),
    case("a list of several texts", chat(["Ye", "s"]), OK, "Yes"),
    case("a part without a type", chat([{"text": "Yes"}]), OK, "Yes"),
    case("a part and a text", chat([{"type": "text", "text": "Ye"}, "s"]), OK, "Yes"),
    case("a part that is not in a list", chat({"type": "text", "text": "Yes"}), OK, "Yes"),
    case("a part whose text is an object", chat([{"type": "text", "text": {"value": "Yes"}}]), OK, "Yes"),
    case("thinking and text", chat([{"type": "thinking", "text": "No?"}, {"type": "text", "text": "Yes"}]), OK, "Yes"),
    case("thinking alone, cut", chat([{"type": "thinking", "text": "No?"}], "length"), CUT),
    case("a part that refuses", chat([{"type": "refusal", "refusal": "I won't."}]), REFUSED, words="I won't."),
    case("parts of an unknown kind", chat([{"type": "image_url", "image_url": {}}]), MALFORMED),
    case("a list of numbers", chat([5]), MALFORMED),
    case("a part without text", chat([{"type": "text", "text": None}]), MALFORMED),
    case("null", chat(None), OK),
    case("an empty text", chat(""), OK),
    case("the text of the completions route", {"choices": [{"text": "Yes", "finish_reason": "stop"}]}, OK, "Yes"),
    case("a whole chunk", {"choices": [{"delta": {"content": "Yes"}, "finish_reason": "stop"}]}, OK, "Yes"),
    case("neither message nor text", {"choices": [{"finish_reason": "stop"}]}, MALFORMED),
]
REASONS = [
    case("tool calls alone", chat(None, "tool_calls"), EMPTY, words="finish_reason tool_calls"),
    case("a function call alone", chat("", "function_call"), EMPTY, words="finish_reason function_call"),
    case("an unknown reason without text", chat("", "paused"), EMPTY, words="finish_reason paused"),
    case("an unknown reason with text", chat("Yes", "paused"), OK, "Yes"),
    case("tool calls that claim to stop", {"choices": [
        {"message": {"content": None, "tool_calls": [{"id": "x"}]}, "finish_reason": "stop"}]}, EMPTY),
    case("no reason", chat("Yes", None), OK, "Yes"),
    case("a reason in capitals", chat("Yes", "STOP"), OK, "Yes"),
    case("cut, in capitals", chat("Ye", "MAX_TOKENS"), CUT, "Ye"),
    case("cut at the context", chat("Ye", "model_length"), CUT, "Ye"),
    case("Zhipu's filter", chat("", "sensitive"), REFUSED, words="sensitive"),
    case("Bedrock's guardrail", chat("", "guardrail_intervened"), REFUSED),
    case("Gemini's filter in this format", chat("", "SAFETY"), REFUSED),
    case("DeepSeek's interruption", chat("Ye", "insufficient_system_resource"), SERVER),
    case("SGLang's abort", chat("Ye", "abort"), SERVER),
    case("an error beside the choice", {"choices": [
        {"message": {"content": "Ye"}, "finish_reason": "stop", "error": {"message": "upstream left"}}]},
        SERVER, words="upstream left"),
]  # fmt: skip
STATUSES = [
    case("201", chat("Yes"), OK, "Yes", status=201),
    case("202", chat("Yes"), OK, "Yes", status=202),
    case("206", chat("Yes"), OK, "Yes", status=206),
    case("203", chat("Yes"), OK, "Yes", status=203),
    case("202 without an answer", {"id": "x", "status": "pending"}, MALFORMED, status=202),
    case("201 with an error", refusal(429, "slow down"), RATE, status=201),
    case("304", "", BAD, status=304),
]
STREAMS = [
    case("chunks", YES, OK, "Yes", headers=STREAM),
    case("chunks without their media type", YES, OK, "Yes"),
    case("chunks without the last line", YES.removesuffix("data: [DONE]\n\n"), OK, "Yes", headers=STREAM),
    case("chunks without a reason", chunks({"content": "Yes"}, reason=None), OK, "Yes", headers=STREAM),
    case("chunks with windows lines", YES.replace("\n", "\r\n"), OK, "Yes", headers=STREAM),
    case("chunks without blanks", YES.replace("data: ", "data:"), OK, "Yes", headers=STREAM),
    case("chunks with events and comments", ": hello\n\nevent: message\nid: 1\nretry: 5\n" + YES, OK, "Yes"),
    case("chunks with thinking", chunks({"reasoning_content": "No?"}, {"content": "Yes"}), OK, "Yes"),
    case("chunks that were cut short", chunks({"content": "Ye"}, reason="length"), CUT, "Ye"),
    case("chunks that were filtered", chunks({"content": "Ye"}, reason="content_filter"), REFUSED, "Ye"),
    case("chunks that refuse", chunks({"refusal": "I "}, {"refusal": "won't."}), REFUSED, words="I won't."),
    case("chunks that broke off", chunks({"content": "Ye"}, reason=None, done=False), MALFORMED, headers=STREAM),
    case("an error after chunks", chunks({"content": "Ye"}, reason=None, done=False)
         + 'data: {"error": {"message": "upstream left", "code": 502}}\n\n', SERVER, words="upstream left"),
    case("only an error", 'data: {"error": {"message": "slow down", "code": 429}}\n\n', RATE, headers=STREAM),
    case("one whole answer as an event", f"data: {json.dumps(chat('Yes'))}\n\ndata: [DONE]\n\n", OK, "Yes"),
    case("comments before the answer", ": OPENROUTER PROCESSING\n\n" * 3 + json.dumps(chat("Yes")), OK, "Yes"),
    case("comments before a printed answer", ": wait\n\n" + json.dumps(chat("Yes"), indent=2), OK, "Yes"),
    case("an answer with an end mark", json.dumps(chat("Yes")) + "\n\ndata: [DONE]\n\n", OK, "Yes"),
    case("blanks before the answer", "\n\n \n" + json.dumps(chat("Yes")), OK, "Yes"),
    case("only comments", ": OPENROUTER PROCESSING\n\n", MALFORMED),
    case("only an end mark", "data: [DONE]\n\n", MALFORMED),
    case("an event that is no JSON", "data: hello\n\ndata: [DONE]\n\n", MALFORMED),
]  # fmt: skip
ERRORS_IN_ANSWERS = [
    case("a code as text", refusal("429"), RATE),
    case("a code as text with words", refusal("HTTP_429"), RATE),
    case("a code as a number", refusal(503), SERVER),
    case("a word", refusal("rate_limit_exceeded"), RATE),
    case("another word", refusal("too_many_requests"), RATE),
    case("a type alone", refusal(None, "wait", "rate_limit_error"), RATE),
    case("a message alone", {"error": "Rate limit exceeded, try later"}, RATE),
    case("a status beside the code", {"error": {"message": "no", "code": "x", "status": "401"}}, AUTH),
    case("a key word", refusal("invalid_api_key"), AUTH),
    case("a used-up quota", refusal("insufficient_quota"), AUTH),
    case("an overload", refusal("overloaded_error"), SERVER),
    case("a bad request", refusal("invalid_request_error"), BAD),
    case("a context overflow", refusal("context_length_exceeded"), BAD),
    case("a model", refusal("model_not_found"), BAD),
    case("an unknown code of a known type", refusal("1210"), BAD),
    case("nothing known", refusal("1210", kind="odd"), SERVER),
    case("text without a code", {"error": "upstream fell over"}, SERVER),
    case("half an answer and an error", {**chat("Ye"), **refusal(502, "upstream left")}, SERVER, words="upstream left"),
    case("half an answer and a text", {**chat("Ye"), "error": "upstream left"}, SERVER, words="upstream left"),
    case("half an answer and a rate limit", {**chat("Ye"), **refusal("429")}, RATE),
    case("an answer and a null error", {**chat("Yes"), "error": None}, OK, "Yes"),
    case("an answer and an empty error", {**chat("Yes"), "error": {}}, OK, "Yes"),
    case("an answer and an error of nothing", {**chat("Yes"), "error": {"code": 0, "message": ""}}, OK, "Yes"),
    case("a refusal by code", refusal("content_filter"), REFUSED),
]
LIMITS = [
    case("too large for the limit", refusal("rate_limit_exceeded", "Request too large for gpt-x on tokens per min "
         "(TPM): Limit 30000, Requested 50000."), BAD, status=429),
    case("too large, with commas", refusal("tokens", "Limit: 30,000, Requested: 50,000"), BAD, status=429),
    case("too large, used before", refusal("tokens", "Limit 30000, Used 100, Requested 50000"), BAD, status=429),
    case("too large, in words", refusal("tokens", "Request too large"), BAD, status=429),
    case("too large, 413", refusal("tokens", "Request too large"), BAD, status=413),
    case("fits after a wait", refusal("tokens", "Limit 30000, Used 29000, Requested 2000. Please try again in 2s."),
         RATE, status=429),
    case("too many requests", refusal("requests", "Limit 500, Used 500, Requested 1."), RATE, status=429),
]  # fmt: skip
REFUSALS = [
    case("OpenAI", refusal("invalid_prompt", "flagged"), REFUSED, status=400),
    case("OpenRouter", refusal(403, "Input was flagged"), REFUSED, status=403),
    case("OpenRouter, in full", refusal(403, "m requires moderation on A. Your input was flagged for \"violence\". No "
         "credits were charged.", metadata={"reasons": ["violence"], "flagged_input": "x"}), REFUSED, status=403),
    case("OpenRouter's upstream", refusal(400, "Provider returned error", metadata={
         "raw": '{"error": {"message": "Your prompt was flagged as unsafe"}}'}), REFUSED, status=400),
    case("DashScope", {"code": "data_inspection_failed", "message": "Input data may contain inappropriate content."},
         REFUSED, status=400),
    case("DashScope, older", {"code": "DataInspectionFailed", "message": "no"}, REFUSED, status=400),
    case("litellm", refusal(None, "litellm.ContentPolicyViolationError: AzureException"), REFUSED, status=400),
    case("Anthropic's by a gateway", refusal(None, "Output blocked by content filtering policy"), REFUSED, status=400),
    case("DeepSeek", refusal(None, "Content Exists Risk"), REFUSED, status=400),
    case("Azure", refusal("content_filter", "The response was filtered"), REFUSED, status=400),
    case("Azure, inner", refusal("x", "no", innererror={"code": "ResponsibleAIPolicyViolation"}), REFUSED, status=400),
    case("xAI", refusal(None, "Content violates usage guidelines. Failed check: SAFETY_CHECK"), REFUSED, status=403),
    case("Moonshot", refusal(None, "The request was rejected because it was considered high risk", "content_filter"),
         REFUSED, status=400),
    case("StepFun", refusal(None, "The content you provided or machine outputted is blocked.", "censorship_blocked"),
         REFUSED, status=451),
    case("Zhipu", refusal("1301", "系统检测到输入或生成内容可能包含不安全或敏感内容"), REFUSED, status=400),
    case("Volcengine", refusal("SensitiveContentDetected", "may contain sensitive information"), REFUSED, status=400),
    case("Bedrock", refusal(None, "The prompt was blocked by guardrail gr-1"), REFUSED, status=400),
    case("Vertex", refusal(None, "The prompt violates Google's Responsible AI practices"), REFUSED, status=400),
    case("a moderation endpoint", refusal("moderation_blocked", "rejected by our safety system"), REFUSED, status=400),
    case("a gateway's 500", refusal("sensitive_words_detected", "no"), REFUSED, status=500),
    case("a safety system", refusal(None, "Your request was rejected as a result of our safety system."), REFUSED,
         status=400),
    case("a gateway's own words", refusal(None, "Harmful content detected"), REFUSED, status=400),
    case("a guard model", refusal(None, "Request blocked: prompt injection detected"), REFUSED, status=403),
    case("a policy", {"detail": "Content violates policy"}, REFUSED, status=422),
    case("a code alone", refusal("content_blocked", "no"), REFUSED, status=446),
    case("a 422", refusal(None, "Your request was flagged by our moderation system"), REFUSED, status=422),
]  # fmt: skip
NO_REFUSALS = [
    case("no key", refusal(None, "Invalid key"), AUTH, status=403),
    case("a flagged account", refusal(None, "Your account has been flagged for abuse"), AUTH, status=403),
    case("a banned organization", refusal(None, "This organization was disabled: it violated our usage policies"), AUTH,
         status=403),
    case("a firewall's page", "<html><body>Sorry, this request was blocked</body></html>", AUTH, status=403),
    case("too long", refusal("context_length_exceeded", "This model's maximum context length is 64 tokens"), BAD,
         status=400),
    case("an unknown wording", refusal(None, "I would rather not"), BAD, status=400),
    case("a country", refusal(None, "Access denied: not available in your country"), AUTH, status=403),
    case("empty text", refusal(None, "messages: text content blocks must contain non-whitespace text"), BAD,
         status=400),
    case("an image", refusal(None, "This model does not support image input; the prompt contains images"), BAD,
         status=400),
    case("an unknown field", refusal(None, "unknown field moderation_level"), BAD, status=400),
    case("case-sensitive", refusal(None, "the request's field names are case sensitive"), BAD, status=400),
    case("a moderation that is busy", refusal(None, "content filter is at capacity"), RATE, status=429),
    case("a filter that fell over", refusal(None, "content filter crashed"), SERVER, status=500),
    case("a parameter of safety", refusal(None, "Unsupported parameter", param="safety_identifier"), BAD, status=400),
]  # fmt: skip
ENCODINGS = [
    case("raw deflate", DEFLATED, OK, "Yes", headers={"Content-Encoding": "deflate"}),
    case(
        "deflate", zlib.compress(json.dumps(chat("Yes")).encode()), OK, "Yes", headers={"Content-Encoding": "deflate"}
    ),
    case("with a byte-order mark", b"\xef\xbb\xbf" + json.dumps(chat("Yes")).encode(), OK, "Yes"),
    case("not what it claims", b"plain", BROKEN, headers={"Content-Encoding": "gzip"}),
]
OPENAI = [*CONTENT, *REASONS, *STATUSES, *STREAMS, *ERRORS_IN_ANSWERS, *LIMITS, *REFUSALS, *NO_REFUSALS, *ENCODINGS]


def anthropic(content: Any, reason: str | None = "end_turn", **more: Any) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": content, "stop_reason": reason, **more}


def anthropic_error(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}}


ANTHROPIC = [
    case("text", anthropic([{"type": "text", "text": "Yes"}]), OK, "Yes"),
    case("plain texts", anthropic(["Yes"]), OK, "Yes"),
    case("201", anthropic([{"type": "text", "text": "Yes"}]), OK, "Yes", status=201),
    case("an empty turn", anthropic([]), OK),
    case("tool use alone", anthropic([{"type": "tool_use", "id": "x"}], "tool_use"), EMPTY, words="tool_use"),
    case("a paused turn", anthropic([], "pause_turn"), EMPTY, words="stop_reason pause_turn"),
    case("an unknown reason", anthropic([], "bored"), EMPTY, words="stop_reason bored"),
    case("text and a tool", anthropic([{"type": "text", "text": "Yes"}, {"type": "tool_use"}], "tool_use"), OK, "Yes"),
    case("a refused output", anthropic_error("invalid_request_error", "Output blocked by content filtering policy"),
         REFUSED, status=400),
    case("too long", anthropic_error("invalid_request_error", "prompt is too long: 5 tokens > 4 maximum"), BAD,
         status=400),
    case("200 with an error", anthropic_error("rate_limit_error", "wait"), RATE),
    case("200 with text and an error", anthropic([{"type": "text", "text": "Ye"}], error="upstream left"), SERVER),
    case("200 with a status as text", {"error": {"type": "x", "code": "429"}}, RATE),
    case("comments before the answer", ": wait\n\n" + json.dumps(anthropic([{"type": "text", "text": "Yes"}])), OK,
         "Yes"),
]  # fmt: skip


def gemini(reason: str | None, *parts: Any, **more: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}, "finishReason": reason}], **more}


GEMINI = [
    case("text", gemini("STOP", {"text": "Yes"}), OK, "Yes"),
    case("plain texts", gemini("STOP", "Yes"), OK, "Yes"),
    case("206", gemini("STOP", {"text": "Yes"}), OK, "Yes", status=206),
    case("nothing", gemini("STOP"), EMPTY, words="finishReason STOP"),
    case("no content", {"candidates": [{"finishReason": "STOP"}]}, EMPTY, words="finishReason STOP"),
    case("an unknown reason", {"candidates": [{"finishReason": "NO_IMAGE"}]}, EMPTY, words="finishReason NO_IMAGE"),
    case("an unknown reason with text", gemini("NO_IMAGE", {"text": "Yes"}), OK, "Yes"),
    case("a function call", gemini("STOP", {"functionCall": {"name": "f"}}), EMPTY),
    case("an empty text", gemini("STOP", {"text": ""}), OK),
    case("thoughts alone", gemini("STOP", {"text": "No?", "thought": True}), EMPTY),
    case("200 with an error", {"error": {"code": "429", "message": "wait", "status": "RESOURCE_EXHAUSTED"}}, RATE),
    case("200 with text and an error", gemini("STOP", {"text": "Ye"}, error={"code": 503, "message": "left"}), SERVER),
    case("a refused prompt", {"error": {"code": 400, "message": "The prompt was blocked due to safety"}}, REFUSED,
         status=400),
]  # fmt: skip

MODELS: dict[type[HttpModel], tuple[list[Case], str]] = {
    OpenAIModel: (OPENAI, "v1/chat/completions"),
    AnthropicModel: (ANTHROPIC, "v1/messages"),
    GeminiModel: (GEMINI, "v1beta/models/m:generateContent"),
}
PAIRS = [
    pytest.param(kind, number, id=f"{kind.__name__}-{one.name}")
    for kind, (cases, _) in MODELS.items()
    for number, one in enumerate(cases)
]


async def _answer(request: web.Request) -> web.Response:
    kind = next(kind for kind in MODELS if kind.__name__ == request.match_info["kind"])
    one = MODELS[kind][0][int(request.match_info["number"])]
    if isinstance(one.body, str | bytes):
        body = one.body.encode() if isinstance(one.body, str) else one.body
        kind_of_body = "text/html" if body.startswith(b"<") else "application/json"
        return web.Response(body=body, status=one.status, headers={"Content-Type": kind_of_body, **one.headers})
    return web.json_response(one.body, status=one.status, headers=one.headers)


@pytest.fixture(scope="module")
def address() -> Generator[str]:
    app = web.Application()
    app.router.add_post("/{kind}/{number}/{rest:.*}", _answer)
    with running(app) as url:
        yield url


@pytest.mark.parametrize(("kind", "number"), PAIRS)
async def test_what_a_server_answers(kind: type[OpenAIModel], number: int, address: str) -> None:
    cases, path = MODELS[kind]
    one = cases[number]
    model = kind("m", base_url=f"{address}/{kind.__name__}/{number}/{path.partition('/')[0]}", api_key=KEY)
    got = await model.complete(ask("Is 7 a number?"))
    await model.aclose()
    assert (got.outcome, got.fault, got.text) == (*one.became, one.text), got.error
    assert one.words in got.error
    assert got.error or got.outcome in ("ok", "truncated")
