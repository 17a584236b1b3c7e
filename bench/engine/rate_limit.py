"""Measure how much of a server's rate limit is used, and how many requests are refused and lost; beside other clients.

Command:  python -m bench.engine.rate_limit [--requests 6000] [--rounds 5] [--jobs 4] [--quick] [--only askwell openai]
                                            [--limiters "fixed window 1 s"] [--json FILE]

A real HTTP server (`server.c`, so that its own CPU does not limit the result) accepts 300 requests per second and
answers the others with 429. It limits by a fixed window of one or ten seconds, a sliding one, or a bucket with a burst
of 300 or 20; with and without Retry-After; at 20 and 200 ms of latency, also for refusals; with 128 requests in flight.
That makes 20 servers. Every client gets the same requests and may make ten attempts for each (askwell counts a refusal
as an attempt only after two minutes, because it then waits for all calls: see `Retrying`). Lost are the requests that a
client gave up.

"Kept" is accepted requests per second over 300 (a burst at the start may lift it above 1). Figures are medians of the
rounds, each of which begins at another moment of the server's window; lost is the sum. "Of it at first" is the share
refused within a second of the first refusal: the price of finding the limit.

`--jobs` measurements run side by side, each client in its own process (askwell needs about a tenth of a core at 300
requests per second, the others more): five rounds of one client take ten minutes with four. `--quick` measures two
servers, one round of 1,800 requests.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import aiohttp
from bench.engine.server import Limit, bench_server

from askwell.core.types import Message, Request
from askwell.models.providers.openai import OpenAIModel
from askwell.models.wrappers.limited import Limited
from askwell.models.wrappers.retry import Retrying

RATE, IN_FLIGHT, ATTEMPTS = 300.0, 128, 10
LIMITS = {
    "fixed window 1 s": Limit(per_second=RATE, limiter="fixed"),
    "fixed window 10 s": Limit(per_second=RATE, limiter="fixed", span_s=10.0),
    "sliding window 1 s": Limit(per_second=RATE, limiter="sliding"),
    "bucket, burst 300": Limit(per_second=RATE, limiter="bucket"),
    "bucket, burst 20": Limit(per_second=RATE, limiter="bucket", span_s=20 / RATE),
}
Client = Callable[[str, int], Awaitable[int]]
"""(base URL, number of requests) -> how many were answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One client on one server."""

    client: str
    limiter: str
    latency_ms: float
    says_when: bool
    kept: float
    refused_share: float
    refused_first_share: float
    lost: int


async def in_parallel(ask: Callable[[str], Awaitable[bool]], requests: int) -> int:
    todo = iter(range(requests))

    async def work() -> int:
        return sum([await ask(f"question {number}") for number in todo])

    return sum(await asyncio.gather(*(work() for _ in range(IN_FLIGHT))))


async def askwell(base_url: str, requests: int) -> int:
    model = Retrying(Limited(OpenAIModel("tiny", base_url=base_url), max_concurrency=IN_FLIGHT), max_attempts=ATTEMPTS)

    async def ask(text: str) -> bool:
        completion = await model.complete(Request(messages=(Message(role="user", content=text),)))
        return completion.outcome == "ok"

    try:
        return await in_parallel(ask, requests)
    finally:
        await model.aclose()


async def naive(base_url: str, requests: int) -> int:
    """Use the common recipe: exponential back-off with full jitter, Retry-After obeyed."""
    rng = random.Random(0)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask(text: str) -> bool:
            body = {"model": "tiny", "messages": [{"role": "user", "content": text}]}
            for attempt in range(ATTEMPTS):
                async with session.post(f"{base_url}/chat/completions", json=body) as answer:
                    if answer.status == 200:
                        await answer.read()
                        return True
                    wait = float(answer.headers.get("Retry-After", 0))
                await asyncio.sleep(wait + rng.uniform(0, min(30.0, 0.5 * 2**attempt)))
            return False

        return await in_parallel(ask, requests)


async def openai(base_url: str, requests: int) -> int:
    import openai as library

    async with library.AsyncOpenAI(base_url=base_url, api_key="none", max_retries=ATTEMPTS - 1) as client:

        async def ask(text: str) -> bool:
            try:
                await client.chat.completions.create(model="tiny", messages=[{"role": "user", "content": text}])
            except library.RateLimitError:
                return False
            return True

        return await in_parallel(ask, requests)


async def litellm(base_url: str, requests: int) -> int:
    import litellm as library

    async def ask(text: str) -> bool:
        try:
            await library.acompletion(
                model="openai/tiny",
                api_base=base_url,
                api_key="none",
                messages=[{"role": "user", "content": text}],
                num_retries=ATTEMPTS - 1,
            )
        except library.exceptions.RateLimitError:
            return False
        return True

    return await in_parallel(ask, requests)


CLIENTS: dict[str, Client] = {"askwell": askwell, "naive": naive, "openai": openai, "litellm": litellm}


def measure(client: str, kind: str, latency_ms: float, says_when: bool, requests: int) -> Measured:
    logging.disable(logging.WARNING)
    limit = replace(LIMITS[kind], says_when=says_when)
    with bench_server(latency_ms=latency_ms, limit=limit) as server:
        time.sleep(random.uniform(0.0, limit.span_s))
        begun = time.perf_counter()
        answered = asyncio.run(_run(CLIENTS[client], server.base_url, requests))
        seconds = time.perf_counter() - begun
        counted = server.stats()
    return Measured(
        client=client,
        limiter=kind,
        latency_ms=latency_ms,
        says_when=says_when,
        kept=answered / seconds / RATE,
        refused_share=counted["refused"] / counted["requests"],
        refused_first_share=counted["refused_first"] / counted["requests"],
        lost=requests - answered,
    )


async def _run(client: Client, base_url: str, requests: int) -> int:
    return await client(base_url, requests)


def over_rounds(rounds: Sequence[Measured]) -> Measured:
    return replace(
        rounds[0],
        kept=median(each.kept for each in rounds),
        refused_share=median(each.refused_share for each in rounds),
        refused_first_share=median(each.refused_first_share for each in rounds),
        lost=sum(each.lost for each in rounds),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--requests", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", choices=sorted(CLIENTS), default=sorted(CLIENTS))
    parser.add_argument("--limiters", nargs="+", choices=list(LIMITS), default=list(LIMITS))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    requests, rounds = (1800, 1) if options.quick else (options.requests, options.rounds)
    servers = list(product(options.limiters, (20.0, 200.0), (True, False)))
    rows = [(client, *server) for server in (servers[:2] if options.quick else servers) for client in options.only]
    print(
        "| limiter | latency | Retry-After | client | kept | refused | of it at first | lost |",
        "|---|---|---|---|---|---|---|---|",
        sep="\n",
    )
    measured: list[Measured] = []
    # One process per measurement, so that no client inherits what another left behind.
    with ProcessPoolExecutor(options.jobs, max_tasks_per_child=1, mp_context=get_context("spawn")) as pool:
        pending = [[pool.submit(measure, *server, requests) for _ in range(rounds)] for server in rows]
        for of_row in pending:
            of_rounds = [future.result() for future in of_row]
            row = over_rounds(of_rounds)
            measured += of_rounds
            print(
                f"| {row.limiter} | {row.latency_ms:g} ms | {'yes' if row.says_when else 'no'} | {row.client} | "
                f"{row.kept:.1%} | {row.refused_share:.1%} | {row.refused_first_share:.1%} | {row.lost} |",
                flush=True,
            )
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in measured], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
