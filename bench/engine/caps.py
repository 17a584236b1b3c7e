"""Compare randomized runs with their caps and their plans.

Command:  python -m bench.engine.caps [--runs 200] [--seed 0]        # 15 seconds

Each run samples an optimizer, sizes, repeats, a share of failing calls, the number of calls in flight, and caps from
far too small to never reached. It runs on simulated models whose replies are at times as long as they may be. Counted
are caps exceeded by more than the calls in flight (the cap on calls: at all), and plans whose worst case was exceeded
in calls, tokens or money of either model. The exit status is 1 if there is one.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections import Counter

from tests.support.capped_runs import CappedRun, capped_run


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    logging.disable(logging.WARNING)  # replies without a prompt are part of the simulation
    begun = time.monotonic()
    runs = [capped_run(1_000_003 * options.seed + number) for number in range(options.runs)]
    broken = [run for run in runs if run.broken]
    for run in broken:
        print(f"{run.what}: {'; '.join(run.broken)}")
    print(f"{len(runs)} runs in {time.monotonic() - begun:.0f} s: {dict(Counter(run.ended for run in runs))}")
    print(f"stopped by a cap: {sum(map(_was_cut, runs))}; caps or plans exceeded: {len(broken)}")
    used = sorted(_share_of_worst(run) for run in runs)
    print(json.dumps({
        "runs": len(runs),
        "broken": len(broken),
        "cut": sum(map(_was_cut, runs)),
        "calls_of_worst_case_median": round(used[len(used) // 2], 3),
        "calls_of_worst_case_most": round(used[-1], 3),
    }))  # fmt: skip
    return 1 if broken else 0


def _was_cut(run: CappedRun) -> bool:
    return "cap" in run.reason or run.ended != "finished"


def _share_of_worst(run: CappedRun) -> float:
    worst = sum(model.worst.calls for model in run.plan.models)
    return (run.target.calls + run.optimizer.calls) / worst


if __name__ == "__main__":
    sys.exit(main())
