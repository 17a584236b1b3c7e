"""Requests to the optimizer model: which replies are usable, and which failures end a step."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from askwell.core.errors import ModelError, RunFailed
from askwell.core.protocols import ChatModel
from askwell.core.types import FINAL_FAULTS, Completion, Message, Request
from askwell.optimizers.gpo.metaprompt import parse_reply
from askwell.optimizers.proposal_checks import find_echo, find_placeholder_change

log = logging.getLogger(__name__)
_UNUSABLE = frozenset({"failed", "refused", "unparsed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerClient:
    """Send requests to the optimizer model.

    All methods raise `ModelError` with the provider's message for a final fault, and `RunFailed` if all calls of a
    batch failed.
    """

    model: ChatModel
    temperature: float
    """Temperature for new prompts; notes (reflections, summaries) use 0."""
    max_tokens: int

    async def request_note(self, text: str) -> str:
        """Request a reflection or a summary. No seed and sample 0: identical notes are one request in the log."""
        request = Request(messages=_user(text), max_tokens=self.max_tokens)
        (completion,) = self._check([await self.model.complete(request)])
        if completion.outcome in _UNUSABLE:
            raise RunFailed(f"the optimizer model {self.model.name!r} refused a reflection or summary; choose another")
        return completion.text.strip()

    async def request_prompts(self, texts: Sequence[str], samples: Sequence[int], seed: int) -> list[str]:
        """Request one prompt per text, all at once; return them in order, "" if a reply held none."""
        replies = await self.request_texts(texts, samples, seed)
        prompts = [parse_reply(reply, text) for reply, text in zip(replies, texts, strict=True)]
        if unparsed := sum(bool(reply) and not prompt for reply, prompt in zip(replies, prompts, strict=True)):
            log.warning("%d of %d replies of %s held no prompt", unparsed, len(replies), self.model.name)
        return prompts

    async def request_usable_prompts(
        self, texts: Sequence[str], samples: Sequence[int], seed: int, *, initial: str
    ) -> list[str]:
        """Request prompts; return "" also for one that echoes its request or changes the initial placeholders."""
        prompts = await self.request_prompts(texts, samples, seed)
        reasons = [
            prompt and (find_echo(prompt, text, initial) or find_placeholder_change(prompt, initial))
            for prompt, text in zip(prompts, texts, strict=True)
        ]
        for reason in filter(None, reasons):
            log.warning("a prompt of %s is not used: it %s", self.model.name, reason)
        return ["" if reason else prompt for prompt, reason in zip(prompts, reasons, strict=True)]

    async def request_texts(self, texts: Sequence[str], samples: Sequence[int], seed: int) -> list[str]:
        """Send all texts at once; return the replies in order, "" for a failed or refused one.

        Identical texts need different sample indices, or they get the same reply. A model that supports several samples
        per request answers them in one.
        """
        requests = [
            Request(
                messages=_user(text),
                temperature=self.temperature,
                max_tokens=self.max_tokens,
                seed=_batch_seed(seed),
                sample_index=sample_index,
            )
            for text, sample_index in zip(texts, samples, strict=True)
        ]
        completions = await asyncio.gather(*[self.model.complete(request) for request in requests])
        return [
            "" if completion.outcome in _UNUSABLE else completion.text.strip()
            for completion in self._check(completions)
        ]

    def _check(self, completions: Sequence[Completion]) -> Sequence[Completion]:
        """Return the completions; raise if a fault is final or if all calls failed."""
        failed = [completion for completion in completions if completion.outcome == "failed"]
        for completion in failed:
            if completion.fault in FINAL_FAULTS:
                raise ModelError(f"the optimizer model {self.model.name!r} refused: {completion.error}")
        if failed and len(failed) == len(completions):
            raise RunFailed(
                f"all {len(failed)} calls of the optimizer model {self.model.name!r} failed "
                f"(last: {failed[-1].fault} {failed[-1].error!r}); resume the run when it answers again"
            )
        if failed:
            log.warning("%d of %d calls of %s failed", len(failed), len(completions), self.model.name)
        return completions


def _user(text: str) -> tuple[Message, ...]:
    return (Message(role="user", content=text),)


def _batch_seed(seed: int) -> int:
    """Return the seed that all samples of a batch share, so that they fit in one request; servers need it below 2³¹."""
    digest = hashlib.blake2b(str(seed).encode(), digest_size=4).digest()
    return int.from_bytes(digest) >> 1
