"""The order of requests that lets a server with a prefix cache compute least: what begins alike goes together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from askwell.tasks.base import Render
from askwell.types import Example, Prompt

if TYPE_CHECKING:
    from askwell.engine.rollout_queue import Cell


def prefix_friendly(cells: Sequence[Cell], render: Render) -> Sequence[Cell]:
    """Return the cells by example where two prompts begin more alike on one example than one prompt on two.

    Else (the instruction, or its demonstrations, stand ahead of the question) as they came: prompt by prompt. One
    comparison decides for all; every cell keeps its place in the log.
    """
    if not cells:
        return cells
    first = cells[0]
    other_prompt = next((one.prompt for one in cells if one.prompt != first.prompt), None)
    other_example = next((one.example for one in cells if one.example.id != first.example.id), None)
    if other_prompt is None or other_example is None:
        return cells
    text = _text(render, first.prompt, first.example)
    by_example = _shared(text, _text(render, other_prompt, first.example))
    if by_example <= _shared(text, _text(render, first.prompt, other_example)):
        return cells
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(cell.example.id, []).append(cell)
    return [cell for group in groups.values() for cell in group]


def _text(render: Render, prompt: Prompt, example: Example) -> str:
    return "\n".join(f"{message.role}:{message.content}" for message in render(prompt, example))


def _shared(left: str, right: str) -> int:
    pairs = zip(left, right, strict=False)
    return next((place for place, (one, other) in enumerate(pairs) if one != other), min(len(left), len(right)))
