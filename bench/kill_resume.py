"""Kill a run at random moments, resume each, and compare with the run that was left alone.

    python -m bench.kill_resume [--kills 100] [--seed 0]

A real process (`python -m askwell optimize`) against a real HTTP server whose answers depend on the request alone; half
of the kills hit a run that scores every candidate in full, half one that races them. For each kill: SIGKILL at a random
answer of the server or a few random milliseconds later (a sixth of the kills each in test scoring, optimizer calls, dev
scoring, first events, anywhere, and after the last answer, while the result is written), then `--resume`, half of the
time through another address of the same server. Counted: final logs that equal the one of the uninterrupted run
(position, kind, key, body of every event), and calls that were in the log at the kill and were made again. Exit status
1 if a log differs or a call was repeated. About 4 minutes.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.support.killing import Interruption, interrupted_run, kill_points, killing_server, uninterrupted_run

RUNS = {"plain": (), "racing": ("--racing", "askwell", "--dev", "22", "--candidates", "4")}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    begun = time.monotonic()
    found: list[Interruption] = []
    dice = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder, killing_server(lifetime_s=7200.0) as killer:
        for kind, more in RUNS.items():
            place = Path(folder) / kind
            place.mkdir()
            whole = uninterrupted_run(killer, place, more=more)
            points = kill_points(whole, options.kills // len(RUNS), dice)
            for number, point in enumerate(points, 1):
                one = interrupted_run(killer, place, whole, point, name=f"killed-{number}", more=more)
                found.append(one)
                same = "equal" if one.is_equal else f"DIFFERENT ({one.difference})"
                print(
                    f"{len(found):3d}/{options.kills}  {kind} run killed {one.moment:<22} "
                    f"{one.events_at_kill:4d} of {len(whole)} events, {one.completed_calls:4d} calls done: "
                    f"log {same}, {one.repeated_calls} repeated",
                    flush=True,
                )
    return _sum_up(found, seconds=time.monotonic() - begun)


def _sum_up(found: list[Interruption], *, seconds: float) -> int:
    equal = sum(one.is_equal for one in found)
    repeated = sum(one.repeated_calls for one in found)
    moments = ", ".join(f"{count} {moment}" for moment, count in Counter(one.moment for one in found).most_common())
    print(f"\n{len(found)} kills ({moments}), {seconds:.0f} s")
    print(f"final log equal to the uninterrupted run: {equal} of {len(found)}")
    print(f"completed calls made again: {repeated} of {sum(one.completed_calls for one in found)}")
    return 0 if equal == len(found) and not repeated else 1


if __name__ == "__main__":
    sys.exit(main())
