"""Clients under test, each in a process of its own that measures when told: `python -m bench.engine.contestants NAME`.

Reads lines of JSON (`base_url`, `calls`, `concurrency`) and answers each with what it took. Every contestant gets the
same prompts × questions and keeps `concurrency` requests in flight as its makers would have it: an async client is
driven by that many workers, a library with an evaluation of its own runs that. Retries and caches of the others are
off; askwell does the whole of what `askwell evaluate` does: log on disk, retry layer, limits, caps, grading.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

INSTRUCTIONS = [
    f"{start} Work step by step, keep track of units, and {end}"
    for start in ("Solve the problem.", "Read the question twice.", "You are a careful tutor.", "Think it through.")
    for end in ("end with the sentence 'The answer is N.'", "give the final number on a line of its own.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One measurement."""

    base_url: str
    calls: int
    concurrency: int

    def questions(self) -> list[str]:
        """Return distinct questions, as many as make up the calls with every instruction."""
        return [
            f"A shop packs {number} crates, each with {number % 13 + 2} boxes of apples; one box holds 6 apples and "
            f"{number % 7} of the boxes break on the way to the market. How many apples can still be sold in total?"
            for number in range(self.calls // len(INSTRUCTIONS))
        ]

    def chats(self) -> Iterator[tuple[str, str]]:
        """Yield (instruction, question), all questions of one instruction together."""
        questions = self.questions()
        return ((instruction, question) for instruction in INSTRUCTIONS for question in questions)


Contestant = Callable[[Job], object]
Ask = Callable[[str, str], Awaitable[object]]


def askwell(job: Job) -> None:
    """Evaluate as the command line does: the log is a file on the disk that holds the temporary folder."""
    from askwell.api.build_models import build_model
    from askwell.api.config import ModelConfig
    from askwell.core.event_loop import run_blocking
    from askwell.core.types import Example, Prompt
    from askwell.engine.evaluator import Sampling
    from askwell.engine.jobs import EvaluateJob, TargetSide, encode_header
    from askwell.runlog.store import SqliteStore
    from askwell.tasks.metrics import metric
    from askwell.tasks.render import Placed
    from askwell.tasks.task import Task

    examples = [
        Example(id=f"q{number:05d}", input=question, target="42") for number, question in enumerate(job.questions())
    ]
    config = ModelConfig(model="openai:tiny", base_url=job.base_url, concurrency=job.concurrency)
    side = TargetSide(
        task=Task(name="apples", splits={"test": tuple(examples)}, render=Placed(), metric=metric("number")),
        model=build_model(config, flag="--target"),
        sampling=Sampling(max_tokens=512),
        concurrency=job.concurrency,
    )
    prompts = [Prompt(instruction=instruction) for instruction in INSTRUCTIONS]
    work = EvaluateJob(header=encode_header({"name": "apples"}, seed=0, settings=None), prompts=prompts, side=side)
    with tempfile.TemporaryDirectory() as folder, SqliteStore(Path(folder) / "run" / "log.db") as store:
        scores = run_blocking(lambda stopper: work.execute(store, stopper, lambda _: None))
    assert all(len(scores[prompt]) == len(examples) and set(scores[prompt].values()) == {1.0} for prompt in prompts)


def aiohttp(job: Job) -> None:
    """Post the same requests and read the text out: the floor under every asyncio client."""
    import aiohttp as library

    async def main() -> None:
        async with library.ClientSession(connector=library.TCPConnector(limit=0)) as session:

            async def ask(instruction: str, question: str) -> object:
                async with session.post(f"{job.base_url}/chat/completions", json=_body(instruction, question)) as found:
                    return (await found.json())["choices"][0]["message"]["content"]

            await _workers(job, ask)

    asyncio.run(main())


def openai(job: Job) -> None:
    """`AsyncOpenAI` as it comes."""
    from openai import AsyncOpenAI

    async def main() -> None:
        async with AsyncOpenAI(base_url=job.base_url, api_key="none", max_retries=0) as client:

            async def ask(instruction: str, question: str) -> object:
                found = await client.chat.completions.create(**_body(instruction, question))
                return found.choices[0].message.content

            await _workers(job, ask)

    asyncio.run(main())


def litellm(job: Job) -> None:
    """`litellm.acompletion`."""
    import litellm as library

    async def ask(instruction: str, question: str) -> object:
        body = {**_body(instruction, question), "model": "openai/tiny"}
        found = await library.acompletion(**body, api_base=job.base_url, api_key="none", num_retries=0)
        return found.choices[0].message.content

    asyncio.run(_workers(job, ask))


def dspy(job: Job) -> None:
    """`dspy.LM.acall`, without signatures and adapters."""
    import dspy as library

    model = library.LM("openai/tiny", api_base=job.base_url, api_key="none", cache=False, num_retries=0, max_tokens=512)

    async def ask(instruction: str, question: str) -> object:
        return (await model.acall(messages=_body(instruction, question)["messages"]))[0]

    asyncio.run(_workers(job, ask))


def gepa(job: Job) -> None:
    """The evaluation of GEPA's default adapter, all questions as one batch of one candidate."""
    from gepa.adapters.default_adapter.default_adapter import DefaultAdapter

    options = {"api_base": job.base_url, "api_key": "none", "max_tokens": 512}
    adapter = DefaultAdapter(
        "openai/tiny", max_litellm_workers=job.concurrency, litellm_batch_completion_kwargs=options
    )
    batch: Any = [{"input": question, "answer": "42", "additional_context": {}} for _, question in job.chats()]
    found = adapter.evaluate(batch, {"instruction": INSTRUCTIONS[0]})
    assert sum(found.scores) == len(batch)


def promptolution(job: Job) -> None:
    """Promptolution's `APILLM`, all questions as one batch."""
    from promptolution.llms.api_llm import APILLM

    model = APILLM(
        api_url=job.base_url, model_id="tiny", api_key="none", max_concurrent_calls=job.concurrency, max_retries=0,
        max_tokens=512, client_kwargs={"max_retries": 0},
    )  # fmt: skip
    chats = list(job.chats())
    found = model.get_response([question for _, question in chats], [instruction for instruction, _ in chats])
    assert len(found) == len(chats)


CONTESTANTS: dict[str, Contestant] = {
    "askwell": askwell, "aiohttp": aiohttp, "openai": openai, "litellm": litellm, "dspy": dspy, "gepa": gepa,
    "promptolution": promptolution,
}  # fmt: skip


def _body(instruction: str, question: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": f"{question}\n{instruction}"}]
    return {"model": "tiny", "messages": messages, "temperature": 0.0, "max_tokens": 512}


async def _workers(job: Job, ask: Ask) -> None:
    todo = job.chats()

    async def work() -> None:
        for instruction, question in todo:
            text = await ask(instruction, question)
            assert isinstance(text, str)
            assert "42" in text

    await asyncio.gather(*(work() for _ in range(job.concurrency)))


def measured(contestant: Contestant, job: Job) -> dict[str, float]:
    """Run a job and return wall seconds, CPU seconds of all threads, and the process's peak memory."""
    wall, cpu = time.perf_counter(), time.process_time()
    contestant(job)
    return {
        "calls": job.calls,
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    """Answer jobs from standard input; whatever the libraries print goes to standard error."""
    contestant = CONTESTANTS[sys.argv[1]]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        try:
            found: dict[str, object] = dict(measured(contestant, Job(**json.loads(line))))
        except ImportError as error:
            found = {"missing": str(error)}
        print(json.dumps(found), file=answers, flush=True)


if __name__ == "__main__":
    main()
