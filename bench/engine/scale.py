"""Measure what a large run log costs: writing it, opening and folding it, reporting it.

Command:  python -m bench.engine.scale [--sizes 10000 100000 1000000] [--repeats 5] [--folder DIR]        # 5 minutes

Writes logs as runs do: 500 dev examples, eight prompts per step, replies of about 200 characters, a request key for
each rollout. Each figure is the median of fresh processes; seconds are wall time and CPU time.

    append  encode rollouts and write them in groups of 512, each durable (fsync) before the next
    open    as a resumed run does: open for writing, read every request key, fold the trajectory with every candidate's
            score on every example
    report  as `askwell show` does: scores with intervals, curve, spend
    MB      peak resident memory of that process
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from askwell.core.types import Candidate, Completion, Event, Example, Prompt, Proposal, Rollout, Score, Usage
from askwell.report.run_report import build_report
from askwell.runlog.codec import (
    FORMAT,
    encode_candidate,
    encode_example,
    encode_prompt,
    encode_proposal,
    encode_rollout,
)
from askwell.runlog.fold import fold
from askwell.runlog.store import SqliteStore

EXAMPLES, PROMPTS_PER_STEP, GROUP = 500, 8, 512
TEXT = "the number of apples is counted one by one so that we get first then after adding finally answer"
WORDS = TEXT.split(" ")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="folder for the logs (default: a temporary one)")
    parser.add_argument("--stage", choices=sorted(STAGES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        print(json.dumps(STAGES[options.stage](options.folder, options.sizes[0])))
        return
    folder = Path(tempfile.mkdtemp(dir=options.folder, prefix="askwell-scale-"))
    try:
        rows = [_measure(folder / str(size), size, options.repeats) for size in options.sizes]
    finally:
        shutil.rmtree(folder)
    _print(rows)


def _measure(folder: Path, size: int, repeats: int) -> dict[str, Any]:
    values_by_name: dict[str, list[float]] = {}
    for repeat in range(repeats):
        log = folder / str(repeat)
        for stage in ("append", "open", "report"):
            for name, value in _in_a_fresh_process(stage, log, size).items():
                values_by_name.setdefault(name, []).append(value)
        shutil.rmtree(log)
    return {"rollouts": size, **{name: statistics.median(values) for name, values in values_by_name.items()}}


def _in_a_fresh_process(stage: str, log: Path, size: int) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.engine.scale", "--stage", stage, "--folder", str(log), "--sizes", str(size)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def append(folder: Path, size: int) -> dict[str, float]:
    """Write a log of this number of rollouts. Generating them is not timed; encoding them is."""
    spent = spent_cpu = 0.0
    all_prompts = [
        Prompt(instruction=f"Think about step {number}. " + " ".join(WORDS)) for number in range(size // EXAMPLES)
    ]
    with SqliteStore(folder / "log.db") as store:
        store.append(_opening(all_prompts))
        position = 1 + EXAMPLES + len(all_prompts)
        for step, first in enumerate(range(0, len(all_prompts), PROMPTS_PER_STEP)):
            prompts = all_prompts[first : first + PROMPTS_PER_STEP]
            proposals = [encode_proposal(Proposal(prompt=prompt)) for prompt in prompts]
            store.append([Event(position=position, kind="proposals", body={"step": step, "proposals": proposals})])
            position += 1
            made = _rollouts(step, prompts)
            while group := list(islice(made, GROUP)):
                begun, begun_cpu = time.perf_counter(), time.process_time()
                store.append(
                    Event(position=position + index, kind="rollout", body=encode_rollout(rollout), key=key, seconds=0.5)
                    for index, (rollout, key) in enumerate(group)
                )
                spent += time.perf_counter() - begun
                spent_cpu += time.process_time() - begun_cpu
                position += len(group)
            bodies = [
                encode_candidate(Candidate(step=step, prompt=prompt, score=0.5, n=EXAMPLES)) for prompt in prompts
            ]
            store.append([Event(position=position, kind="step", body={"step": step, "candidates": bodies})])
            position += 1
    return {
        "append_s": spent,
        "append_cpu_s": spent_cpu,
        "log_mb": sum(path.stat().st_size for path in folder.iterdir()) / 1e6,
    }


def open_and_fold(folder: Path, size: int) -> dict[str, float]:
    """Open the log and rebuild the history."""
    begun, begun_cpu = time.perf_counter(), time.process_time()
    with SqliteStore(folder / "log.db") as store:
        history = fold(store).trajectory
        seconds, seconds_cpu = time.perf_counter() - begun, time.process_time() - begun_cpu
    scored = sum(len(candidate.example_scores) for candidate in history.candidates)
    assert scored == size // EXAMPLES * EXAMPLES, scored
    return {"open_s": seconds, "open_cpu_s": seconds_cpu, "open_mb": _resident_mb()}


def show(folder: Path, size: int) -> dict[str, float]:
    """Compute what `askwell show` prints."""
    begun, begun_cpu = time.perf_counter(), time.process_time()
    with SqliteStore(folder / "log.db", read_only=True) as store:
        summary = build_report(store)
    seconds, seconds_cpu = time.perf_counter() - begun, time.process_time() - begun_cpu
    assert summary is not None
    assert summary.spend["target"].calls == size // EXAMPLES * EXAMPLES
    return {"report_s": seconds, "report_cpu_s": seconds_cpu, "report_mb": _resident_mb()}


STAGES = {"append": append, "open": open_and_fold, "report": show}


def _opening(prompts: list[Prompt]) -> Iterator[Event]:
    yield Event(
        position=0, kind="run", body={"format": FORMAT, "config": {}, "seed": 0, "settings": None, "versions": {}}
    )
    for number in range(EXAMPLES):
        example = Example(id=f"dev-{number}", input=" ".join(WORDS[number % 7 :] * 2), target=str(number))
        yield Event(position=1 + number, kind="example", body=encode_example(example, "dev"))
    for number, prompt in enumerate(prompts):
        yield Event(position=1 + EXAMPLES + number, kind="prompt", body=encode_prompt(prompt))


def _rollouts(step: int, prompts: list[Prompt]) -> Iterator[tuple[Rollout, str]]:
    rng = random.Random(step)
    for prompt in prompts:
        for number in range(EXAMPLES):
            text = " ".join(rng.choices(WORDS, k=40))
            right = rng.random() < 0.6
            score = Score(value=float(right), answer=str(number), note="" if right else "expected another number")
            completion = Completion(text=text, usage=Usage(prompt_tokens=120, completion_tokens=48, cost_usd=1e-4))
            yield (
                Rollout(
                    step=step,
                    split="dev",
                    prompt=prompt,
                    example_id=f"dev-{number}",
                    query="",
                    completion=completion,
                    score=score,
                ),
                f"{rng.getrandbits(128):032x}",
            )


def _resident_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _print(rows: list[dict[str, Any]]) -> None:
    print("  rollouts  append/s       (CPU)   open s  (CPU)   report s  (CPU)   MB open  report  log MB")
    for row in rows:
        size = row["rollouts"]
        print(
            f"{size:>10,} {size / row['append_s']:>9,.0f} ({size / row['append_cpu_s']:>9,.0f}) "
            f"{row['open_s']:>8.2f} ({row['open_cpu_s']:>5.2f}) {row['report_s']:>9.2f} ({row['report_cpu_s']:>5.2f}) "
            f"{row['open_mb']:>8.0f} {row['report_mb']:>7.0f} {row['log_mb']:>7.0f}"
        )
    first, last = rows[0], rows[-1]
    ratios = {
        name: round((last[name] / last["rollouts"]) / (first[name] / first["rollouts"]), 2)
        for name in first
        if name.endswith("_s")
    }
    print(f"cost per rollout at {last['rollouts']:,} over that at {first['rollouts']:,}: {ratios}")
    print(json.dumps({"rows": rows, "ratios": ratios}))


if __name__ == "__main__":
    main()
