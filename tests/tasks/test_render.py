"""Rendered messages of every placement, label and demonstration style, byte for byte."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askwell.core.errors import ConfigError
from askwell.core.types import Example, Message, Prompt
from askwell.tasks.render import PLACEMENTS, ChatRender, DemoStyle, render_text

QUESTION = Example(id="q", input="What is 2 + 2?", target="SECRET")
DEMOS = (Example(id="a", input="What is 1 + 1?", target="2"), Example(id="b", input="Name a digit.", target=("3", "4")))
STYLES: tuple[DemoStyle, ...] = ("turns", "inline")
ALL = [
    ChatRender(placement=placement, labels=labels, demos=demos)
    for placement, labels, demos in itertools.product(PLACEMENTS, (False, True), STYLES)
]


def user(content: str) -> Message:
    return Message(role="user", content=content)


def assistant(content: str) -> Message:
    return Message(role="assistant", content=content)


def system(content: str) -> Message:
    return Message(role="system", content=content)


@pytest.mark.parametrize(
    ("placement", "labels", "expected"),
    [
        ("system", False, (system("Think."), user("What is 2 + 2?"))),
        ("system", True, (system("Think."), user("Q: What is 2 + 2?\nA:"))),
        ("before_Q", False, (user("Think.\n\nWhat is 2 + 2?"),)),
        ("before_Q", True, (user("Think.\n\nQ: What is 2 + 2?\nA:"),)),
        ("Q_begin", False, (user("Think.\nWhat is 2 + 2?"),)),
        ("Q_begin", True, (user("Q: Think.\nWhat is 2 + 2?\nA:"),)),
        ("Q_end", False, (user("What is 2 + 2?\nThink."),)),
        ("Q_end", True, (user("Q: What is 2 + 2?\nThink.\nA:"),)),
        ("A_begin", False, (user("What is 2 + 2?\n\nThink."),)),
        ("A_begin", True, (user("Q: What is 2 + 2?\nA: Think."),)),
    ],
)
def test_zero_shot(placement: str, labels: bool, expected: tuple[Message, ...]) -> None:
    assert ChatRender(placement=placement, labels=labels)(Prompt(instruction="Think."), QUESTION) == expected


def test_the_default_is_the_question_and_then_the_instruction() -> None:
    assert ChatRender()(Prompt(instruction=" Think.\n"), QUESTION) == (user("What is 2 + 2?\nThink."),)


@pytest.mark.parametrize(("labels", "expected"), [(False, "What is 2 + 2?"), (True, "Q: What is 2 + 2?\nA:")])
@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("instruction", ["", " \n"])
def test_an_empty_instruction_adds_nothing(placement: str, labels: bool, expected: str, instruction: str) -> None:
    assert ChatRender(placement=placement, labels=labels)(Prompt(instruction=instruction), QUESTION) == (
        user(expected),
    )


def test_demonstrations_as_turns() -> None:
    prompt = Prompt(instruction="Think.", demos=DEMOS)
    assert ChatRender()(prompt, QUESTION) == (
        user("What is 1 + 1?\nThink."),
        assistant("2"),
        user("Name a digit.\nThink."),
        assistant("3"),
        user("What is 2 + 2?\nThink."),
    )
    assert ChatRender(placement="before_Q", labels=True)(prompt, QUESTION) == (
        user("Think.\n\nQ: What is 1 + 1?\nA:"),
        assistant("2"),
        user("Q: Name a digit.\nA:"),
        assistant("3"),
        user("Q: What is 2 + 2?\nA:"),
    )


def test_demonstrations_inline() -> None:
    prompt = Prompt(instruction="Think.", demos=DEMOS)
    assert ChatRender(demos="inline")(prompt, QUESTION) == (
        user("What is 1 + 1?\nThink.\n2\n\nName a digit.\nThink.\n3\n\nWhat is 2 + 2?\nThink."),
    )
    assert ChatRender(placement="A_begin", labels=True, demos="inline")(prompt, QUESTION) == (
        user("Q: What is 1 + 1?\nA: Think. 2\n\nQ: Name a digit.\nA: Think. 3\n\nQ: What is 2 + 2?\nA: Think."),
    )
    assert ChatRender(placement="system", labels=True, demos="inline")(prompt, QUESTION) == (
        system("Think."),
        user("Q: What is 1 + 1?\nA: 2\n\nQ: Name a digit.\nA: 3\n\nQ: What is 2 + 2?\nA:"),
    )


@pytest.mark.parametrize("render", ALL, ids=str)
def test_few_shot_rendering_does_not_lose_the_instruction(render: ChatRender) -> None:
    """The released code of GPO drops the instruction as soon as there are demonstrations (specification, section 2)."""
    messages = render(Prompt(instruction="Think.", demos=DEMOS), QUESTION)
    assert any("Think." in message.content for message in messages if message.role != "assistant")
    if not PLACEMENTS[render.placement].once:
        assert messages[-1].content.count("Think.") == (3 if render.demos == "inline" else 1)


@pytest.mark.parametrize("render", ALL, ids=str)
def test_the_last_message_asks_and_gives_nothing_away(render: ChatRender) -> None:
    messages = render(Prompt(instruction="Think.", demos=DEMOS), QUESTION)
    assert messages[-1].role == "user"
    assert QUESTION.input in messages[-1].content
    assert all("SECRET" not in message.content for message in messages)


@pytest.mark.parametrize("render", ALL, ids=str)
@pytest.mark.parametrize("demos", [(), DEMOS])
def test_a_template_is_the_whole_message_and_holds_the_question_once(
    render: ChatRender, demos: tuple[Example, ...]
) -> None:
    messages = render(Prompt(instruction="Read {input} {twice}, then\nreply.", demos=demos), QUESTION)
    assert messages[-1].content.endswith("Read What is 2 + 2? {twice}, then\nreply.")
    text = "\n".join(message.content for message in messages)
    assert text.count("What is 2 + 2?") == 1
    assert "{input}" not in text
    assert all(message.role != "system" for message in messages)


@pytest.mark.parametrize("spelled", ["{input}", "{{input}}", "{ input }", "{Input}", "{question}", "{{ question }}"])
def test_every_spelling_of_the_question_is_filled(spelled: str) -> None:
    assert ChatRender(labels=True)(Prompt(instruction=f"Q: {spelled}\nA:"), QUESTION) == (
        user("Q: What is 2 + 2?\nA:"),
    )


@pytest.mark.parametrize("kept", ["\\boxed{input}", '{"input": 1}', "\\frac{1}{2}", "{answer}", "x_{input}"])
def test_other_braces_are_sent_as_they_stand(kept: str) -> None:
    assert ChatRender()(Prompt(instruction=kept), QUESTION) == (user(f"What is 2 + 2?\n{kept}"),)


def test_a_question_that_looks_like_a_template_is_left_alone() -> None:
    asked = Example(id="q", input="What does {input} mean?", target="t")
    assert ChatRender()(Prompt(instruction="Read: {input}"), asked) == (user("Read: What does {input} mean?"),)
    assert ChatRender()(Prompt(instruction="Think."), asked) == (user("What does {input} mean?\nThink."),)


def test_a_fixed_system_message() -> None:
    prompt = Prompt(instruction="Think.")
    assert ChatRender(system="Be kind.")(prompt, QUESTION) == (system("Be kind."), user("What is 2 + 2?\nThink."))
    assert ChatRender(system="Be kind.", placement="system")(prompt, QUESTION)[0] == system("Be kind.\n\nThink.")


def test_unknown_names() -> None:
    with pytest.raises(ConfigError, match=r"unknown placement 'q_end'; did you mean 'Q_end'\? choose one of"):
        ChatRender(placement="q_end")
    with pytest.raises(ConfigError, match="unknown demonstration style 'turn'; did you mean 'turns'"):
        ChatRender(demos="turn")  # pyright: ignore[reportArgumentType]


def test_what_is_sent_can_be_shown() -> None:
    prompt = Prompt(instruction="Think.")
    assert render_text(ChatRender(), prompt, QUESTION) == "What is 2 + 2?\nThink."
    assert render_text(ChatRender(), prompt) == "{input}\nThink."
    assert render_text(ChatRender(placement="system"), prompt) == "[system]\nThink.\n\n[user]\n{input}"


@given(st.sampled_from(ALL), st.text(), st.text(min_size=1), st.lists(st.text(min_size=1), max_size=3))
def test_rendering_is_pure_and_whole(render: ChatRender, instruction: str, question: str, demos: list[str]) -> None:
    asked = Example(id="q", input=question, target="t")
    prompt = Prompt(
        instruction=instruction,
        demos=tuple(Example(id=str(index), input=text, target="t") for index, text in enumerate(demos)),
    )
    messages = render(prompt, asked)
    assert messages == render(prompt, asked)
    assert question in messages[-1].content
    if "{input}" not in instruction:
        assert any(instruction.strip() in message.content for message in messages)
    if render.demos == "turns":
        assert [message.role for message in messages if message.role != "system"] == ["user", "assistant"] * len(
            demos
        ) + ["user"]
