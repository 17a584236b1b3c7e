"""Ask a policy for the prompts of the queries that arrive, in batches, and insert them into conversations."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from askwell.core.errors import DataError
from askwell.core.protocols import Policy, Render
from askwell.core.types import Example, Prompt
from askwell.models.micro_batching import MicroBatcher
from askwell.policies.fixed import FixedPolicy
from askwell.serve.errors import RequestRefused
from askwell.serve.messages import Conversation

BATCH_SIZE = 32
_LOG = logging.getLogger(__name__)


class PromptInserter:
    """Inserts a policy's prompts; queries that arrive together are one batch, in a thread of its own.

    A fixed policy needs neither. If a batch fails, each of its queries is asked alone, so that a query for which the
    policy fails gets an error and the others their prompts.
    """

    def __init__(self, policy: Policy, render: Render) -> None:
        self._render = render
        self._policy = policy
        self._fixed = policy.prompt if isinstance(policy, FixedPolicy) else None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="askwell-policy")
        self._batcher = MicroBatcher[str, Prompt](
            self._ask, len, lambda: self._thread, batch_size=BATCH_SIZE, max_cost=10**9
        )

    async def insert(self, conversation: Conversation) -> tuple[list[dict[str, Any]], Prompt]:
        """Return the messages to send, and the prompt in them. Raises `RequestRefused` if the policy fails."""
        prompt = self._fixed or await self._choose(conversation.query)
        return conversation.insert(lambda query: self._render(prompt, Example(id="", input=query, target=""))), prompt

    def close(self) -> None:
        """Stop the thread without waiting for it."""
        self._thread.shutdown(wait=False)

    async def _choose(self, query: str) -> Prompt:
        [prompt] = await asyncio.gather(self._batcher.submit(query), return_exceptions=True)
        if not isinstance(prompt, BaseException):
            return prompt
        alone = asyncio.get_running_loop().run_in_executor(self._thread, self._ask, [query])
        [prompts] = await asyncio.gather(alone, return_exceptions=True)
        if not isinstance(prompts, BaseException):
            return prompts[0]
        _LOG.error("the policy failed for a query: %r", prompts)
        raise RequestRefused(f"the policy failed for this query ({type(prompts).__name__})", status=500)

    def _ask(self, queries: Sequence[str]) -> list[Prompt]:
        prompts = self._policy.prompts_for(queries)
        if len(prompts) != len(queries):
            raise DataError(f"the policy returned {len(prompts)} prompts for {len(queries)} queries; expected one each")
        return prompts
