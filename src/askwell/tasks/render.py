"""Where the instruction goes: around the question, before the answer, or in the system message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from askwell.core.errors import ConfigError, nearest
from askwell.core.protocols import Render
from askwell.core.types import Example, Message, Prompt

DemoStyle = Literal["turns", "inline"]

INPUT = "{input}"
"""An instruction with this in it is a template: the question goes there, and nowhere else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """One way to put an instruction and a question together."""

    summary: str
    once: bool
    """Whether the instruction stands once, ahead of everything, or is repeated in every question."""
    arrange: Callable[[str, str], str]
    """(question, instruction) to the asking text, unlabelled; only called where `once` is false."""
    arrange_labelled: Callable[[str, str], str]
    """The same with "Q:" and "A:"."""


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
            summary="once, as a paragraph ahead of all questions, demonstrations included",
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
            summary='first words of each answer, after "A:"; without labels, a paragraph of its own at the very end',
            once=False,
            arrange=_paragraphs,
            arrange_labelled=lambda question, instruction: f"Q: {question}\n" + f"A: {instruction}".rstrip(),
        ),
    }
)
"""Placements of GPO, section 4.1, and the system message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRender:
    """The `Render` of askwell. As it stands: one user message, the question, a newline, the instruction.

    White space around an instruction is dropped, and an empty instruction leaves nothing behind. The last message is
    always the user's, so `A_begin` ends the user message: an assistant message to be continued is a server's own
    extension, and most chat templates would close it.

    An instruction that holds "{input}" is a template, and then the whole user message: the question takes that place,
    and neither placement nor labels apply. Demonstrations are set as the question is; an instruction that stands
    `once` (system, before_Q) comes ahead of them, any other is repeated in each. Of several targets a demonstration
    shows the first.
    """

    placement: str = "Q_end"
    """A name in `PLACEMENTS`."""
    labels: bool = False
    """Whether to write "Q:" and "A:"."""
    demos: DemoStyle = "turns"
    """Demonstrations as earlier turns of the chat, or all inline in one user message."""
    system: str = ""
    """A system message that is not optimized; stands ahead of the instruction where that is placed there too."""

    def __post_init__(self) -> None:
        if self.placement not in PLACEMENTS:
            raise ConfigError(f"unknown placement {self.placement!r}; {nearest(self.placement, PLACEMENTS)}")
        if self.demos not in ("turns", "inline"):
            raise ConfigError(f"unknown demonstration style {self.demos!r}; {nearest(self.demos, ('turns', 'inline'))}")

    def __call__(self, prompt: Prompt, example: Example) -> tuple[Message, ...]:
        instruction = prompt.instruction.strip()
        is_template = INPUT in instruction
        head = instruction if PLACEMENTS[self.placement].once and not is_template else ""
        in_system = head if self.placement == "system" else ""
        before = head if self.placement == "before_Q" else ""
        system = _paragraphs(self.system.strip(), in_system)
        messages = [Message(role="system", content=system)] if system else []
        if self.demos == "inline":
            return (*messages, self._inline(prompt, instruction, before, example))
        for demo in prompt.demos:
            asked = _paragraphs(before, self._ask(demo.input, instruction))
            messages += [Message(role="user", content=asked), Message(role="assistant", content=demo_target(demo))]
            before = ""
        asked = _paragraphs(before, self._ask(example.input, instruction))
        return (*messages, Message(role="user", content=asked))

    def _inline(self, prompt: Prompt, instruction: str, before: str, example: Example) -> Message:
        blocks = [
            self._answered(self._ask(demo.input, instruction), demo_target(demo), instruction) for demo in prompt.demos
        ]
        return Message(role="user", content=_paragraphs(before, *blocks, self._ask(example.input, instruction)))

    def _ask(self, question: str, instruction: str) -> str:
        if INPUT in instruction:
            return instruction.replace(INPUT, question)
        placement = PLACEMENTS[self.placement]
        arrange = placement.arrange_labelled if self.labels else placement.arrange
        return arrange(question, instruction)

    def _answered(self, asked: str, target: str, instruction: str) -> str:
        same_line = self.labels and INPUT not in instruction
        return f"{asked} {target}" if same_line else f"{asked}\n{target}"


def render_text(render: Render, prompt: Prompt, example: Example | None = None) -> str:
    """Show what is sent: the message alone where there is one, else every message under its role.

    Without an example the question shows as "{input}".
    """
    messages = render(prompt, example or Example(id="", input=INPUT, target=""))
    if len(messages) == 1 and messages[0].role == "user":
        return messages[0].content
    return "\n\n".join(f"[{message.role}]\n{message.content}" for message in messages)


def demo_target(demo: Example) -> str:
    """Return the answer that a demonstration shows."""
    return demo.target if isinstance(demo.target, str) else demo.target[0]
