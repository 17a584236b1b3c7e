"""Insert a policy's prompt into a chat request: the last user message is the query, other messages are kept."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, cast

from askwell.core.errors import DataError
from askwell.core.protocols import ChatModel, Policy, Render
from askwell.core.types import Completion, Example, Message, Prompt, Request
from askwell.models.micro_batching import MicroBatcher

ChatMessages = Sequence[dict[str, Any]]
"""Chat messages as clients send them: "role", and "content" as a text or as parts."""

BATCH_SIZE = 32


class PromptInserter:
    """Inserts a policy's prompts; queries that arrive together are one batch, in a thread of its own."""

    def __init__(self, policy: Policy, render: Render) -> None:
        self._render = render
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="askwell-policy")
        self._batcher = MicroBatcher[str, Prompt](
            policy.prompts_for, len, lambda: self._thread, batch_size=BATCH_SIZE, max_cost=10**9
        )

    async def insert(self, messages: ChatMessages) -> tuple[list[dict[str, Any]], Prompt]:
        """Return the messages to send, and the prompt in them. Raises `DataError` without a user message."""
        last = max((index for index, message in enumerate(messages) if message.get("role") == "user"), default=-1)
        if last < 0:
            raise DataError("the request has no user message: the last one is the query that gets a prompt")
        query, others = _split_content(messages[last].get("content"))
        prompt = await self._batcher.submit(query)
        rendered = self._render(prompt, Example(id="", input=query, target=""))
        return [*_merge_messages(messages[:last], rendered, others), *messages[last + 1 :]], prompt

    def close(self) -> None:
        """Stop the thread without waiting for it."""
        self._thread.shutdown(wait=False)


@dataclass(frozen=True, slots=True)
class PromptedModel:
    """Wraps a model of this process: each request gets its prompt from a policy."""

    inner: ChatModel
    inserter: PromptInserter
    name: str = field(default="askwell")

    async def complete(self, request: Request) -> Completion:
        chat = [{"role": message.role, "content": message.content} for message in request.messages]
        try:
            prompted, _ = await self.inserter.insert(chat)
        except DataError as error:
            return Completion(outcome="failed", fault="bad_request", error=str(error))
        messages = tuple(Message(role=message["role"], content=message["content"]) for message in prompted)
        return await self.inner.complete(replace(request, messages=messages))

    async def aclose(self) -> None:
        self.inserter.close()
        await self.inner.aclose()


def _split_content(content: object) -> tuple[str, list[dict[str, Any]]]:
    """Return the text of a message, and its other parts (images)."""
    if isinstance(content, str):
        return content, []
    parts = cast("list[dict[str, Any]]", content if isinstance(content, list) else [])
    text = "".join(str(part.get("text", "")) for part in parts if part.get("type", "text") == "text")
    return text, [part for part in parts if part.get("type", "text") != "text"]


def _merge_messages(
    before: ChatMessages, rendered: Sequence[Message], others: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Append the rendered messages to those before the query; two system messages become one."""
    earlier = [dict(message) for message in before]
    later = [{"role": message.role, "content": message.content} for message in rendered]
    system = next((message for message in earlier if message.get("role") in {"system", "developer"}), None)
    if system is not None and later[0]["role"] == "system" and isinstance(system.get("content"), str):
        system["content"] = f"{system['content']}\n\n{later.pop(0)['content']}"
    elif later[0]["role"] == "system":
        earlier, later = [later[0], *earlier], later[1:]
    if others:
        last: dict[str, Any] = later[-1]
        last["content"] = [{"type": "text", "text": last["content"]}, *others]
    return [*earlier, *later]
