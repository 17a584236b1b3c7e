"""A small training through `askwell.train`: logged outcomes, a target model, and a trainer that needs no torch."""

from __future__ import annotations

import json
from pathlib import Path

import askwell
from tests.support.policy_worlds import PROMPTS, phrased
from tests.support.prompt_writers import TableTrainer, read_table

SPLITS = {
    name: [{"input": text, "target": "right"} for text in phrased(n, seed=seed)[0]]
    for name, n, seed in (("train", 60, 21), ("dev", 60, 22), ("test", 80, 23))
}


def suits(query: str, prompt: str) -> bool:
    return prompt == PROMPTS[1 if query.startswith("Suppose") else 0]


def target(text: str) -> str:
    query, _, prompt = text.rpartition("\n")
    return "right" if suits(query, prompt) else "wrong"


def plain(text: str) -> str:
    return "right" if text.endswith(PROMPTS[0]) else "wrong"


def logged(path: Path, answer: object = target) -> str:
    rows = [
        {"query": row["input"], "prompt": prompt, "score": float(answer(f"{row['input']}\n{prompt}") == "right")}  # type: ignore[operator]
        for row in SPLITS["dev"]
        for prompt in PROMPTS
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def train(source: str, folder: Path, **more: object) -> askwell.Trained:
    given: dict[str, object] = {"target": target, "data": SPLITS, "policy": {"loops": 2, "acquire": 30}, **more}
    return askwell.train(source, run=folder, trainer=TableTrainer(), read_writer=read_table, **given)  # type: ignore[arg-type]
