"""A small world for prompt generators: two kinds of queries, each with its own good prompt, learnt in a second."""

from __future__ import annotations

from pathlib import Path
from random import Random

from askwell.core.types import Experience
from askwell.policies.settings import ModelSettings, TrainSettings
from tests.support.checkpoints import make_checkpoint

GOOD = {"sum": "add", "word": "spell"}
BAD = "guess"


def query(kind: str, rng: Random) -> str:
    return f"{kind} {rng.randint(10, 99)} {rng.randint(10, 99)}"


def queries(n: int, *, seed: int) -> list[str]:
    rng = Random(seed)
    return list(dict.fromkeys(query(kind, rng) for _ in range(n) for kind in GOOD))


def world(n: int, *, seed: int) -> list[Experience]:
    """Return `n` queries of each kind with all three prompts; a kind's own prompt works, the others fail."""
    experiences: list[Experience] = []
    for text in queries(n, seed=seed):
        for prompt in (*GOOD.values(), BAD):
            right = float(prompt == GOOD[text.split()[0]])
            experiences.append(Experience(query=text, prompt=prompt, reward=right, advantage=right))
    return experiences


def tiny(folder: Path, **more: object) -> ModelSettings:
    """Return settings for a checkpoint of 20,000 random weights with byte tokens, made if it is missing."""
    if not (folder / "config.json").exists():
        make_checkpoint(folder, spread=0.05)
    return ModelSettings(base=str(folder), max_query_tokens=32, max_prompt_tokens=12, **more)  # pyright: ignore[reportArgumentType] - any of its fields


QUICK = TrainSettings(epochs=18, learning_rate=1e-2, batch_pairs=24, patience=0)
