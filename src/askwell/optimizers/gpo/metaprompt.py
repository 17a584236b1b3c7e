"""The meta-prompt: the request to the optimizer model, formatted section by section.

The order of the sections is the paper's (section 3 and its meta-prompt figure); the wording is ours. The tags separate
the sections for models, and let a program (the bundled rewriter) parse a meta-prompt and answer it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from askwell.core.protocols import Render
from askwell.core.types import Candidate, Example, Prompt, Rollout
from askwell.optimizers.gpo.parse import END_TAG, START_TAG, parse_prompt

PLACEHOLDER = "<Prompt>"
TASK = (
    f"Your task is to write a prompt that replaces {PLACEHOLDER} in the examples below, so that a language model "
    "that is given the prompt answers questions of this kind correctly."
)
ANSWER_FORM = "Reply with the prompt alone, wrapped in tags: <START> the prompt <END>"
OTHER_ANSWER_FORM = "Reply with the prompt alone, wrapped in tags: <NEW_PROMPT> the prompt </NEW_PROMPT>"
"""For a request whose prompts or examples speak of <START> and <END> themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemplar:
    """One training example: its question as the target model sees it, with `<Prompt>` in the prompt's place."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What a meta-prompt says about past prompts: entries in the order shown, or a summary, or nothing."""

    entries: tuple[Candidate, ...] = ()
    order: str = ""
    """The words that state the order of the entries."""
    summary: str = ""
    deltas: tuple[tuple[int, int], ...] = ()
    """Per entry, the number of questions on which it is better and worse than the current prompt; empty for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaPrompt:
    """The content of one meta-prompt. Empty parts are left out of the text."""

    current: str | None
    """Instruction to improve; None asks for a prompt from the examples alone."""
    score: float | None
    """Score of the current prompt, 0..1; None if the direction leaves it out."""
    memory: Memory = Memory()
    reflection: str = ""
    lessons: tuple[str, ...] = ()
    """Earlier reflections that led to better prompts."""
    exemplars: tuple[Exemplar, ...] = ()
    refinement: str = "generation"
    budget_words: int | None = None
    keep: tuple[str, ...] = ()
    """Texts that the new prompt must contain word for word."""
    max_words: int | None = None


Section = Callable[[MetaPrompt], str]


def to_percent(score: float) -> int:
    """Convert 0..1 to an integer of 0..100, halves up, as `SCORE_RANGE` states."""
    return int(100 * score + 0.5)


def format_meta_prompt(content: MetaPrompt) -> str:
    """Join the sections that are not empty, and state the form of the reply."""
    return join_request(*(section(content) for section in SECTIONS))


def join_request(*parts: str) -> str:
    """Join the parts that are not empty, and state the form of the reply: in tags that the parts don't speak of."""
    text = "\n\n".join(part for part in parts if part)
    return f"{text}\n\n{OTHER_ANSWER_FORM if START_TAG.search(text) or END_TAG.search(text) else ANSWER_FORM}"


def parse_reply(reply: str, request: str) -> str:
    """Parse the prompt from the reply to a request of `join_request`."""
    return parse_prompt(reply, speaks_of_tags=request.endswith(OTHER_ANSWER_FORM))


def _format_task(_s: MetaPrompt) -> str:
    return TASK


def _format_trajectory(s: MetaPrompt) -> str:
    if s.memory.summary:
        return f"What has been learnt from earlier prompts:\n<summary>\n{s.memory.summary}\n</summary>"
    if not s.memory.entries:
        return ""
    entries = "\n".join(
        f"<entry>\n{format_prompt(entry.prompt.instruction, entry.score)}{delta}\n</entry>"
        for entry, delta in zip(s.memory.entries, _format_deltas(s.memory), strict=True)
    )
    explained = (
        " A delta says on how many questions a prompt is right where the current one is wrong (fixes), and the other "
        "way round (breaks)."
    )
    delta_note = explained if s.memory.deltas else ""
    return f"Earlier prompts with their scores, {s.memory.order}. {SCORE_RANGE}{delta_note}\n{entries}"


def _format_deltas(memory: Memory) -> list[str]:
    if not memory.deltas:
        return [""] * len(memory.entries)
    return [f"\n<delta>fixes {fixes}, breaks {breaks}</delta>" for fixes, breaks in memory.deltas]


def _format_current(s: MetaPrompt) -> str:
    if s.current is None:
        return ""
    # Ahead of the heading: in "The current prompt: Scores are …" a weak model reads the sentence as the prompt.
    ranged = "" if s.score is None or s.memory.entries else f"{SCORE_RANGE}\n\n"
    return f"{ranged}The current prompt:\n<current>\n{format_prompt(s.current, s.score)}\n</current>"


def _format_reflection(s: MetaPrompt) -> str:
    return s.reflection and f"What goes wrong with the current prompt:\n<reflection>\n{s.reflection}\n</reflection>"


def _format_lessons(s: MetaPrompt) -> str:
    listed = "\n".join(f"<lesson>{lesson}</lesson>" for lesson in s.lessons)
    return listed and f"Feedback that led to better prompts before:\n<lessons>\n{listed}\n</lessons>"


def _format_exemplars(s: MetaPrompt) -> str:
    return format_exemplars(s.exemplars)


def _format_instruction(s: MetaPrompt) -> str:
    return REFINEMENTS[s.refinement]


def _format_budget(s: MetaPrompt) -> str:
    if s.budget_words is None:
        return ""
    return f"You may change at most {s.budget_words} words of the current prompt."


def _format_requirements(s: MetaPrompt) -> str:
    kept = "".join(f"\n<keep>{text}</keep>" for text in s.keep)
    parts = [f"The prompt must contain these parts, word for word:{kept}"] if kept else []
    limits = [f"The prompt may be at most {s.max_words} words long."] if s.max_words else []
    return "\n".join([*parts, *limits])


SECTIONS: tuple[Section, ...] = (
    _format_task,
    _format_trajectory,
    _format_current,
    _format_reflection,
    _format_lessons,
    _format_exemplars,
    _format_instruction,
    _format_budget,
    _format_requirements,
)
"""The paper's sections in its order, and two of ours: lessons and requirements. The form of the reply follows."""

REFINEMENTS: Mapping[str, str] = MappingProxyType(
    {
        "generation": "Learn from the scores above and write a new, improved prompt.",
        "editing": "Modify the current prompt so that it gets a higher score. Keep what already works.",
        "resampling": "Write another wording of the current prompt that keeps its meaning.",
        "scratch": "Write a prompt for this task from the examples alone, unlike the earlier prompts if there are any.",
    }
)
"""The instruction of the descent step, by name. Add a refinement here."""

SCORE_RANGE = "Scores are integers from 0 to 100; higher is better."


def format_exemplars(exemplars: Sequence[Exemplar]) -> str:
    """Format the examples that show the task; "" for none."""
    if not exemplars:
        return ""
    shown = "\n".join(
        f"<example>\n<question>\n{e.question}\n</question>\n<answer>{e.answer}</answer>\n</example>" for e in exemplars
    )
    return f"Examples of the task; {PLACEHOLDER} stands where the prompt goes:\n{shown}"


def format_reflection_request(current: str, wrong: Sequence[tuple[Exemplar, Rollout]]) -> str:
    """Format the request for why the current prompt failed on these examples (paper: P+M+R)."""
    shown = "\n".join(
        f"<example>\n<question>\n{exemplar.question}\n</question>\n<reply>\n{rollout.completion.text}\n</reply>\n"
        f"<answer>{exemplar.answer}</answer>\n</example>"
        for exemplar, rollout in wrong
    )
    return (
        f"A language model was given the prompt below in the place of {PLACEHOLDER}, and its replies to these examples "
        f"were judged wrong.\n\n<current>\n{format_prompt(current)}\n</current>\n\n{shown}\n\n"
        "Reflect: say in at most three sentences what the prompt lacks or gets wrong, so that it can be improved. "
        "Don't write a new prompt."
    )


def format_summary_request(summary: str, latest: Candidate) -> str:
    """Format the request to fold the latest prompt into the summary (paper: s_t = M_O(s_{t-1}, current))."""
    before = f"The summary so far:\n<summary>\n{summary}\n</summary>\n\n" if summary else ""
    return (
        "Prompts for a task are being tried one after the other, and a summary is kept of what raises and what lowers "
        f"the score. {SCORE_RANGE}\n\n{before}The latest prompt:\n<current>\n"
        f"{format_prompt(latest.prompt.instruction, latest.score)}\n</current>\n\n"
        "Summarize what has been learnt up to now, the latest prompt included, in at most five sentences."
    )


def make_exemplar(example: Example, render: Render) -> Exemplar:
    """Render an example with `<Prompt>` in the prompt's place."""
    messages = render(Prompt(instruction=PLACEHOLDER), example)
    alone = len(messages) == 1
    question = "\n".join(m.content if alone else f"{m.role.capitalize()}: {m.content}" for m in messages)
    target = example.target
    return Exemplar(question=question, answer=target if isinstance(target, str) else target[0] if target else "")


def format_prompt(text: str, score: float | None = None) -> str:
    """Format a prompt in its tags, with its score if one is given."""
    scored = "" if score is None else f"\n<score>{to_percent(score)}</score>"
    return f"<prompt>{text}</prompt>{scored}"
