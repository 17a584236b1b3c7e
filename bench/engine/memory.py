"""How much memory one more call costs: the engine streams, so it is the bookkeeping of a cell and no text.

    python -m bench.engine.memory [--small 20000] [--large 200000] [--json FILE]

Evaluates that many cells (8 prompts, 800-character questions and replies of the C server at no latency, 256 in flight,
the run log on disk), each number in a process of its own, and compares peak memory and what is left at the end. A
client that keeps requests or replies would pay more than 1,500 bytes a call; the bound is 400. About 2 minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.engine.server import bench_server

BOUND_BYTES = 400


async def evaluate(base_url: str, cells: int, log: Path) -> int:
    """Stream the rollouts of this many cells and keep none; return how many were scored."""
    from askwell.api.build_models import build_model
    from askwell.api.config import ModelConfig
    from askwell.core.types import Example, Prompt
    from askwell.engine.evaluator import Evaluator, Sampling
    from askwell.runlog.store import SqliteStore
    from askwell.runlog.writer import Journal
    from askwell.tasks.metrics import metric
    from askwell.tasks.render import ChatRender
    from askwell.tasks.task import Task

    # Few examples and many draws: the data set itself is not to be counted.
    examples = tuple(
        Example(id=f"q{number}", input=f"{number} " + "apples " * 114, target="42") for number in range(50)
    )
    prompts = [Prompt(instruction=f"Count well, try {number}.") for number in range(8)]
    task = Task(name="t", splits={"dev": examples}, render=ChatRender(placement="system"), metric=metric("number"))
    config = ModelConfig(model="openai:tiny", base_url=base_url, concurrency=256)
    model = build_model(config, flag="--target")
    scored = 0
    with SqliteStore(log) as store:
        async with Journal(store) as journal:
            evaluator = Evaluator(
                task=task,
                target=model,
                journal=journal,
                sampling=Sampling(repeats=cells // (len(examples) * len(prompts))),
                concurrency=config.concurrency,
            )
            async for rollout in evaluator.rollouts(evaluator.slots(prompts, split="dev", step=1)):
                scored += rollout.score is not None
        await model.aclose()
    return scored


def measured(base_url: str, cells: int) -> dict[str, Any]:
    """Run one number of cells in a process of its own."""
    command = [sys.executable, "-m", "bench.engine.memory", "--run", base_url, "--small", str(cells)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--small", type=int, default=20_000)
    parser.add_argument("--large", type=int, default=200_000)
    parser.add_argument("--json", dest="file", type=Path)
    parser.add_argument("--run", metavar="URL", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        with tempfile.TemporaryDirectory() as folder:
            scored = asyncio.run(evaluate(options.run, options.small, Path(folder) / "log.db"))
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"scored": scored, "peak_mb": peak_mb}))
        return 0
    found: list[dict[str, Any]] = []
    with bench_server(latency_ms=0.0) as server:
        for cells in (options.small, options.large):
            one = measured(server.base_url, cells)
            found.append(one)
            print(f"{one['scored']:,} calls: peak {one['peak_mb']:.0f} MB", flush=True)
    more = (found[1]["peak_mb"] - found[0]["peak_mb"]) * 2**20 / (found[1]["scored"] - found[0]["scored"])
    print(f"{more:.0f} bytes for each further call (bound {BOUND_BYTES})")
    if options.file:
        options.file.write_text(json.dumps({"runs": found, "bytes_per_call": more}, indent=1), encoding="utf-8")
    return 0 if more <= BOUND_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
