"""Measure a network during training: exact-match accuracy per task on dev inputs, from single forward passes.

Greedy decoding gives a target exactly when every target token is the most likely one after the true tokens before it,
so no decoding loop is needed. (The published figures are from real decoding: `bench/pocket.py`.)
"""
# ruff: noqa: N806 - tensor names carry their axes

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import torch
from mixture import ASSISTANT, END, USER, written
from model import PocketLM
from tokenizers import Tokenizer

from askwell.tasks.bundled.catalog import assign_split, find_task, task_names
from askwell.tasks.bundled.prompts import held_out_prompts, initial_prompt, style_prompts

ROWS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A context, its expected reply, and the cell of the table in which it counts."""

    context: str
    reply: str
    cell: tuple[str, str]


def cases(examples: int) -> list[Case]:
    """Return the dev cases; they are always the same."""
    return [case for task in task_names() for case in _task_cases(task, examples)]


def _task_cases(task: str, examples: int) -> list[Case]:
    family, skill = find_task(task)
    rng = Random(f"probe/{task}")
    made: list[Case] = []
    demonstrations = ""
    while len(made) < 5 * examples:
        facts = family.draw(rng)
        text = family.to_text(facts)
        if assign_split(text) != "dev":
            continue
        answer = skill.answer(facts)
        if demonstrations.count(USER) < 4:
            demonstrations += f"{USER}{text}{END}{ASSISTANT}{answer}{END}"
            continue
        direct, steps = style_prompts(task)
        vague = initial_prompt(task)
        paraphrase = rng.choice(held_out_prompts(task))
        shown = {
            "vague": (f"{USER}{text}\n{vague}{END}{ASSISTANT}", answer),
            "demos": (f"{demonstrations}{USER}{text}\n{vague}{END}{ASSISTANT}", answer),
            "direct": (f"{USER}{text}\n{direct}{END}{ASSISTANT}", answer),
            "steps": (f"{USER}{text}\n{steps}{END}{ASSISTANT}", written(skill, facts, "steps")),
            "unseen": (f"{USER}{text}\n{paraphrase}{END}{ASSISTANT}", answer),
        }
        made += [Case(context=before, reply=after, cell=(task, kind)) for kind, (before, after) in shown.items()]
    return made


@torch.no_grad()
def accuracies(model: PocketLM, tokenizer: Tokenizer, probed: Sequence[Case]) -> dict[tuple[str, str], float]:
    """Return the share of exactly predicted replies for every (task, kind of prompt)."""
    rows = [(tokenizer.encode(case.context).ids, tokenizer.encode(case.reply + END).ids, case.cell) for case in probed]
    rows.sort(key=lambda row: len(row[0]) + len(row[1]))
    hits: dict[tuple[str, str], list[bool]] = {}
    for begin in range(0, len(rows), ROWS):
        chunk = rows[begin : begin + ROWS]
        longest = max(len(context) + len(reply) for context, reply, _ in chunk)
        tokens_BT = torch.zeros(len(chunk), longest, dtype=torch.long)
        for row, (context, reply, _) in enumerate(chunk):
            tokens_BT[row, : len(context) + len(reply)] = torch.tensor(context + reply)
        hidden_BTC = model.hidden(tokens_BT)
        for row, (context, reply, cell) in enumerate(chunk):
            states = hidden_BTC[row, len(context) - 1 : len(context) + len(reply) - 1]
            guesses = (states @ model.embedding.weight.T).argmax(-1).tolist()
            hits.setdefault(cell, []).append(guesses == reply)
    return {cell: sum(values) / len(values) for cell, values in hits.items()}


def table(scores: dict[tuple[str, str], float]) -> str:
    """Format the accuracies, one row per task."""
    kinds = ("vague", "unseen", "demos", "direct", "steps")
    lines = ["task".ljust(20) + "".join(kind.rjust(8) for kind in kinds)]
    lines += [task.ljust(20) + "".join(f"{scores[task, kind]:8.2f}" for kind in kinds) for task in task_names()]
    means = [sum(scores[task, kind] for task in task_names()) / len(task_names()) for kind in kinds]
    return "\n".join([*lines, "mean".ljust(20) + "".join(f"{mean:8.2f}" for mean in means)])
