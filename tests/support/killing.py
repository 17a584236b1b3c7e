"""Kill a run, resume it, compare: used by a test on every run of CI and by `bench/kill_resume.py`.

The server kills: at the n-th answer, or a few random milliseconds after it. So the kills come where they are meant to,
however fast the machine is, with calls answered, on their way and waiting.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from askwell.core.types import Event
from tests.support.harness import (
    OPTIMIZER,
    Answerer,
    answered,
    askwell,
    calls_logged,
    calls_seen,
    events,
    is_check,
    optimize_flags,
    start,
)
from tests.support.servers import ChatServer, chat_server

_LATENCY_S = 0.02
_WAY_OUT_S = 0.2
_FLAGS = ("--concurrency", "6", "--dev", "10", "--candidates", "3")


@dataclass(frozen=True, slots=True, kw_only=True)
class KillPoint:
    """When to kill: `delay_s` after the n-th answer (0: after the log's file is there)."""

    answers: int
    delay_s: float
    moves: bool
    """Whether to resume at another address of the server."""


@dataclass(slots=True)
class Killer:
    """A server, and the trigger in it."""

    server: ChatServer = field(default_factory=ChatServer)
    kill: Callable[[], None] = lambda: None
    left: int = 0
    delay_s: float = 0.0

    def arm(self, process: subprocess.Popen[str], point: KillPoint) -> None:
        self.kill = process.kill  # which does nothing to a process that has ended
        self.left, self.delay_s = max(1, point.answers), point.delay_s if point.answers else 0.0

    def answered(self) -> None:
        """Called in the server, just before each answer."""
        self.left -= 1
        if self.left == 0 and self.delay_s:
            asyncio.get_running_loop().call_later(self.delay_s, self.kill)
        elif self.left == 0:
            self.kill()


@dataclass(frozen=True, slots=True, kw_only=True)
class Interruption:
    """What became of one killed and resumed run."""

    moment: str
    events_at_kill: int
    completed_calls: int
    repeated_calls: int
    difference: str
    """Empty if the final log equals the uninterrupted one."""

    @property
    def is_equal(self) -> bool:
        return not self.difference


@contextmanager
def killing_server(*, lifetime_s: float = 600.0) -> Generator[Killer]:
    """Serve the target and the optimizer model; each call takes a little while."""
    answerer, killer = Answerer.of(), Killer()

    def transform(body: dict[str, Any]) -> None:
        killer.answered()
        answerer.note(body)

    options: dict[str, Any] = {"models": ("tiny", OPTIMIZER), "latency_s": _LATENCY_S, "lifetime_s": lifetime_s}
    with chat_server(reply=answerer.reply, transform=transform, **options) as server:
        killer.server = server
        yield killer


def uninterrupted_run(killer: Killer, folder: Path, *, more: Sequence[str] = ()) -> list[Event]:
    """Return the events of the run that is left alone. `more` are flags beside the usual ones."""
    ended = askwell("optimize", *_flags(killer.server), *more, "--run", "whole", cwd=folder)
    assert ended.status == 0, ended.err
    return events(folder / "runs" / "whole" / "log.db")


def kill_points(whole: Sequence[Event], count: int, dice: random.Random) -> list[KillPoint]:
    """Draw kills from each part of a run in turn.

    Test scoring, optimizer calls, dev scoring, first events, any, after the last answer (the result, and the way out).
    """
    paid = sorted(answered(whole), key=lambda event: not is_check(event))  # which come first
    parts = [
        [place for place, event in enumerate(paid, 1) if event.body.get("split") == "test"],
        [place for place, event in enumerate(paid, 1) if event.kind == "call" and not is_check(event)],
        [place for place, event in enumerate(paid, 1) if event.body.get("split") == "dev"],
        [0],
        list(range(len(paid))),
        [len(paid)],
    ]
    slack = [_LATENCY_S] * 5 + [_WAY_OUT_S]
    return [
        KillPoint(
            answers=dice.choice(parts[number % len(parts)]),
            delay_s=dice.choice([0.0, dice.random() * slack[number % len(parts)]]),
            moves=(number + number // len(parts)) % 2 == 1,
        )
        for number in range(count)
    ]


def interrupted_run(
    killer: Killer, folder: Path, whole: Sequence[Event], point: KillPoint, *, name: str, more: Sequence[str] = ()
) -> Interruption:
    """Begin a run, kill it at this point, resume it, and compare its log and calls with what they should be."""
    log, server = folder / "runs" / name / "log.db", killer.server
    server.bodies.clear()
    process = start("optimize", *_flags(server), *more, "--run", name, cwd=folder)
    killer.arm(process, point)
    if not point.answers:
        _kill_when_there(process, log, point.delay_s)
    process.communicate(timeout=60)
    killer.left = 0
    _settled(server)
    before, at_kill = calls_seen(server), _logged(log)
    completed = calls_logged(at_kill)
    failure = _resume(server, folder, name, begun=bool(at_kill), moves=point.moves, more=more)
    after = calls_seen(server)
    return Interruption(
        moment=moment(at_kill),
        events_at_kill=len(at_kill),
        completed_calls=len(completed),
        repeated_calls=sum(after[call] - before[call] for call in completed),
        difference=failure or _difference(whole, _logged(log)),
    )


def moment(log: Sequence[Event]) -> str:
    """Say what a run was at when its log ended here."""
    log = [event for event in log if not is_check(event)]  # they stand behind the ordered events
    done = Counter(event.kind for event in log)
    if not done["example"]:
        return "before the first event"
    if not done["proposals"]:
        return "at the first events"
    if done["result"]:
        return "after the result"
    last = log[-1]
    if last.kind in {"step", "call"}:
        return "in optimizer calls"
    return f"in {last.body['split']} scoring" if last.kind == "rollout" else "before dev scoring"


def _flags(server: ChatServer) -> list[str]:
    return [*optimize_flags(server, optimizer=f"openai:{OPTIMIZER}"), *_FLAGS]


def _resume(server: ChatServer, folder: Path, name: str, *, begun: bool, moves: bool, more: Sequence[str] = ()) -> str:
    """Go on with a run; return what went wrong, if anything. A run without a first event is begun again."""
    url = server.base_url
    if moves and begun:
        url = f"http://localhost:{urlsplit(url).port}/v1"
    flags = ["--base-url", url, "--optimizer-model-base-url", url]
    again = ["--resume", name] if begun else [*_flags(server), *more, "--run", name]
    ended = askwell("optimize", *again, *flags, cwd=folder)
    return "" if ended.status == 0 else f"exit status {ended.status}: {ended.err}"


def _difference(whole: Sequence[Event], final: Sequence[Event]) -> str:
    if len(whole) != len(final):
        return f"{len(final)} events instead of {len(whole)}"
    pairs = zip(whole, final, strict=True)
    return next((f"position {one.position}: {other} instead of {one}" for one, other in pairs if one != other), "")


def _kill_when_there(process: subprocess.Popen[str], log: Path, delay_s: float) -> None:
    """Kill a run that has just begun to write (the server does it at the first answer, should this come late)."""
    while not log.exists() and process.poll() is None:
        time.sleep(0.001)
    time.sleep(delay_s)
    process.kill()


def _count(log: Path) -> int:
    if not log.exists():
        return 0
    try:
        connection = sqlite3.connect(f"{log.as_uri()}?mode=ro", uri=True)
        try:
            return int(connection.execute("SELECT count(*) FROM events").fetchone()[0])
        finally:
            connection.close()
    except sqlite3.OperationalError:  # the table is not there yet
        return 0


def _logged(log: Path) -> list[Event]:
    return events(log) if _count(log) else []


def _settled(server: ChatServer) -> None:
    """Wait until the server has dropped what the killed process had asked."""
    while server.in_flight:
        time.sleep(0.005)
