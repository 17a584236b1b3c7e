"""A small optimization through `askwell.optimize`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import askwell
from askwell.core.types import Request

DATA = [{"input": f"{a}+{b}", "target": str(a + b)} for a in range(8) for b in range(8)]


def target(text: str) -> str:
    question, _, instruction = text.partition("\n")
    left, right = map(int, question.split("+"))
    knows = "Add" in instruction or (left + right) % 3 == 0
    return f"The answer is {left + right if knows else 99}."


async def optimizer(request: Request) -> str:
    await asyncio.sleep(0)
    return f"<START>{'Add them.' if request.sample_index == 3 else f'Guess {request.sample_index}.'}<END>"


def optimize(folder: Path, **more: object) -> askwell.Result:
    settings = {"steps": 2, "seed": 0}
    return askwell.optimize(
        prompt="Think.",
        data=DATA,
        target=target,
        optimizer_model=optimizer,
        metric="number",
        run=folder,
        optimizer="gpo",
        settings={"embedder": "lexical"},
        loop=askwell.LoopSettings(**settings),  # type: ignore[arg-type]
        **more,  # type: ignore[arg-type]
    )
