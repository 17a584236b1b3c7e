"""Kill a run at random moments, resume it each time, and compare its log with that of an uninterrupted run.

Command:  python -m bench.kill_resume [--kills 100] [--seed 0]        # about 4 minutes

A real process (`python -m askwell optimize`) runs against a real HTTP server whose answers depend on the request alone.
Half of the kills hit a run that scores every candidate in full, half one that races them. Each kill is a SIGKILL at a
random answer of the server or a few random milliseconds later: a sixth of the kills each in test scoring, optimizer
calls, dev scoring, first events, anywhere, and after the last answer, while the result is written. Then `--resume`
follows, half of the time through another address of the same server. Counted are final logs that equal that of the
uninterrupted run (position, kind, key, body of every event), and calls that were in the log at the kill and were made
again. The exit status is 1 if a log differs or a call was repeated.
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
    interruptions: list[Interruption] = []
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder, killing_server(lifetime_s=7200.0) as killer:
        for kind, more in RUNS.items():
            workdir = Path(folder) / kind
            workdir.mkdir()
            whole = uninterrupted_run(killer, workdir, more=more)
            points = kill_points(whole, options.kills // len(RUNS), rng)
            for number, point in enumerate(points, 1):
                kill = interrupted_run(killer, workdir, whole, point, name=f"killed-{number}", more=more)
                interruptions.append(kill)
                same = "equal" if kill.is_equal else f"DIFFERENT ({kill.difference})"
                print(
                    f"{len(interruptions):3d}/{options.kills}  {kind} run killed {kill.moment:<22} "
                    f"{kill.events_at_kill:4d} of {len(whole)} events, {kill.completed_calls:4d} calls done: "
                    f"log {same}, {kill.repeated_calls} repeated",
                    flush=True,
                )
    return _sum_up(interruptions, seconds=time.monotonic() - begun)


def _sum_up(interruptions: list[Interruption], *, seconds: float) -> int:
    equal = sum(kill.is_equal for kill in interruptions)
    repeated = sum(kill.repeated_calls for kill in interruptions)
    moments = ", ".join(
        f"{count} {moment}" for moment, count in Counter(kill.moment for kill in interruptions).most_common()
    )
    print(f"\n{len(interruptions)} kills ({moments}), {seconds:.0f} s")
    print(f"final log equal to the uninterrupted run: {equal} of {len(interruptions)}")
    print(f"completed calls made again: {repeated} of {sum(kill.completed_calls for kill in interruptions)}")
    return 0 if equal == len(interruptions) and not repeated else 1


if __name__ == "__main__":
    sys.exit(main())
