"""A real server with batch endpoints (OpenAI's and Anthropic's) beside the chat endpoint, for tests."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

from tests.support.servers import ChatServer, completion, error, running

Fate = Literal["answered", "expired", "error", "refused", "unsupported", "forbidden"]
FatePlan = Callable[[dict[str, Any], int], Fate]
"""(body of a request, number of the batch) -> its fate."""


def all_answered(_body: dict[str, Any], _batch: int) -> Fate:
    return "answered"


@dataclass
class ServedBatch:
    """A submitted batch. `lines`: custom_id -> body."""

    id: str
    lines: dict[str, dict[str, Any]]
    metadata: dict[str, str]
    at: float
    number: int
    fates: dict[str, Fate] = field(default_factory=dict[str, Fate])
    cancelled: bool = False
    failed: str = ""


@dataclass
class BatchServer:
    """The server, as tests observe it. `paid` counts the answers to each request, direct or in a batch."""

    chat: ChatServer = field(default_factory=ChatServer)
    base_url: str = ""
    seconds: float = 0.2
    """Duration of a batch."""
    fate: FatePlan = all_answered
    most_lines: int = 1_000_000
    """A batch with more lines fails with an enqueued-token limit."""
    on_batch: Callable[[ServedBatch], None] = lambda batch: None
    """Called after a batch was created, before the response to its creation."""
    lose_answers: int = 0
    """Number of lost responses to the creation of a batch."""
    paid: Counter[str] = field(default_factory=Counter[str])
    in_batches: Counter[str] = field(default_factory=Counter[str])
    batches: dict[str, ServedBatch] = field(default_factory=dict[str, ServedBatch])
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    polls: int = 0

    # --- OpenAI's -----------------------------------------------------------------------------------------------------

    async def upload(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        assert form["purpose"] == "batch"
        part = form["file"]
        assert isinstance(part, web.FileField)
        name = f"file-{len(self.files) + 1}"
        self.files[name] = part.file.read()
        return web.json_response({"id": name, "object": "file", "purpose": "batch"})

    async def create(self, request: web.Request) -> web.StreamResponse:
        order = await request.json()
        assert (order["endpoint"], order["completion_window"]) == ("/v1/chat/completions", "24h")
        lines = [json.loads(line) for line in self.files[order["input_file_id"]].splitlines()]
        assert all((line["method"], line["url"]) == ("POST", "/v1/chat/completions") for line in lines)
        made = self._create({line["custom_id"]: line["body"] for line in lines}, order.get("metadata") or {})
        assert len(made.lines) == len(lines), "a custom_id comes twice"
        return self._answer(request, self._batch_json(made))

    async def look(self, request: web.Request) -> web.StreamResponse:
        self.polls += 1
        found = self.batches.get(request.match_info["id"])
        return error(404, "No such batch") if found is None else web.json_response(self._batch_json(found))

    async def listed(self, request: web.Request) -> web.StreamResponse:
        limit, after = int(request.query.get("limit", "20")), request.query.get("after")
        found = [self._batch_json(each) for each in reversed(self.batches.values())]
        if after:
            found = found[[each["id"] for each in found].index(after) + 1 :]
        return web.json_response({"object": "list", "data": found[:limit], "has_more": len(found) > limit})

    async def cancel(self, request: web.Request) -> web.StreamResponse:
        batch = self.batches[request.match_info["id"]]
        batch.cancelled = True
        return web.json_response(self._batch_json(batch))

    async def content(self, request: web.Request) -> web.StreamResponse:
        kind, _, batch = request.match_info["id"].partition("-")
        found = self.batches[batch]
        lines = [line for key in found.lines if (line := self._line(found, key)) is not None and line["kind"] == kind]
        return web.Response(text="\n".join(json.dumps(line["line"]) for line in lines) + "\n")

    def _batch_json(self, batch: ServedBatch) -> dict[str, Any]:
        status = self._status(batch)
        counts = Counter(batch.fates.values())
        ended = status in {"completed", "expired", "cancelled"}
        return {
            "id": batch.id,
            "object": "batch",
            "status": status,
            "metadata": batch.metadata,
            "created_at": int(batch.at),
            "output_file_id": f"out-{batch.id}" if ended and counts["answered"] else None,
            "error_file_id": f"err-{batch.id}" if ended and counts.total() > counts["answered"] else None,
            "request_counts": {
                "total": len(batch.lines),
                "completed": counts["answered"],
                "failed": counts.total() - counts["answered"],
            },
            "errors": {"data": [{"code": "token_limit_exceeded", "message": batch.failed}]} if batch.failed else None,
        }

    def _line(self, batch: ServedBatch, key: str) -> dict[str, Any] | None:
        fate = batch.fates.get(key)
        line: dict[str, Any] = {"id": f"req-{key}", "custom_id": key, "response": None, "error": None}
        if fate is None:
            return None
        if fate == "answered":
            body = batch.lines[key]
            line["response"] = {"status_code": 200, "body": completion(self.chat.reply(body["messages"]), body)}
            return {"kind": "out", "line": line}
        if fate == "expired":
            line["error"] = {"code": "batch_expired", "message": "This request could not be executed in time."}
        else:
            words = {
                "error": (500, "The server had an error"),
                "refused": (400, "Your request was rejected"),
                "unsupported": (400, "Unsupported parameter: 'temperature' is not supported with this model."),
            }
            status, message = words[fate]
            line["response"] = {"status_code": status, "body": {"error": {"message": message, "code": None}}}
        return {"kind": "err", "line": line}

    # --- Anthropic's --------------------------------------------------------------------------------------------------

    async def message(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self._pay(body, batched=False)
        return web.json_response(self._message(body))

    async def create_messages(self, request: web.Request) -> web.StreamResponse:
        order = await request.json()
        assert request.headers["anthropic-version"]
        made = self._create({each["custom_id"]: each["params"] for each in order["requests"]}, {})
        return self._answer(request, self._message_batch_json(made))

    async def look_messages(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self._message_batch_json(self.batches[request.match_info["id"]]))

    async def listed_messages(self, _request: web.Request) -> web.StreamResponse:
        found = [self._message_batch_json(each) for each in reversed(self.batches.values())]
        return web.json_response({"data": found, "has_more": False})

    async def results(self, request: web.Request) -> web.StreamResponse:
        batch = self.batches[request.match_info["id"]]
        lines: list[dict[str, Any]] = []
        for key, fate in batch.fates.items():
            result: dict[str, Any] = {"type": "succeeded", "message": self._message(batch.lines[key])}
            if fate == "expired":
                result = {"type": "expired"}
            elif fate != "answered":
                kinds = {"error": "api_error", "forbidden": "permission_error"}
                kind = kinds.get(fate, "invalid_request_error")
                result = {"type": "errored", "error": {"type": "error", "error": {"type": kind, "message": "no"}}}
            lines.append({"custom_id": key, "result": result})
        return web.Response(text="\n".join(json.dumps(line) for line in lines))

    def _message_batch_json(self, batch: ServedBatch) -> dict[str, Any]:
        ended = self._status(batch) not in {"in_progress", "failed"}
        counts = Counter(batch.fates.values())
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": "ended" if ended else "in_progress",
            "created_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(batch.at)),
            "request_counts": {
                "processing": 0 if ended else len(batch.lines),
                "succeeded": counts["answered"],
                "errored": counts["error"] + counts["refused"] + counts["forbidden"],
                "canceled": 0,
                "expired": counts["expired"],
            },
        }

    def _message(self, body: dict[str, Any]) -> dict[str, Any]:
        text = self.chat.reply(body["messages"])
        words = sum(len(str(each["content"]).split()) for each in body["messages"])
        return {
            "type": "message",
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": words, "output_tokens": len(text.split())},
        }

    # --- both ---------------------------------------------------------------------------------------------------------

    def _create(self, lines: dict[str, dict[str, Any]], metadata: dict[str, str]) -> ServedBatch:
        number = len(self.batches) + 1
        made = ServedBatch(f"batch{number}", lines, metadata, time.time(), number)
        if len(lines) > self.most_lines:
            made.failed = f"Enqueued token limit reached: at most {self.most_lines} lines here"
        self.batches[made.id] = made
        self.on_batch(made)
        return made

    def _answer(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        if self.lose_answers:
            self.lose_answers -= 1
            if request.transport is not None:
                request.transport.abort()
        return web.json_response(body)

    def _status(self, batch: ServedBatch) -> str:
        """Return the status of a batch; process it once when its duration has passed."""
        if batch.failed:
            return "failed"
        if not batch.fates and (batch.cancelled or time.time() >= batch.at + self.seconds):
            for index, (key, body) in enumerate(batch.lines.items()):
                if batch.cancelled and index % 2:
                    continue
                batch.fates[key] = self.fate(body, batch.number)
                if batch.fates[key] == "answered":
                    self._pay(body, batched=True)
        if batch.cancelled:
            return "cancelled"
        if not batch.fates:
            return "in_progress"
        return "expired" if "expired" in batch.fates.values() else "completed"

    def _pay(self, body: dict[str, Any], *, batched: bool) -> None:
        key = json.dumps(body, sort_keys=True)
        self.paid[key] += 1
        if batched:
            self.in_batches[key] += 1

    async def ask(self, request: web.Request) -> web.StreamResponse:
        answer = await self.chat.chat(request)
        if answer.status == 200:
            self._pay(await request.json(), batched=False)
        return answer


@contextmanager
def batch_server(
    *, chat: ChatServer | None = None, lifetime_s: float = 300.0, **options: Any
) -> Generator[BatchServer]:
    """Run a server; `options` are the fields of `BatchServer`."""
    server = BatchServer(chat=chat or ChatServer(), **options)
    app = web.Application(client_max_size=256 * 1024**2)
    app.router.add_post("/v1/chat/completions", server.ask)
    app.router.add_get("/v1/models", server.chat.list_models)
    app.router.add_post("/v1/files", server.upload)
    app.router.add_get("/v1/files/{id}/content", server.content)
    app.router.add_post("/v1/batches", server.create)
    app.router.add_get("/v1/batches", server.listed)
    app.router.add_get("/v1/batches/{id}", server.look)
    app.router.add_post("/v1/batches/{id}/cancel", server.cancel)
    app.router.add_post("/v1/messages", server.message)
    app.router.add_post("/v1/messages/batches", server.create_messages)
    app.router.add_get("/v1/messages/batches", server.listed_messages)
    app.router.add_get("/v1/messages/batches/{id}", server.look_messages)
    app.router.add_get("/v1/messages/batches/{id}/results", server.results)
    with running(app, lifetime_s=lifetime_s) as address:
        server.base_url = f"{address}/v1"
        yield server
