"""Put questions to the optimizer model: which replies count, and which failures end a step."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from askwell.core.errors import ModelError, RunFailed
from askwell.core.protocols import ChatModel
from askwell.core.types import FINAL_FAULTS, Completion, Message, Request
from askwell.optimizers.gpo.parse import parse_prompt

log = logging.getLogger(__name__)
_UNUSABLE = frozenset({"failed", "refused", "unparsed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerQueries:
    """The optimizer model, and how it is asked.

    Everything here raises `ModelError` with the provider's message for a fault that is final, and `RunFailed` if all
    calls of a batch failed.
    """

    model: ChatModel
    temperature: float
    """Of new prompts; notes (reflections, summaries) are asked for at 0."""
    max_tokens: int

    async def note(self, question: str) -> str:
        """Ask for a reflection or a summary. No seed and draw 0: equal questions are one request in the log."""
        request = Request(messages=_user(question), max_tokens=self.max_tokens)
        (completion,) = self._checked([await self.model.complete(request)])
        if completion.outcome in _UNUSABLE:
            raise RunFailed(f"the optimizer model {self.model.name!r} refused a reflection or summary; choose another")
        return completion.text.strip()

    async def prompts(self, questions: Sequence[str], draws: Sequence[int], seed: int) -> list[str]:
        """Ask for one prompt a question, all at once; return them in order, "" where a reply held none."""
        replies = await self.texts(questions, draws, seed)
        found = [parse_prompt(reply) for reply in replies]
        if unparsed := sum(bool(reply) and not prompt for reply, prompt in zip(replies, found, strict=True)):
            log.warning("%d of %d replies of %s held no prompt", unparsed, len(replies), self.model.name)
        return found

    async def texts(self, questions: Sequence[str], draws: Sequence[int], seed: int) -> list[str]:
        """Ask all questions at once; return the bare replies in order, "" for a failed or refused one.

        Equal questions need different draws, or they get one answer; a model that can gives it in one request.
        """
        requests = [
            Request(
                messages=_user(question),
                temperature=self.temperature,
                max_tokens=self.max_tokens,
                seed=_batch_seed(seed),
                sample_index=sample_index,
            )
            for question, sample_index in zip(questions, draws, strict=True)
        ]
        completions = await asyncio.gather(*[self.model.complete(request) for request in requests])
        return [
            "" if completion.outcome in _UNUSABLE else completion.text.strip()
            for completion in self._checked(completions)
        ]

    def _checked(self, completions: Sequence[Completion]) -> Sequence[Completion]:
        """Raise if a fault is final or if nothing but failures came back."""
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
    """Return the seed that all draws of a batch share (they travel as one request), below 2³¹ for the servers."""
    digest = hashlib.blake2b(str(seed).encode(), digest_size=4).digest()
    return int.from_bytes(digest) >> 1
