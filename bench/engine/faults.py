"""Measure what each fault of a provider becomes: 1,000 calls each, against a real server that always has it.

Command:  python -m bench.engine.faults [--calls 1000] [--json FILE]        # about a minute

A row is right if outcome, fault class and number of attempts are those of docs/outcomes.md, for every call; no fault
may be returned as an answer to score. (The server may not count a request on a connection that is just being cut: there
up to a tenth may be missing.) The exit status is 1 if a row is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.support.servers import FAULT_OUTCOMES, Fault, always, chat_server

from askwell.core.types import FINAL_FAULTS, Completion, Message, Request
from askwell.models.providers.openai import OpenAIModel
from askwell.models.wrappers.retry import Retrying

ATTEMPTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fault, and the outcome of all calls with it."""

    fault: str
    outcome: str
    fault_class: str
    requests_per_call: float
    calls: int
    as_written: bool


async def call_all(base_url: str, calls: int) -> list[Completion]:
    bare = OpenAIModel("tiny", base_url=base_url, timeout_s=0.5)
    model = Retrying(bare, max_attempts=ATTEMPTS, base_s=0.001, cap_s=0.002)
    slots = asyncio.Semaphore(64)  # `Limited` would slow down after refusals, which rate_limit.py measures

    async def ask(number: int) -> Completion:
        async with slots:
            return await model.complete(Request(messages=(Message(role="user", content=f"question {number}"),)))

    completions = await asyncio.gather(*(ask(number) for number in range(calls)))
    await model.aclose()
    return completions


def measure(fault: Fault, calls: int) -> Row:
    """Call a server that always has this fault."""
    with chat_server(faults=always(fault), retry_after="0.001", lifetime_s=3600.0) as server:
        completions = asyncio.run(call_all(server.base_url, calls))
        sent = sum(count for body, count in server.requests.items() if "question" in body)
    kinds = Counter((completion.outcome, completion.fault) for completion in completions)
    (outcome, fault_class), _ = kinds.most_common(1)[0]
    attempts = 1 if outcome != "failed" or fault_class in FINAL_FAULTS else ATTEMPTS
    return Row(
        fault=fault,
        outcome=outcome,
        fault_class=fault_class,
        requests_per_call=sent / calls,
        calls=calls,
        as_written=kinds == {FAULT_OUTCOMES[fault]: calls} and 0.9 * attempts * calls <= sent <= attempts * calls,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows: list[Row] = []
    print("| fault | outcome | fault class | requests per call | calls | as written |\n|---|---|---|---|---|---|")
    for fault in FAULT_OUTCOMES:
        rows.append(row := measure(fault, options.calls))
        right = "yes" if row.as_written else "NO"
        cells = (row.fault, row.outcome, row.fault_class or "–", f"{row.requests_per_call:.2f}", str(row.calls), right)
        print("| " + " | ".join(cells) + " |", flush=True)
    if options.json:
        bodies: list[dict[str, Any]] = [asdict(row) for row in rows]
        options.json.write_text(json.dumps(bodies, indent=1) + "\n", encoding="utf-8")
    return 0 if all(row.as_written for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
