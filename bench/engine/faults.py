"""What becomes of every fault a provider can have: 1,000 calls for each, against a real server that always has it.

    python -m bench.engine.faults [--calls 1000] [--json FILE]

A row is right when outcome, fault class and number of tries are what docs/outcomes.md says, for every call; no fault
may come back as an answer to be scored. (A request sent on a connection that is just being cut may escape the server's
count: up to a tenth may be missing there.) Exit status 1 if a row is wrong. About a minute.
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

TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fault: what came of all calls with it."""

    fault: str
    outcome: str
    fault_class: str
    requests_per_call: float
    calls: int
    as_written: bool


async def ask_all(base_url: str, calls: int) -> list[Completion]:
    bare = OpenAIModel("tiny", base_url=base_url, timeout_s=0.5)
    model = Retrying(bare, max_attempts=TRIES, base_s=0.001, cap_s=0.002)
    room = asyncio.Semaphore(64)  # `Limited` would slow down for the refusals: that is bench/engine/rate_limit.py

    async def ask(number: int) -> Completion:
        async with room:
            return await model.complete(Request(messages=(Message(role="user", content=f"question {number}"),)))

    found = await asyncio.gather(*(ask(number) for number in range(calls)))
    await model.aclose()
    return found


def row(fault: Fault, calls: int) -> Row:
    """Ask a server that always has this fault."""
    with chat_server(faults=always(fault), retry_after="0.001", lifetime_s=3600.0) as server:
        found = asyncio.run(ask_all(server.base_url, calls))
        sent = sum(count for body, count in server.requests.items() if "question" in body)
    kinds = Counter((one.outcome, one.fault) for one in found)
    (outcome, fault_class), _ = kinds.most_common(1)[0]
    tries = 1 if outcome != "failed" or fault_class in FINAL_FAULTS else TRIES
    return Row(
        fault=fault,
        outcome=outcome,
        fault_class=fault_class,
        requests_per_call=sent / calls,
        calls=calls,
        as_written=kinds == {FAULT_OUTCOMES[fault]: calls} and 0.9 * tries * calls <= sent <= tries * calls,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows: list[Row] = []
    print("| fault | outcome | fault class | requests a call | calls | as written |\n|---|---|---|---|---|---|")
    for fault in FAULT_OUTCOMES:
        rows.append(one := row(fault, options.calls))
        right = "yes" if one.as_written else "NO"
        cells = (one.fault, one.outcome, one.fault_class or "–", f"{one.requests_per_call:.2f}", str(one.calls), right)
        print("| " + " | ".join(cells) + " |", flush=True)
    if options.json:
        found: list[dict[str, Any]] = [asdict(one) for one in rows]
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0 if all(one.as_written for one in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
