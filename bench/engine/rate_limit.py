"""How much of a server's rate limit is used, how many requests it refuses, and how many are lost; beside other clients.

    python -m bench.engine.rate_limit [--requests 6000] [--rounds 5] [--quick] [--only askwell openai] [--json FILE]

A real HTTP server that takes 300 requests a second and answers the others with 429, limiting as a fixed window of one
second, a sliding one, or a bucket with a burst of 20; with and without Retry-After; at 20 and 200 ms of latency; 128
requests in flight. Every client gets the same requests and up to ten tries for each; lost are those it gave up. "Kept"
is accepted requests a second over 300 (a burst at the start may lift it above 1). Medians of the rounds. With
`--quick` two servers, one round of 1,800 requests, about two minutes; all of it takes hours: give `--only`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
from aiohttp import web
from tests.models.rate_servers import KINDS
from tests.servers import ChatServer, chat_server, completion, error

from askwell.models.openai import OpenAIModel
from askwell.models.wrappers import Limited, Retrying
from askwell.types import Message, Request

RATE, IN_FLIGHT, TRIES = 300.0, 128, 10
SHOWN = ("fixed window 1 s", "sliding window 1 s", "token bucket, burst 20")
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
    lost: int


async def in_parallel(ask: Callable[[str], Awaitable[bool]], requests: int) -> int:
    todo = iter(range(requests))

    async def work() -> int:
        return sum([await ask(f"question {number}") for number in todo])

    return sum(await asyncio.gather(*(work() for _ in range(IN_FLIGHT))))


async def askwell(base_url: str, requests: int) -> int:
    model = Retrying(Limited(OpenAIModel("tiny", base_url=base_url), max_concurrency=IN_FLIGHT), max_attempts=TRIES)

    async def ask(text: str) -> bool:
        found = await model.complete(Request(messages=(Message(role="user", content=text),)))
        return found.outcome == "ok"

    try:
        return await in_parallel(ask, requests)
    finally:
        await model.aclose()


async def naive(base_url: str, requests: int) -> int:
    """What everybody writes: exponential back-off with full jitter, Retry-After heeded."""
    dice = random.Random(0)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask(text: str) -> bool:
            body = {"model": "tiny", "messages": [{"role": "user", "content": text}]}
            for attempt in range(TRIES):
                async with session.post(f"{base_url}/chat/completions", json=body) as answer:
                    if answer.status == 200:
                        await answer.read()
                        return True
                    wait = float(answer.headers.get("Retry-After", 0))
                await asyncio.sleep(wait + dice.uniform(0, min(30.0, 0.5 * 2**attempt)))
            return False

        return await in_parallel(ask, requests)


async def openai(base_url: str, requests: int) -> int:
    import openai as library

    async with library.AsyncOpenAI(base_url=base_url, api_key="none", max_retries=TRIES - 1) as client:

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
                num_retries=TRIES - 1,
            )
        except library.exceptions.RateLimitError:
            return False
        return True

    return await in_parallel(ask, requests)


CLIENTS: dict[str, Client] = {"askwell": askwell, "naive": naive, "openai": openai, "litellm": litellm}


def measure(client: str, kind: str, latency_s: float, *, says_when: bool, requests: int) -> Measured:
    limiter = KINDS[kind](RATE)

    def limited(body: dict[str, Any]) -> web.Response:
        wait = limiter.admit(time.monotonic())
        if wait is None:
            return web.json_response(completion("fine", body))
        headers = {"Retry-After": f"{wait:.3f}"} if says_when else {}
        return error(429, "Rate limit reached for requests", "rate_limit_exceeded", headers)

    with chat_server(transform=limited, latency_s=latency_s, lifetime_s=3600.0) as server:
        begun = time.perf_counter()
        answered = asyncio.run(_run(CLIENTS[client], server, requests))
        seconds = time.perf_counter() - begun
        sent = server.total_requests
    return Measured(
        client=client,
        limiter=kind,
        latency_ms=latency_s * 1000,
        says_when=says_when,
        kept=answered / seconds / RATE,
        refused_share=(sent - answered) / sent,
        lost=requests - answered,
    )


async def _run(client: Client, server: ChatServer, requests: int) -> int:
    return await client(server.base_url, requests)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--requests", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", choices=sorted(CLIENTS), default=sorted(CLIENTS))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    requests, rounds = (1800, 1) if options.quick else (options.requests, options.rounds)
    servers = list(product(SHOWN, (0.02, 0.2), (True, False)))
    found: list[Measured] = []
    print("| limiter | latency | Retry-After | client | kept | refused | lost |\n|---|---|---|---|---|---|---|")
    for kind, latency_s, says_when in servers[:2] if options.quick else servers:
        for client in options.only:
            of_rounds = [
                measure(client, kind, latency_s, says_when=says_when, requests=requests) for _ in range(rounds)
            ]
            one = Measured(
                **{
                    **asdict(of_rounds[0]),
                    "kept": median(each.kept for each in of_rounds),
                    "refused_share": median(each.refused_share for each in of_rounds),
                    "lost": sum(each.lost for each in of_rounds),
                }
            )
            found.append(one)
            print(
                f"| {one.limiter} | {one.latency_ms:g} ms | {'yes' if one.says_when else 'no'} | {one.client} | "
                f"{one.kept:.1%} | {one.refused_share:.1%} | {one.lost} |",
                flush=True,
            )
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in found], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
