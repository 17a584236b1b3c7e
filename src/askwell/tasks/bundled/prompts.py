"""Prompts for the bundled tasks: vague ones, the best known ones, and paraphrases held out of training."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from askwell.tasks.bundled.catalog import find_task
from askwell.tasks.bundled.mixture import member_tasks


def vague_prompts() -> tuple[str, ...]:
    """Return prompts that do not specify which task of a family is meant."""
    return tuple(_phrases()["vague"])


def initial_prompt(task: str) -> str:
    """Return the vague prompt from which an optimization of this task or bundle starts."""
    member_tasks(task)
    return vague_prompts()[0]


def best_known_prompt(task: str) -> str:
    """Return the prompt with the best score on the task's dev split when the checkpoint was made."""
    find_task(task)
    return _phrases()["best"][task]


def style_prompts(task: str) -> tuple[str, str]:
    """Return the same instruction twice: with a request for the answer only, and for step-by-step reasoning."""
    find_task(task)
    instruction = _phrases()["plain"][task]
    return f"{instruction} Give only the answer.", f"{instruction} Let's think step by step."


def held_out_prompts(task: str) -> tuple[str, ...]:
    """Return paraphrases of the task that were held out of training."""
    find_task(task)
    return tuple(_phrases()["held_out"][task])


@cache
def _phrases() -> dict[str, Any]:
    return json.loads(files("askwell.tasks.bundled").joinpath("phrases.json").read_text(encoding="utf-8"))
