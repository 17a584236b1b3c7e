"""The length of a prompt in words, and the penalty for a prompt that grew over the initial one."""

from __future__ import annotations

from askwell.core.text import words
from askwell.core.types import Prompt
from askwell.tasks.render import demo_target


def compute_length_penalty(prompt: Prompt, initial: Prompt, per_100_words: float) -> float:
    """Return the penalty (0..1) for a prompt's growth over the initial one, demonstrations included; never negative."""
    growth = count_prompt_words(prompt) - count_prompt_words(initial)
    return per_100_words * max(0, growth) / 100


def count_prompt_words(prompt: Prompt) -> int:
    """Count the words of the instruction and of the demonstrations (questions and answers as rendered)."""
    shown = [text for demo in prompt.demos for text in (demo.input, demo_target(demo))]
    return sum(len(words(text)) for text in (prompt.instruction, *shown))
