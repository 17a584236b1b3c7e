"""Convert conversations to the forms that models accept: one text, no system turns, valid Unicode."""

from __future__ import annotations

from collections.abc import Sequence

from askwell.core.types import Message


def format_conversation(messages: Sequence[Message]) -> str:
    """Join the turns by blank lines; name the roles only if there is an assistant's turn."""
    if any(message.role == "assistant" for message in messages):
        return "\n\n".join(f"{message.role.capitalize()}: {message.content}" for message in messages)
    return "\n\n".join(message.content for message in messages)


def fold_system_turns(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Put system text in front of the next user turn and merge adjacent turns of one role, for strict templates."""
    folded: list[Message] = []
    for message in messages:
        role = "user" if message.role == "system" else message.role
        if folded and folded[-1].role == role:
            folded[-1] = Message(role=role, content=folded[-1].content + "\n\n" + message.content)
        else:
            folded.append(Message(role=role, content=message.content))
    return tuple(folded)


def split_system_text(messages: Sequence[Message]) -> tuple[str, tuple[Message, ...]]:
    """Return the system text at the start, and the other turns: alternating roles, beginning with the user.

    For APIs with a separate field for system text. Later system text goes into the user's turn, and so does an
    assistant's turn before any user's; system text without other turns becomes the user's turn.
    """
    start = next((index for index, message in enumerate(messages) if message.role != "system"), len(messages))
    system = "\n\n".join(message.content for message in messages[:start] if message.content)
    turns = fold_system_turns(messages[start:])
    if not turns:
        return "", (Message(role="user", content=system),)
    first, *others = turns
    if first.role == "assistant":
        turns = fold_system_turns([Message(role="user", content=f"Assistant: {first.content}"), *others])
    return system, turns


def replace_surrogates(text: str) -> str:
    r"""Replace lone surrogates (a JSON "\ud800"), which no store, terminal or tokenizer accepts."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
