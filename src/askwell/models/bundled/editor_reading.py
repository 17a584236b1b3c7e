"""Parse an optimizer's meta-prompt: the prompts tried, their scores, and the task's questions.

It knows the tags of askwell's own meta-prompts, and otherwise looks for a tagged, fenced or labelled prompt. Answers of
examples are never read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from askwell.models.bundled.editor_forms import Form, extract_questions, parse_form
from askwell.models.bundled.editor_lessons import Advice, RivalComparison, parse_advice, parse_comparison

ReplyKind = Literal["prompt", "reflection", "summary"]

_SCORED = re.compile(r"<prompt>(.*?)</prompt>\s*(?:<score>\s*(-?\d+(?:\.\d+)?)\s*</score>)?", re.DOTALL)
_CURRENT = re.compile(r"<current>\s*(.*?)\s*</current>", re.DOTALL)
_PARENT = re.compile(r"<parent>\s*(.*?)\s*</parent>", re.DOTALL)
_ENTRY = re.compile(r"<entry>\s*(.*?)\s*</entry>", re.DOTALL)
_QUESTION = re.compile(r"<question>\s*(.*?)\s*</question>", re.DOTALL)
_DELTA = re.compile(r"<delta>fixes (\d+), breaks (\d+)</delta>")
_EDIT = re.compile(r"\bmodify the (?:current|existing) (?:prompt|instructions?)\b", re.IGNORECASE)
_NOTES = re.compile(r"<(reflection|summary|lessons)>\s*(.*?)\s*</\1>", re.DOTALL)
_REMEMBERED = re.compile(r'^"(.*)" scored (\d+)\.$', re.MULTILINE)
_BUDGET = re.compile(r"at most (\d+) words? of", re.IGNORECASE)
_REFLECT = re.compile(r"\breflect\b|\bwhat (?:goes|went) wrong\b|\bcritique\b|\breasons? why\b", re.IGNORECASE)
_SUMMARIZE = re.compile(r"\bsummari[sz]e what has been learnt\b|\bsummari[sz]e\b.*\bprompts?\b", re.IGNORECASE)
_ANY_TAGGED = re.compile(
    r"<((?:\w+_)?(?:prompt|instructions?|text|ins)\w*)>\s*(.+?)\s*</\1>", re.IGNORECASE | re.DOTALL
)
_FENCED = re.compile(r"```[\w+-]*\n(.+?)\n?```", re.DOTALL)
_FENCED_PROMPT = re.compile(
    r"\b(?:prompt|instructions?)\b[^\n`]*:\s*\n```[\w+-]*\n(.+?)\n?```", re.IGNORECASE | re.DOTALL
)
_LABELLED = re.compile(
    r"^\W*(?:current|existing|original|proposed|best|previous)?\s*(?:prompt|instructions?)\b[^:\n]{0,30}:\s*(\S.*)$",
    re.IGNORECASE | re.MULTILINE,
)
_PLACEHOLDER = "<Prompt>"


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedPrompt:
    """A prompt with its score as shown (0 to 100); None without a score."""

    prompt: str
    score: float | None
    fixes: int = 0
    """Questions on which it is right and the current prompt wrong, if shown."""
    breaks: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaPromptContent:
    """The parsed content of a meta-prompt."""

    reply_kind: ReplyKind
    current: TriedPrompt
    past: tuple[TriedPrompt, ...] = ()
    parents: tuple[str, ...] = ()
    """Prompts to combine, if the request shows several."""
    questions: tuple[str, ...] = ()
    notes: str = ""
    budget_words: int | None = None
    edits: bool = False
    """Whether to modify the current prompt instead of replacing it."""
    comparison: RivalComparison | None = None
    """Another prompt to compare the current one with, in a request for a reflection."""
    advice: Advice = field(default_factory=Advice)
    form: Form | None = None
    """The sections to fill in, if the request is a form."""

    @property
    def tried(self) -> tuple[TriedPrompt, ...]:
        """Return the past prompts in the order shown, then the current one."""
        return (*self.past, self.current)


def read_meta_prompt(text: str) -> MetaPromptContent:
    """Parse a meta-prompt; never raises. In a text without a prompt the current one is empty."""
    block, form = _CURRENT.search(text), parse_form(text)
    if form is not None:
        given = "\n\n".join(form.given.values())
        return MetaPromptContent(
            reply_kind="prompt",
            current=TriedPrompt(prompt=form.current, score=None),
            questions=extract_questions(given),
            form=form,
        )
    current = _parse_tried(block[1]) if block else TriedPrompt(prompt=_guess_prompt(text), score=None)
    parents = [_parse_tried(parent) for parent in _PARENT.findall(text)]
    budget = _BUDGET.search(text)
    notes = "\n".join(note for _, note in _NOTES.findall(text))
    remembered = [TriedPrompt(prompt=prompt, score=float(score)) for prompt, score in _REMEMBERED.findall(notes)]
    return MetaPromptContent(
        reply_kind=_classify_request(text),
        current=current,
        past=(*remembered, *(_parse_tried(entry) for entry in _ENTRY.findall(text)), *parents),
        parents=tuple(parent.prompt for parent in parents),
        questions=tuple(question.replace(_PLACEHOLDER, " ") for question in _QUESTION.findall(text))
        or extract_questions(text),
        notes=_REMEMBERED.sub("", notes).strip(),
        budget_words=int(budget[1]) if budget else None,
        edits=bool(_EDIT.search(text)),
        comparison=parse_comparison(text),
        advice=parse_advice(text),
    )


def _classify_request(text: str) -> ReplyKind:
    if "<START>" in text:
        return "prompt"
    if _SUMMARIZE.search(text):
        return "summary"
    return "reflection" if _REFLECT.search(text) else "prompt"


def _parse_tried(block: str) -> TriedPrompt:
    scored = _SCORED.search(block)
    if scored is None:
        return TriedPrompt(prompt=block.strip(), score=None)
    delta = _DELTA.search(block)
    fixes, breaks = (int(delta[1]), int(delta[2])) if delta else (0, 0)
    return TriedPrompt(
        prompt=scored[1].strip(), score=float(scored[2]) if scored[2] else None, fixes=fixes, breaks=breaks
    )


def _guess_prompt(text: str) -> str:
    labelled = _FENCED_PROMPT.search(text)
    if labelled is not None:
        return labelled[1].strip()
    for pattern, group in ((_ANY_TAGGED, 2), (_FENCED, 1), (_LABELLED, 1)):
        prompts = [match[group].strip().strip("\"'`") for match in pattern.finditer(text)]
        if usable := [prompt for prompt in prompts if prompt and len(prompt.split()) <= 200]:
            return usable[-1]
    return ""
