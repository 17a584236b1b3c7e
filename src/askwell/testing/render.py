"""The contract of `Render`."""

from __future__ import annotations

from dataclasses import replace

from askwell.core.protocols import Render
from askwell.core.types import Example, Prompt

PROMPT = Prompt(instruction="Count the even numbers.")
EXAMPLE = Example(id="e1", input="Which of 3, 8 and 10 are even?", target="eight and ten")
DEMO = Example(id="d1", input="Which of 2 and 5 are even?", target="only the two")


class RenderContract:
    """Inherit this class and give it a fixture `render`."""

    def test_the_messages_contain_the_instruction_and_the_question(self, render: Render) -> None:
        messages = render(PROMPT, EXAMPLE)
        assert messages
        shown = "\n".join(message.content for message in messages)
        assert PROMPT.instruction in shown
        assert EXAMPLE.input in shown

    def test_the_target_is_never_read(self, render: Render) -> None:
        messages = render(PROMPT, EXAMPLE)
        assert render(PROMPT, replace(EXAMPLE, target="something else")) == messages
        assert not any(str(EXAMPLE.target) in message.content for message in messages)

    def test_a_demonstration_shows_its_question_and_its_target(self, render: Render) -> None:
        messages = render(replace(PROMPT, demos=(DEMO,)), EXAMPLE)
        shown = "\n".join(message.content for message in messages)
        assert DEMO.input in shown
        assert str(DEMO.target) in shown

    def test_the_same_arguments_give_the_same_messages(self, render: Render) -> None:
        assert render(PROMPT, EXAMPLE) == render(PROMPT, EXAMPLE)
