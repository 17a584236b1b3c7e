"""The jobs behind the golden logs: command lines, and the server that one of them talks to."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from askwell.core.types import Event
from tests.support.harness import CONFIG, OPTIMIZER, START, SUMS, digest, events, invoke, optimize_flags, serving
from tests.support.servers import Fault

FOLDER = Path(__file__).parent
Row = dict[str, Any]
"""An event without its times: position, kind, key and body."""
UNORDERED = 1 << 40
"""Where positions begin of events outside the run's fixed order, such as calls that failed for good."""

DEMO = ("demo", "--act", "1", "--steps", "3", "--seed", "0")
EVALUATION = (
    "evaluate", "--data", "pocket:numbers_even", "--limit", "60", "--target", "pocket", "--metric", "number",
    "--prompt", "Answer the question.", "--prompt", "How many of these numbers are even?", "--run", "evaluation",
)  # fmt: skip
HTTP = ("--run", "http", "--max-attempts", "2", "--steps", "2", "--candidates", "6", "--seed", "4")
"""Added to the flags that the end-to-end tests share."""
QUESTIONS: list[str] = [example["input"] for example in json.loads(SUMS.read_text(encoding="utf-8"))["examples"]]
DEV_QUESTION, TEST_QUESTION = QUESTIONS[24], QUESTIONS[5]
"""What gets no answer: the first under any prompt, the second under the initial one."""
PASSING: tuple[Fault, ...] = ("429", "500", "malformed_json", "cut")


def run_demo(runs: Path) -> list[Row]:
    """Play the demo's first act: default optimizer, racing and demonstrations, bundled models."""
    return _logged(runs, *DEMO)


def run_evaluation(runs: Path) -> list[Row]:
    """Score two prompts with the bundled model."""
    return _logged(runs, *EVALUATION)


def run_http(runs: Path) -> list[Row]:
    """Optimize over HTTP: a quarter of the requests fails once, a few never succeed."""
    config = runs / "http.toml"
    config.write_text(f"{CONFIG.read_text(encoding='utf-8')}\n[run]\nmax_missing = 0.2\n", encoding="utf-8")
    with serving(faults=_faults) as server:
        flags = optimize_flags(server, optimizer=f"openai:{OPTIMIZER}")[1:]
        return _logged(runs, "optimize", str(config), *flags, *HTTP)


JOBS: dict[str, Callable[[Path], list[Row]]] = {"demo": run_demo, "evaluation": run_evaluation, "http": run_http}


def read_golden(name: str) -> list[Row]:
    """Read a golden log."""
    with gzip.open(FOLDER / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def write_golden(name: str, rows: list[Row]) -> None:
    """Write a golden log; equal rows give equal bytes."""
    lines = "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows)
    (FOLDER / f"{name}.jsonl.gz").write_bytes(gzip.compress(lines.encode(), mtime=0))


def _logged(runs: Path, *arguments: str) -> list[Row]:
    run = invoke(*arguments, "--runs", runs)
    assert run.status == 0, run.err
    [log] = runs.glob("*/log.db")
    ordered = [event for event in events(log) if event.position < UNORDERED]
    unordered = [_row(event) | {"position": UNORDERED} for event in events(log) if event.position >= UNORDERED]
    # Their positions are the order in which they arrived, which differs from run to run.
    return [*map(_row, ordered), *sorted(unordered, key=lambda row: json.dumps(row, sort_keys=True))]


def _row(event: Event) -> Row:
    return {"position": event.position, "kind": event.kind, "key": event.key, "body": _compared(event)}


def _compared(event: Event) -> Row:
    """Return the part of a body that has to stay equal: of a run's header, the seed alone."""
    body = cast("Row", json.loads(json.dumps(event.body)))
    return {"seed": body["seed"]} if event.kind == "run" else body


def _faults(body: str, repeat: int) -> Fault | None:
    if DEV_QUESTION in body or (TEST_QUESTION in body and START in body):
        return "500"
    # The body holds no address and no time, so that the same requests fail in every run.
    dice = digest(body)
    return PASSING[dice // 4 % len(PASSING)] if repeat == 0 and dice % 4 == 0 else None
