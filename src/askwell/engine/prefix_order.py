"""Order requests so that a server with a prefix cache computes least: requests that begin alike go together."""

from __future__ import annotations

from collections.abc import Sequence

from askwell.core.protocols import Render
from askwell.core.types import Example, Prompt
from askwell.engine.rollout_queue import RolloutSlot


def order_for_prefix_cache(slots: Sequence[RolloutSlot], render: Render) -> Sequence[RolloutSlot]:
    """Return the slots grouped by example if two prompts on one example share a longer prefix than one prompt on two.

    Otherwise (the instruction or its demonstrations precede the question) the order stays: prompt by prompt. One
    comparison decides for all slots, because a task renders all of them by the same template. Only the order of the
    requests changes; every slot keeps its position in the log.
    """
    if not slots:
        return slots
    first = slots[0]
    other_prompt = next((slot.prompt for slot in slots if slot.prompt != first.prompt), None)
    other_example = next((slot.example for slot in slots if slot.example.id != first.example.id), None)
    if other_prompt is None or other_example is None:
        return slots
    text = _render_text(render, first.prompt, first.example)
    shared_by_prompts = _shared_prefix_length(text, _render_text(render, other_prompt, first.example))
    shared_by_examples = _shared_prefix_length(text, _render_text(render, first.prompt, other_example))
    if shared_by_prompts <= shared_by_examples:
        return slots
    groups: dict[str, list[RolloutSlot]] = {}
    for slot in slots:
        groups.setdefault(slot.example.id, []).append(slot)
    return [slot for group in groups.values() for slot in group]


def _render_text(render: Render, prompt: Prompt, example: Example) -> str:
    return "\n".join(f"{message.role}:{message.content}" for message in render(prompt, example))


def _shared_prefix_length(left: str, right: str) -> int:
    pairs = zip(left, right, strict=False)
    return next((index for index, (a, b) in enumerate(pairs) if a != b), min(len(left), len(right)))
