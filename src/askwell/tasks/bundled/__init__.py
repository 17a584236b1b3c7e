"""The bundled tasks: they need no download, and the bundled model's score on them depends on the prompt."""

from __future__ import annotations

from askwell.tasks.bundled.catalog import task_names
from askwell.tasks.bundled.mixture import examples, member_tasks
from askwell.tasks.bundled.prompts import (
    best_known_prompt,
    held_out_prompts,
    initial_prompt,
    style_prompts,
    vague_prompts,
)

__all__ = [
    "best_known_prompt",
    "examples",
    "held_out_prompts",
    "initial_prompt",
    "member_tasks",
    "style_prompts",
    "task_names",
    "vague_prompts",
]
