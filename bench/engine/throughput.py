"""Measure how near the engine comes to the ideal rate with its run log on, and its CPU per call; beside other clients.

Command:  python -m bench.engine.throughput [--rounds 5] [--quick] [--only askwell openai] [--json FILE]   # 5 minutes

There are two loads against the C server of this folder: 200 ms latency at 512 in flight (ideal 2,560 calls/s) and 50 ms
at 256 (ideal 5,120). Every contestant has its own process, with imports and one small job done before. They take turns,
one running at a time, and the median of the rounds is shown. The server shares the two cores. CPU is that of the
client's process: all threads, connecting and writing the log included; the server's own is shown too. If askwell and
aiohttp run together, their ratios are compared with askwell's goals. On a busy machine only the CPU columns mean
something.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Any

from bench.engine.contestants import CONTESTANTS, INSTRUCTIONS
from bench.engine.server import BenchServer, bench_server

FAST = ("askwell", "aiohttp")
"""Contestants that get enough calls for a steady rate; the others are slower and get fewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A latency, the number of requests in flight, and askwell's goal as a share of aiohttp's calls/s."""

    latency_ms: float
    concurrency: int
    goal: float

    @property
    def ideal(self) -> float:
        """Return calls per second at no overhead."""
        return self.concurrency / self.latency_ms * 1000.0


LOADS = (Load(latency_ms=200.0, concurrency=512, goal=0.97), Load(latency_ms=50.0, concurrency=256, goal=0.90))
MOST_CPU = 1.6
"""Goal: at most this multiple of aiohttp's CPU per call. askwell also writes a log, retries, limits and grades."""


class Worker:
    """A contestant's process."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.engine.contestants", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "OPENAI_API_KEY": "none"},
        )

    def run(self, server: BenchServer, *, calls: int, concurrency: int) -> dict[str, Any]:
        """Measure one job; `missing` names a package that is not installed, `failed` says that the process died."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        job = {"base_url": server.base_url, "calls": calls, "concurrency": concurrency}
        try:
            self._process.stdin.write(json.dumps(job) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return {"failed": "its process has ended"}
        line = self._process.stdout.readline()
        return json.loads(line) if line else {"failed": f"exit status {self._process.wait()}"}

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()


def measure(names: list[str], load: Load, *, rounds: int, scale: float) -> dict[str, list[dict[str, Any]]]:
    """Run the contestants in turn, beginning with another one each round; return each round's figures."""
    figures: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    with bench_server(latency_ms=load.latency_ms) as server:
        workers = [Worker(name) for name in names]
        try:
            for worker in workers:
                worker.run(server, calls=8 * len(INSTRUCTIONS), concurrency=8)
            for number in range(rounds):
                turn = number % len(workers)
                for worker in (*workers[turn:], *workers[:turn]):
                    waves = (40 if worker.name in FAST else 3) * scale
                    calls = max(load.concurrency, int(waves * load.ideal * 0.2))
                    calls -= calls % len(INSTRUCTIONS)
                    before = server.stats()
                    figure = worker.run(server, calls=calls, concurrency=load.concurrency)
                    after = server.stats()
                    figure["served"] = after["requests"] - before["requests"]
                    figure["server_cpu_seconds"] = (after["cpu_ms"] - before["cpu_ms"]) / 1000.0
                    figures[worker.name].append(figure)
                    print(f"  round {number + 1} {worker.name}: {_line(figure, load)}", file=sys.stderr, flush=True)
        finally:
            for worker in workers:
                worker.__exit__(None, None, None)
    return figures


def summary(rounds: list[dict[str, Any]], load: Load) -> dict[str, Any]:
    """Return the medians of one contestant's rounds."""
    wrong = next((figure for figure in rounds if "seconds" not in figure), None)
    if wrong is not None:
        return {key: wrong[key] for key in ("missing", "failed") if key in wrong}
    return {
        "calls": rounds[0]["calls"],
        "calls_per_s": median(figure["calls"] / figure["seconds"] for figure in rounds),
        "of_ideal": median(figure["calls"] / figure["seconds"] for figure in rounds) / load.ideal,
        "cpu_ms_per_call": median(figure["cpu_seconds"] * 1000.0 / figure["calls"] for figure in rounds),
        "server_cpu_ms_per_call": median(figure["server_cpu_seconds"] * 1000.0 / figure["calls"] for figure in rounds),
        "peak_mb": median(figure["peak_mb"] for figure in rounds),
        "requests_per_call": median(figure["served"] / figure["calls"] for figure in rounds),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a quarter of the calls, two rounds")
    parser.add_argument("--only", nargs="+", choices=sorted(CONTESTANTS), help="these contestants only")
    parser.add_argument("--json", dest="file", type=Path, help="write all figures to this file")
    options = parser.parse_args()
    names = options.only or list(CONTESTANTS)
    rounds, scale = (min(2, options.rounds), 0.25) if options.quick else (options.rounds, 1.0)
    everything: list[dict[str, Any]] = []
    for load in LOADS:
        print(f"{load.latency_ms:g} ms, {load.concurrency} in flight:", file=sys.stderr, flush=True)
        figures = measure(names, load, rounds=rounds, scale=scale)
        medians = {name: summary(each, load) for name, each in figures.items()}
        everything.append(
            {"latency_ms": load.latency_ms, "concurrency": load.concurrency, "medians": medians, "rounds": figures}
        )
        _print_table(load, medians, rounds)
    if options.file:
        options.file.write_text(json.dumps(everything, indent=1), encoding="utf-8")
    return 0


def _print_table(load: Load, medians: dict[str, dict[str, Any]], rounds: int) -> None:
    print(
        f"\n{load.latency_ms:g} ms, {load.concurrency} in flight, ideal {load.ideal:,.0f} calls/s; "
        f"medians of {rounds}\n"
    )
    print("| client | calls/s | of ideal | CPU ms/call | server's | peak MB |\n|---|---|---|---|---|---|")
    for name, figure in medians.items():
        if "calls" not in figure:
            print(f"| {name} | {figure} | | | | |")
            continue
        print(
            f"| {name} | {figure['calls_per_s']:,.0f} | {figure['of_ideal']:.1%} | {figure['cpu_ms_per_call']:.3f} | "
            f"{figure['server_cpu_ms_per_call']:.3f} | {figure['peak_mb']:.0f} |"
        )
    ours, theirs = (medians.get(name, {}) for name in ("askwell", "aiohttp"))
    if "calls" in ours and "calls" in theirs:
        rate, cpu = (ours[column] / theirs[column] for column in ("calls_per_s", "cpu_ms_per_call"))
        print(
            f"\naskwell / aiohttp: {rate:.2f} of the calls/s (goal: {load.goal:.2f}), "
            f"{cpu:.2f} times the CPU per call (goal: at most {MOST_CPU:.1f})"
        )
    print(flush=True)


def _line(figure: dict[str, Any], load: Load) -> str:
    if "seconds" not in figure:
        return str(figure)
    rate, cpu = figure["calls"] / figure["seconds"], figure["cpu_seconds"] * 1000.0 / figure["calls"]
    return f"{rate:,.0f} calls/s ({rate / load.ideal:.1%}), {cpu:.3f} ms CPU per call"


if __name__ == "__main__":
    sys.exit(main())
