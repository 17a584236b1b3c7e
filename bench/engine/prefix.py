"""Measure what the order of requests is worth to a server with a prefix cache.

Command:  python -m bench.engine.prefix [--prompts 12] [--examples 64] [--concurrency 16]        # about 20 seconds

The pairs of prompts × examples go through the engine to the C server, which simulates prefix caches of several sizes at
once (see `server.c`: each request goes to the slot that shares most with it, as in llama.cpp's server). The server
counts the prompt bytes that need not be computed again. There are three orders: prompt by prompt, example by example,
and the engine's own (`engine.prefix_order`); three placements of the instruction; and prompts with and without four
demonstrations. No wall time is measured, so a busy machine changes nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from collections.abc import Sequence

from bench.engine.server import BenchServer, bench_server

from askwell.api.build_models import build_model
from askwell.api.config import ModelConfig
from askwell.core.types import Example, Prompt
from askwell.engine.evaluator import Evaluator, Sampling
from askwell.engine.rollout_queue import closed_queue
from askwell.runlog.store import MemoryStore
from askwell.runlog.writer import Journal
from askwell.tasks.metrics import metric
from askwell.tasks.render import ChatRender
from askwell.tasks.task import Task

SLOTS = (1, 4, 16, 64)
PLACEMENTS = ("system", "before_Q", "Q_end")
_WORDS = (
    "crates", "apples", "boxes", "market", "trains", "stations", "tickets", "pencils", "shelves", "marbles", "bakers",
    "loaves", "gardens", "tulips", "rows", "hours", "miles", "buckets", "liters", "coins", "friends", "teams", "pages",
)  # fmt: skip


def example(number: int) -> Example:
    """Return a question of about 40 words with a beginning of its own."""
    rng = random.Random(number)
    words = " ".join(rng.choice(_WORDS) for _ in range(40))
    return Example(id=f"q{number:04d}", input=f"{words.capitalize()}. How many {rng.choice(_WORDS)}?", target="42")


def prompts(count: int, demos: int) -> list[Prompt]:
    """Return instructions of about 40 words, each with its own demonstrations."""
    made: list[Prompt] = []
    for number in range(count):
        rng = random.Random(f"prompt {number}")
        words = " ".join(rng.choice(_WORDS) for _ in range(40))
        shown = tuple(example(10_000 + number * demos + index) for index in range(demos))
        made.append(Prompt(instruction=f"{words.capitalize()}. End with the number.", demos=shown))
    return made


async def share(server: BenchServer, task: Task, tried: Sequence[Prompt], *, order: str, concurrency: int) -> str:
    """Score the prompts in this order; return the share of prompt bytes reused, one table cell per cache."""
    config = ModelConfig(model="openai:tiny", base_url=server.base_url, concurrency=concurrency)
    model = build_model(config, flag="--target")
    server.reset()
    async with Journal(MemoryStore()) as journal:
        evaluator = Evaluator(task=task, target=model, journal=journal, sampling=Sampling(), concurrency=concurrency)
        slots = evaluator.slots(tried, split="dev", step=1)
        if order == "engine":
            rollouts = [rollout async for rollout in evaluator.rollouts(slots)]
        else:
            if order == "example by example":
                slots.sort(key=lambda slot: slot.example.id)
            rollouts = [rollout async for _, rollout in evaluator.arrivals(closed_queue(slots))]
    assert all(rollout.score is not None for rollout in rollouts)
    await model.aclose()
    counted = server.stats()
    assert counted["requests"] == len(slots)
    return " | ".join(f"{counted['reused_bytes'][str(size)] / counted['prompt_bytes']:.0%}" for size in SLOTS)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--prompts", type=int, default=12)
    parser.add_argument("--examples", type=int, default=64)
    parser.add_argument("--concurrency", type=int, default=16)
    options = parser.parse_args()
    examples = tuple(example(number) for number in range(options.examples))
    print(f"share of prompt bytes reused, {options.prompts} prompts × {options.examples} examples\n")
    print(f"| placement | demonstrations | order | {' | '.join(f'{slots} slots' for slots in SLOTS)} |")
    print("|---|---|---|" + "---|" * len(SLOTS))
    with bench_server(latency_ms=5.0, slots=SLOTS) as server:
        for placement in PLACEMENTS:
            task = Task(
                name="t", splits={"dev": examples}, render=ChatRender(placement=placement), metric=metric("number")
            )
            for demos in (0, 4):
                tried = prompts(options.prompts, demos)
                for order in ("prompt by prompt", "example by example", "engine"):
                    shares = asyncio.run(share(server, task, tried, order=order, concurrency=options.concurrency))
                    print(f"| {placement} | {demos} | {order} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
