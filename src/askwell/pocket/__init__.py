"""The bundled tasks and model: a small real language model whose answers depend on the prompt."""

from __future__ import annotations

from pathlib import Path

from askwell.pocket.catalog import task_names
from askwell.pocket.mixture import examples, members
from askwell.pocket.phrases import best_known_prompt, held_out, initial_prompt, style_prompts, vague_prompts

CHECKPOINT = Path(__file__).parent / "checkpoint"
"""Folder of the bundled model, in the format of transformers."""

MAX_REPLY_TOKENS = 48
"""The reply limit every published figure was measured with."""

__all__ = [
    "CHECKPOINT",
    "MAX_REPLY_TOKENS",
    "best_known_prompt",
    "examples",
    "held_out",
    "initial_prompt",
    "members",
    "style_prompts",
    "task_names",
    "vague_prompts",
]
