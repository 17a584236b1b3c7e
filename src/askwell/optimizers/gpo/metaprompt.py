"""The meta-prompt: what an optimizer model is told, one small section at a time.

The order of the sections is the paper's (section 3 and its meta-prompt figure); the wording is ours. The tags keep the
parts apart for any reader, and let a program answer a meta-prompt too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from askwell.core.protocols import Render
from askwell.core.types import Candidate, Example, Prompt, Rollout

PLACEHOLDER = "<Prompt>"
TASK = (
    f"Your task is to write a prompt that replaces {PLACEHOLDER} in the examples below, so that a language model "
    "that is given the prompt answers questions of this kind correctly."
)
ANSWER_FORM = "Reply with the prompt alone, wrapped in tags: <START> the prompt <END>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemplar:
    """One training example: its question as the target model sees it, with `<Prompt>` in the prompt's place."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What is told of the past: entries in the order shown, or a summary, or nothing."""

    entries: tuple[Candidate, ...] = ()
    order: str = ""
    summary: str = ""
    deltas: tuple[tuple[int, int], ...] = ()
    """For each entry, on how many questions it is better and worse than the current prompt; empty: not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything one meta-prompt is made of. An empty part is left out of the text."""

    current: str | None
    """None for a prompt to be written from the examples alone."""
    score: float | None
    """Of the current prompt, 0..1; None where the direction does not tell it."""
    memory: Memory = Memory()
    reflection: str = ""
    lessons: tuple[str, ...] = ()
    """Earlier reflections that led to better prompts."""
    exemplars: tuple[Exemplar, ...] = ()
    refinement: str = "generation"
    budget_words: int | None = None
    keep: tuple[str, ...] = ()
    """Texts that the new prompt must hold word for word."""
    max_words: int | None = None


Section = Callable[[Situation], str]


def shown_score(score: float) -> int:
    """Turn 0..1 into the integer of 0..100 that the text promises; halves go up."""
    return int(100 * score + 0.5)


def meta_prompt(situation: Situation) -> str:
    """Join the sections that have something to say."""
    return "\n\n".join(text for section in SECTIONS if (text := section(situation)))


def _task(_s: Situation) -> str:
    return TASK


def _trajectory(s: Situation) -> str:
    if s.memory.summary:
        return f"What has been learnt from earlier prompts:\n<summary>\n{s.memory.summary}\n</summary>"
    if not s.memory.entries:
        return ""
    entries = "\n".join(
        f"<entry>\n{prompt_block(entry.prompt.instruction, entry.score)}{delta}\n</entry>"
        for entry, delta in zip(s.memory.entries, _deltas(s.memory), strict=True)
    )
    told = (
        " A delta says on how many questions a prompt is right where the current one is wrong (fixes), and the other "
    )
    told = f"{told}way round (breaks)." if s.memory.deltas else ""
    return f"Earlier prompts with their scores, {s.memory.order}. {SCORE_RANGE}{told}\n{entries}"


def _deltas(memory: Memory) -> list[str]:
    if not memory.deltas:
        return [""] * len(memory.entries)
    return [f"\n<delta>fixes {fixes}, breaks {breaks}</delta>" for fixes, breaks in memory.deltas]


def _current(s: Situation) -> str:
    if s.current is None:
        return ""
    ranged = "" if s.score is None or s.memory.entries else f" {SCORE_RANGE}"
    return f"The current prompt:{ranged}\n<current>\n{prompt_block(s.current, s.score)}\n</current>"


def _reflection(s: Situation) -> str:
    return s.reflection and f"What goes wrong with the current prompt:\n<reflection>\n{s.reflection}\n</reflection>"


def _lessons(s: Situation) -> str:
    listed = "\n".join(f"<lesson>{lesson}</lesson>" for lesson in s.lessons)
    return listed and f"Feedback that led to better prompts before:\n<lessons>\n{listed}\n</lessons>"


def _exemplars(s: Situation) -> str:
    return shown_exemplars(s.exemplars)


def _instruction(s: Situation) -> str:
    return REFINEMENTS[s.refinement]


def _budget(s: Situation) -> str:
    if s.budget_words is None:
        return ""
    return f"You may change at most {s.budget_words} words of the current prompt."


def _requirements(s: Situation) -> str:
    kept = "".join(f"\n<keep>{text}</keep>" for text in s.keep)
    told = [f"The prompt must contain these parts, word for word:{kept}"] if kept else []
    return "\n".join([*told, *([f"The prompt may be at most {s.max_words} words long."] if s.max_words else [])])


def _answer_form(_s: Situation) -> str:
    return ANSWER_FORM


SECTIONS: tuple[Section, ...] = (
    _task, _trajectory, _current, _reflection, _lessons, _exemplars, _instruction, _budget, _requirements, _answer_form,
)  # fmt: skip
"""Parts 1 to 8, in the paper's order, and between them two that are ours: lessons and requirements."""

REFINEMENTS: Mapping[str, str] = MappingProxyType(
    {
        "generation": "Learn from the scores above and write a new, improved prompt.",
        "editing": "Modify the current prompt so that it gets a higher score. Keep what already works.",
        "resampling": "Write another wording of the current prompt that keeps its meaning.",
        "scratch": "Write a prompt for this task from the examples alone, unlike the earlier prompts if there are any.",
    }
)
"""The descent step. Add a refinement here."""

SCORE_RANGE = "Scores are integers from 0 to 100; higher is better."


def shown_exemplars(exemplars: Sequence[Exemplar]) -> str:
    """Show what the task is; "" for none."""
    if not exemplars:
        return ""
    shown = "\n".join(
        f"<example>\n<question>\n{e.question}\n</question>\n<answer>{e.answer}</answer>\n</example>" for e in exemplars
    )
    return f"Examples of the task; {PLACEHOLDER} stands where the prompt goes:\n{shown}"


def reflection_request(current: str, wrong: Sequence[tuple[Exemplar, Rollout]]) -> str:
    """Ask why the current prompt failed on these examples (paper: P+M+R)."""
    shown = "\n".join(
        f"<example>\n<question>\n{exemplar.question}\n</question>\n<reply>\n{rollout.completion.text}\n</reply>\n"
        f"<answer>{exemplar.answer}</answer>\n</example>"
        for exemplar, rollout in wrong
    )
    return (
        f"A language model was given the prompt below in the place of {PLACEHOLDER}, and its replies to these examples "
        f"were judged wrong.\n\n<current>\n{prompt_block(current)}\n</current>\n\n{shown}\n\n"
        "Reflect: say in at most three sentences what the prompt lacks or gets wrong, so that it can be improved. "
        "Don't write a new prompt."
    )


def summary_request(summary: str, latest: Candidate) -> str:
    """Ask to fold the latest prompt into the summary of the earlier ones (paper: s_t = M_O(s_{t-1}, current))."""
    before = f"The summary so far:\n<summary>\n{summary}\n</summary>\n\n" if summary else ""
    return (
        "Prompts for a task are being tried one after the other, and a summary is kept of what raises and what lowers "
        f"the score. {SCORE_RANGE}\n\n{before}The latest prompt:\n<current>\n"
        f"{prompt_block(latest.prompt.instruction, latest.score)}\n</current>\n\n"
        "Summarize what has been learnt up to now, the latest prompt included, in at most five sentences."
    )


def exemplar(example: Example, render: Render) -> Exemplar:
    """Render an example with `<Prompt>` in the prompt's place."""
    messages = render(Prompt(instruction=PLACEHOLDER), example)
    alone = len(messages) == 1
    question = "\n".join(m.content if alone else f"{m.role.capitalize()}: {m.content}" for m in messages)
    target = example.target
    return Exemplar(question=question, answer=target if isinstance(target, str) else target[0] if target else "")


def prompt_block(text: str, score: float | None = None) -> str:
    """Return a prompt in its tags, with its score where one is given."""
    scored = "" if score is None else f"\n<score>{shown_score(score)}</score>"
    return f"<prompt>{text}</prompt>{scored}"
