"""Prompts for the bundled tasks as data: vague ones, known good ones, and paraphrases training never saw."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from askwell.tasks.bundled.catalog import find_task
from askwell.tasks.bundled.mixture import member_tasks


def vague_prompts() -> tuple[str, ...]:
    """Return prompts that do not say which of a family's tasks is meant."""
    return tuple(_phrases()["vague"])


def initial_prompt(task: str) -> str:
    """Return the vague prompt an optimisation of this task (or bundle) starts from."""
    member_tasks(task)
    return vague_prompts()[0]


def best_known_prompt(task: str) -> str:
    """Return the prompt that scored best on the task's dev split when the checkpoint was made."""
    find_task(task)
    return _phrases()["best"][task]


def style_prompts(task: str) -> tuple[str, str]:
    """Return the same instruction twice: asking for the bare answer, and for working step by step."""
    find_task(task)
    instruction = _phrases()["plain"][task]
    return f"{instruction} Give only the answer.", f"{instruction} Let's think step by step."


def held_out_prompts(task: str) -> tuple[str, ...]:
    """Return paraphrases of the task that were kept out of training."""
    find_task(task)
    return tuple(_phrases()["held_out"][task])


@cache
def _phrases() -> dict[str, Any]:
    return json.loads(files("askwell.tasks.bundled").joinpath("phrases.json").read_text(encoding="utf-8"))
