"""Files and runs with outcomes of several prompts, for the commands that read them."""

from __future__ import annotations

import json
from pathlib import Path

import askwell
from tests.support.policy_worlds import PROMPTS, phrased, table

DATA = [{"input": f"{a}+{b}", "target": str(a + b)} for a in range(9) for b in range(9)]


def records(path: Path, *, n: int = 60, seed: int = 0, draws: int = 4) -> Path:
    queries, rates = phrased(n, seed=seed)
    sampled = table(rates, repeats=draws, seed=seed, queries=queries)
    lines = [
        {"question": query, "prompt": prompt, "correct": right, "draws": draws}
        for query, row in zip(queries, sampled.totals.tolist(), strict=True)
        for prompt, right in zip(PROMPTS, row, strict=True)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def run(folder: Path, *, target: str = "fake") -> Path:
    def answers(text: str) -> str:
        question, _, instruction = text.partition("\n")
        left, right = map(int, question.split("+"))
        return f"The answer is {left + right if left % 2 == ('odd' in instruction) else 99}."

    def rewrites(_: str) -> str:
        return "<START>Add the odd ones.<END>"

    answers.__qualname__ = target
    askwell.optimize(
        prompt="Think.",
        data=DATA,
        target=answers,
        optimizer_model=rewrites,
        metric="number",
        run=folder,
        settings={"embedder": "lexical"},
        loop=askwell.LoopSettings(steps=1),
    )
    return folder
