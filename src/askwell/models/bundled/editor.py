"""`editor`: the bundled prompt rewriter, a substitute for an optimizer LLM.

It is not a language model. It answers a meta-prompt by a stochastic search over phrases: it reads the prompts and
scores shown, estimates each phrase's effect on the score, and combines good phrases with others from a bank of about
560 instructions. The bank is the same for every task, and most of its phrases are useless for any one task. `editor`
sees what any optimizer model sees, the text of the request: never the task's name, and it does not read the examples'
answers. It uses the questions only to find phrases of the bank with words in common. An LLM finds wordings that no bank
has: a figure made with `editor` measures how well a *search* works, not how well an LLM would do in it.
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

_SUMMARY_PROMPTS = 5
"""Number of prompts in a summary."""
_MARKERS_ASKED = re.compile(r"\bwrapped in tags: (<\w+>) the prompt (</?\w+>)\s*\Z")
"""The form of reply that askwell's own requests end with."""
_TAG_ASKED = re.compile(r"\b(?:with(?:in)?|between|inside|in|bracket\w*|wrap\w*)\b[^<\n]{0,40}<(\w+)>", re.IGNORECASE)
_FENCE_ASKED = re.compile(r"\b(?:within|inside|in)\b[^`\n]{0,30}```", re.IGNORECASE)


class EditorModel:
    """Answer an optimizer's meta-prompt without an LLM, deterministically by (seed, request) and free of charge."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed

    @property
    def name(self) -> str:
        """Return "editor", or "editor:SEED" for a seed other than 0: the name identifies the answers."""
        return f"editor:{self._seed}" if self._seed else "editor"

    async def complete(self, request: Request) -> Completion:
        text = "\n\n".join(message.content for message in request.messages)
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        batch_seed = f"{self._seed}:{digest}"
        reply = _reply(
            text,
            batch_seed=batch_seed,
            sample_seed=f"{batch_seed}:{request.seed}:{request.sample_index}",
            sample_index=request.sample_index,
        )
        usage = Usage(prompt_tokens=len(text.split()), completion_tokens=len(reply.split()), cost_usd=0.0)
        return Completion(text=reply, usage=usage)

    async def aclose(self) -> None:
        return


def _reply(text: str, *, batch_seed: str, sample_seed: str, sample_index: int) -> str:
    content = read_meta_prompt(text)
    if content.reply_kind == "summary":
        return _write_summary(content)
    if content.reply_kind == "reflection":
        return _write_reflection(content)
    prompt = rewrite(
        content, batch_rng=random.Random(batch_seed), rng=random.Random(sample_seed), sample_index=sample_index
    )
    return _wrap_prompt(prompt, text) if content.form is None else _fill_sections(content.form, prompt, content)


def _fill_sections(form: Form, prompt: str, content: MetaPromptContent) -> str:
    """Fill in a form: the new prompt, its new phrases as advice, and a remark on the questions elsewhere."""
    current_phrases = split_phrases(content.current.prompt)
    new_phrases = [phrase for phrase in split_phrases(prompt) if phrase not in current_phrases]
    contents = {"prompt": prompt, "advice": " ".join(new_phrases) or prompt, "note": _write_reflection(content)}
    return fill_form(form, {name: contents[classify_section(name)] for name in form.asked})


def _wrap_prompt(prompt: str, asked: str) -> str:
    if markers := _MARKERS_ASKED.search(asked):
        return f"{markers[1]}{prompt}{markers[2]}"
    if "<START>" in asked:
        return f"<START>{prompt}<END>"
    if tag := _TAG_ASKED.search(asked):
        return f"<{tag[1]}>{prompt}</{tag[1]}>"
    return f"```\n{prompt}\n```" if _FENCE_ASKED.search(asked) else prompt


def _write_summary(content: MetaPromptContent) -> str:
    """List the best prompts so far with their scores, in the form that `read_meta_prompt` parses."""
    scored = {entry.prompt: entry for entry in content.tried if entry.score is not None}
    best = sorted(scored.values(), key=lambda entry: entry.score or 0.0)[-_SUMMARY_PROMPTS:]
    lines = [f'"{" ".join(entry.prompt.split())}" scored {entry.score:.0f}.' for entry in best]
    return "\n".join([*lines, _describe_credit(content)]).strip()


def _describe_credit(content: MetaPromptContent) -> str:
    credit = credit_phrases(content.tried)
    helping = [phrase for phrase, gain in credit.items() if gain > 0]
    hurting = [phrase for phrase, gain in credit.items() if gain < 0]
    notes = [f"Goes with higher scores: {' '.join(helping)}"] if helping else []
    return "\n".join([*notes, *([f"Goes with lower scores: {' '.join(hurting)}"] if hurting else [])])


def _write_reflection(content: MetaPromptContent) -> str:
    """Name the phrases to adopt from the rival prompt, or the words about the questions that the prompt lacks."""
    if content.comparison and (feedback := write_feedback(content.current.prompt, content.comparison)):
        return feedback
    used = set(words(best_tried(content.tried).prompt))
    missing = sorted(find_best_section(content.questions).about - used)
    if not missing:
        return "The prompt speaks of what the questions hold, but does not say how to get to the answer."
    return f"The prompt does not say what to do with what the questions hold: {', '.join(missing)}."
