"""Prompts for the bundled tasks as data: vague ones, known good ones, and paraphrases training never saw."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from askwell.tasks.bundled.catalog import find
from askwell.tasks.bundled.mixture import members


def vague_prompts() -> tuple[str, ...]:
    """Return prompts that do not say which of a family's tasks is meant."""
    return tuple(_phrases()["vague"])


def initial_prompt(task: str) -> str:
    """Return the vague prompt an optimisation of this task (or bundle) starts from."""
    members(task)
    return vague_prompts()[0]


def best_known_prompt(task: str) -> str:
    """Return the prompt that scored best on the task's dev split when the checkpoint was made."""
    find(task)
    return _phrases()["best"][task]


def style_prompts(task: str) -> tuple[str, str]:
    """Return the same instruction twice: asking for the bare answer, and for working step by step."""
    find(task)
    instruction = _phrases()["plain"][task]
    return f"{instruction} Give only the answer.", f"{instruction} Let's think step by step."


def held_out(task: str) -> tuple[str, ...]:
    """Return paraphrases of the task that were kept out of training."""
    find(task)
    return tuple(_phrases()["held_out"][task])


@cache
def _phrases() -> dict[str, Any]:
    return json.loads(files("askwell.tasks.bundled").joinpath("phrases.json").read_text(encoding="utf-8"))
