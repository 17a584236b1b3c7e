"""Render a prompt and a question as chat messages, with the instruction in one of five placements."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from askwell.core.errors import ConfigError, nearest
from askwell.core.placeholders import INPUT, split_at_placeholders
from askwell.core.protocols import Render
from askwell.core.types import Example, Message, Prompt

DemoStyle = Literal["turns", "inline"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """One way to combine an instruction and a question."""

    summary: str
    once: bool
    """Whether the instruction appears once, before everything else, or in every question."""
    arrange: Callable[[str, str], str]
    """(question, instruction) -> the text of one question, without labels."""
    arrange_labelled: Callable[[str, str], str]
    """The same with the labels "Q:" and "A:"."""


def _lines(*parts: str) -> str:
    return "\n".join(part for part in parts if part)


def _paragraphs(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)


def _question(question: str, _: str) -> str:
    return question


def _labelled_question(question: str, _: str) -> str:
    return f"Q: {question}\nA:"


PLACEMENTS: Mapping[str, Placement] = MappingProxyType(
    {
        "system": Placement(
            summary="in the system message; the question alone in the user message",
            once=True,
            arrange=_question,
            arrange_labelled=_labelled_question,
        ),
        "before_Q": Placement(
            summary="once, as a paragraph before all questions, including demonstrations",
            once=True,
            arrange=_question,
            arrange_labelled=_labelled_question,
        ),
        "Q_begin": Placement(
            summary="first line of each question",
            once=False,
            arrange=lambda question, instruction: _lines(instruction, question),
            arrange_labelled=lambda question, instruction: f"Q: {_lines(instruction, question)}\nA:",
        ),
        "Q_end": Placement(
            summary="last line of each question",
            once=False,
            arrange=_lines,
            arrange_labelled=lambda question, instruction: f"Q: {_lines(question, instruction)}\nA:",
        ),
        "A_begin": Placement(
            summary='first words of each answer, after "A:"; without labels, a separate paragraph at the very end',
            once=False,
            arrange=_paragraphs,
            arrange_labelled=lambda question, instruction: f"Q: {question}\n" + f"A: {instruction}".rstrip(),
        ),
    }
)
"""The placements of the GPO paper, section 4.1, and the system message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRender:
    """The `Render` of askwell. Default: one user message with the question, a newline and the instruction.

    White space around an instruction is removed; an empty instruction adds nothing. The last message is always the
    user's, so `A_begin` is at the end of the user message: only some servers can continue an assistant message, and
    most chat templates would close it.

    An instruction that contains "{input}" is a template for the whole user message: the question replaces "{input}"
    (also as "{{input}}", "{ Input }" or "{question}"), and neither placement nor labels apply. Demonstrations are
    rendered like the question. An instruction that appears `once` (system, before_Q) precedes them; any other is
    repeated in each. If a demonstration has several targets, it shows the first.
    """

    placement: str = "Q_end"
    """A name in `PLACEMENTS`."""
    labels: bool = False
    """Whether to write "Q:" and "A:"."""
    demos: DemoStyle = "turns"
    """Demonstrations as earlier turns of the chat, or inline in the single user message."""
    system: str = ""
    """A system message that is not optimized; it precedes an instruction that is placed in the system message."""

    def __post_init__(self) -> None:
        if self.placement not in PLACEMENTS:
            raise ConfigError(f"unknown placement {self.placement!r}; {nearest(self.placement, PLACEMENTS)}")
        if self.demos not in ("turns", "inline"):
            raise ConfigError(f"unknown demonstration style {self.demos!r}; {nearest(self.demos, ('turns', 'inline'))}")

    def __call__(self, prompt: Prompt, example: Example) -> tuple[Message, ...]:
        instruction = prompt.instruction.strip()
        is_template = _is_template(instruction)
        head = instruction if PLACEMENTS[self.placement].once and not is_template else ""
        in_system = head if self.placement == "system" else ""
        before = head if self.placement == "before_Q" else ""
        system = _paragraphs(self.system.strip(), in_system)
        messages = [Message(role="system", content=system)] if system else []
        if self.demos == "inline":
            return (*messages, self._inline(prompt, instruction, before, example))
        for demo in prompt.demos:
            question = _paragraphs(before, self._arrange(demo.input, instruction))
            messages += [Message(role="user", content=question), Message(role="assistant", content=demo_target(demo))]
            before = ""
        question = _paragraphs(before, self._arrange(example.input, instruction))
        return (*messages, Message(role="user", content=question))

    def _inline(self, prompt: Prompt, instruction: str, before: str, example: Example) -> Message:
        blocks = [
            self._with_answer(self._arrange(demo.input, instruction), demo_target(demo), instruction)
            for demo in prompt.demos
        ]
        return Message(role="user", content=_paragraphs(before, *blocks, self._arrange(example.input, instruction)))

    def _arrange(self, question: str, instruction: str) -> str:
        if _is_template(instruction):
            return question.join(split_at_placeholders(instruction))
        placement = PLACEMENTS[self.placement]
        arrange = placement.arrange_labelled if self.labels else placement.arrange
        return arrange(question, instruction)

    def _with_answer(self, question: str, target: str, instruction: str) -> str:
        same_line = self.labels and not _is_template(instruction)
        return f"{question} {target}" if same_line else f"{question}\n{target}"


def _is_template(instruction: str) -> bool:
    return len(split_at_placeholders(instruction)) > 1


def render_text(render: Render, prompt: Prompt, example: Example | None = None) -> str:
    """Return the rendered messages as text: a single user message alone, else every message under its role.

    Without an example the question is "{input}".
    """
    messages = render(prompt, example or Example(id="", input=INPUT, target=""))
    if len(messages) == 1 and messages[0].role == "user":
        return messages[0].content
    return "\n\n".join(f"[{message.role}]\n{message.content}" for message in messages)


def demo_target(demo: Example) -> str:
    """Return the target that a demonstration shows: the first if it has several."""
    return demo.target if isinstance(demo.target, str) else demo.target[0]
