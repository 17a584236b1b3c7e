"""Kill a run at random moments, resume each, and compare with the run that was left alone.

    python -m bench.kill_resume [--kills 50] [--seed 0]

A real process (`python -m askwell optimize`) against a real HTTP server whose answers depend on the request alone.
For each kill: SIGKILL at a random answer of the server or a few random milliseconds later (a fifth of the kills each in
test scoring, optimizer calls, dev scoring, first events, anywhere), then `--resume`, half of the time through another
address of the same server. Counted: final logs that equal the one of the
uninterrupted run (position, kind, key, body of every event), and calls that were in the log at the kill and were made
again. Exit status 1 if a log differs or a call was repeated.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.e2e.killing import Interruption, interrupted_run, kill_points, killing_server, uninterrupted_run


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    begun = time.monotonic()
    found: list[Interruption] = []
    with tempfile.TemporaryDirectory() as folder, killing_server(lifetime_s=7200.0) as killer:
        place = Path(folder)
        whole = uninterrupted_run(killer, place)
        points = kill_points(whole, options.kills, random.Random(options.seed))
        for number, point in enumerate(points, 1):
            one = interrupted_run(killer, place, whole, point, name=f"killed-{number}")
            found.append(one)
            same = "equal" if one.is_equal else f"DIFFERENT ({one.difference})"
            print(
                f"{number:3d}/{options.kills}  killed {one.moment:<22} {one.events_at_kill:4d} of {len(whole)} events, "
                f"{one.completed_calls:4d} calls done: log {same}, {one.repeated_calls} repeated",
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
