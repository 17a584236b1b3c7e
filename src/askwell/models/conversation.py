"""Conversations and texts in the forms that models take: as one text, without system turns, in valid Unicode."""

from __future__ import annotations

from collections.abc import Sequence

from askwell.core.types import Message


def format_conversation(messages: Sequence[Message]) -> str:
    """Join the turns by blank lines; name the speakers only where the assistant has spoken before."""
    if any(message.role == "assistant" for message in messages):
        return "\n\n".join(f"{message.role.capitalize()}: {message.content}" for message in messages)
    return "\n\n".join(message.content for message in messages)


def fold_system_turns(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Put system text in front of the next user turn and merge neighbours of one role, for strict chat templates."""
    folded: list[Message] = []
    for message in messages:
        role = "user" if message.role == "system" else message.role
        if folded and folded[-1].role == role:
            folded[-1] = Message(role=role, content=folded[-1].content + "\n\n" + message.content)
        else:
            folded.append(Message(role=role, content=message.content))
    return tuple(folded)


def split_system_text(messages: Sequence[Message]) -> tuple[str, tuple[Message, ...]]:
    """Return the system text that opens a conversation, and the turns after it: a user's first, roles in alternation.

    For APIs that take system text apart from the turns. Later system text goes into the user's turn, and so does what
    an assistant said before any user; system text alone is asked as a user's turn.
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
    r"""Replace lone surrogates (a JSON "\ud800"), which no store, terminal or tokenizer takes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
