"""Measure how much memory one more call costs: the engine streams, so it should keep bookkeeping and no text.

Command:  python -m bench.engine.memory [--small 20000] [--large 200000] [--json FILE]        # about 2 minutes

Evaluates that number of calls (8 prompts, 800-character questions and replies of the C server at no latency, 256 in
flight, the run log on disk), each number in its own process, and compares peak memory. A client that keeps requests or
replies would need more than 1,500 bytes per call; the bound is 400.
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


async def evaluate(base_url: str, calls: int, log: Path) -> int:
    """Stream the rollouts of this number of calls and keep none; return how many were scored."""
    from askwell.api.build_models import build_model
    from askwell.api.config import ModelConfig
    from askwell.core.types import Example, Prompt
    from askwell.engine.evaluator import Evaluator, Sampling
    from askwell.runlog.store import SqliteStore
    from askwell.runlog.writer import Journal
    from askwell.tasks.metrics import metric
    from askwell.tasks.render import ChatRender
    from askwell.tasks.task import Task

    # Few examples and many repeats, so that the data set itself does not count.
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
                sampling=Sampling(repeats=calls // (len(examples) * len(prompts))),
                concurrency=config.concurrency,
            )
            async for rollout in evaluator.rollouts(evaluator.slots(prompts, split="dev", step=1)):
                scored += rollout.score is not None
        await model.aclose()
    return scored


def measured(base_url: str, calls: int) -> dict[str, Any]:
    """Run one number of calls in its own process."""
    command = [sys.executable, "-m", "bench.engine.memory", "--run", base_url, "--small", str(calls)]
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
    runs: list[dict[str, Any]] = []
    with bench_server(latency_ms=0.0) as server:
        for calls in (options.small, options.large):
            run = measured(server.base_url, calls)
            runs.append(run)
            print(f"{run['scored']:,} calls: peak {run['peak_mb']:.0f} MB", flush=True)
    more = (runs[1]["peak_mb"] - runs[0]["peak_mb"]) * 2**20 / (runs[1]["scored"] - runs[0]["scored"])
    print(f"{more:.0f} bytes for each further call (bound {BOUND_BYTES})")
    if options.file:
        options.file.write_text(json.dumps({"runs": runs, "bytes_per_call": more}, indent=1), encoding="utf-8")
    return 0 if more <= BOUND_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
