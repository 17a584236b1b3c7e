"""`editor`: the bundled rewriter, a stand-in for an optimizer LLM where there is none.

It is no language model. It answers a meta-prompt by a stochastic search over phrases: it reads the prompts and scores
shown, credits each phrase with what it seems to bring, and joins good phrases with others from one bank of some 560
instructions, the same for every task and most of them useless for the one at hand. It sees what any optimizer model
sees, the text of the request: never the task's name, and it does not read the examples' answers. From the
questions it only takes which phrases of the bank have words in common with them. An LLM finds wordings that no bank
has; a figure made with `editor` says how well a *search* works, not how well an LLM would do in it.
"""

from __future__ import annotations

import hashlib
import random
import re

from askwell.core.text import words
from askwell.core.types import Completion, Request, Usage
from askwell.models.bundled.editor_bank import find_best_section, split_phrases
from askwell.models.bundled.editor_forms import Form, classify_section, fill_form
from askwell.models.bundled.editor_lessons import write_feedback
from askwell.models.bundled.editor_reading import MetaPromptContent, read_meta_prompt
from askwell.models.bundled.editor_search import best_tried, credit_phrases, rewrite

_REMEMBERED = 5
"""Prompts kept in a summary."""
_TAG_ASKED = re.compile(r"\b(?:with(?:in)?|between|inside|in|bracket\w*|wrap\w*)\b[^<\n]{0,40}<(\w+)>", re.IGNORECASE)
_FENCE_ASKED = re.compile(r"\b(?:within|inside|in)\b[^`\n]{0,30}```", re.IGNORECASE)


class EditorModel:
    """Answer an optimizer's meta-prompt without an LLM; deterministic by (seed, request), and free of charge."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed

    @property
    def name(self) -> str:
        """Return "editor", or "editor:SEED" for a seed other than 0: editors that answer differently differ in name."""
        return f"editor:{self._seed}" if self._seed else "editor"

    async def complete(self, request: Request) -> Completion:
        text = "\n\n".join(message.content for message in request.messages)
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        shared = f"{self._seed}:{digest}"
        reply = _reply(
            text,
            shared=shared,
            own=f"{shared}:{request.seed}:{request.sample_index}",
            sample_index=request.sample_index,
        )
        usage = Usage(prompt_tokens=len(text.split()), completion_tokens=len(reply.split()), cost_usd=0.0)
        return Completion(text=reply, usage=usage)

    async def aclose(self) -> None:
        return


def _reply(text: str, *, shared: str, own: str, sample_index: int) -> str:
    content = read_meta_prompt(text)
    if content.reply_kind == "summary":
        return _write_summary(content)
    if content.reply_kind == "reflection":
        return _write_reflection(content)
    prompt = rewrite(content, shared=random.Random(shared), own=random.Random(own), sample_index=sample_index)
    return _wrap_prompt(prompt, text) if content.form is None else _fill_sections(content.form, prompt, content)


def _fill_sections(form: Form, prompt: str, content: MetaPromptContent) -> str:
    """Fill a form in: the new prompt, or what of it is new as advice; anything else gets a remark on the questions."""
    current_phrases = split_phrases(content.current.prompt)
    news = [phrase for phrase in split_phrases(prompt) if phrase not in current_phrases]
    contents = {"prompt": prompt, "advice": " ".join(news) or prompt, "note": _write_reflection(content)}
    return fill_form(form, {name: contents[classify_section(name)] for name in form.asked})


def _wrap_prompt(prompt: str, asked: str) -> str:
    if "<START>" in asked:
        return f"<START>{prompt}<END>"
    if tag := _TAG_ASKED.search(asked):
        return f"<{tag[1]}>{prompt}</{tag[1]}>"
    return f"```\n{prompt}\n```" if _FENCE_ASKED.search(asked) else prompt


def _write_summary(content: MetaPromptContent) -> str:
    """Name the best prompts up to now with their scores, in the form that `read` finds them again."""
    scored = {tried_prompt.prompt: tried_prompt for tried_prompt in content.tried if tried_prompt.score is not None}
    best = sorted(scored.values(), key=lambda tried_prompt: tried_prompt.score or 0.0)[-_REMEMBERED:]
    lines = [f'"{" ".join(tried_prompt.prompt.split())}" scored {tried_prompt.score:.0f}.' for tried_prompt in best]
    return "\n".join([*lines, _describe_credit(content)]).strip()


def _describe_credit(content: MetaPromptContent) -> str:
    credit = credit_phrases(content.tried)
    helping = [phrase for phrase, gain in credit.items() if gain > 0]
    hurting = [phrase for phrase, gain in credit.items() if gain < 0]
    notes = [f"Goes with higher scores: {' '.join(helping)}"] if helping else []
    return "\n".join([*notes, *([f"Goes with lower scores: {' '.join(hurting)}"] if hurting else [])])


def _write_reflection(content: MetaPromptContent) -> str:
    """Say what to take over from the prompt it is compared with, or which words for the questions it never uses."""
    if content.comparison and (feedback := write_feedback(content.current.prompt, content.comparison)):
        return feedback
    said = set(words(best_tried(content.tried).prompt))
    missing = sorted(find_best_section(content.questions).about - said)
    if not missing:
        return "The prompt speaks of what the questions hold, but does not say how to get to the answer."
    return f"The prompt does not say what to do with what the questions hold: {', '.join(missing)}."
