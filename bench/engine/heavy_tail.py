"""How much racing without a barrier is worth where some calls take 20 times as long as others.

    python -m bench.engine.heavy_tail [--rounds 5] [--concurrency 16] [--dev 300] [--json FILE]

Eight new prompts race against a known one, decided by `askwell.racing.ExpectedGain`; the latency of a call is
log-normal with its 99th percentile at 20 times its median (20 ms). Two ways to run the same decisions, in one process,
taking turns, with the same answers, latencies, evaluator, log (SQLite) and number of slots:

* barrier: everybody still in the race gets one more block, all answers are waited for, then it is decided again;
* stream: what the project ships (`askwell.race`), looking ahead as many calls as there are slots, or 2 or 4 times that.

Throughput is calls/s over the whole race, the median of the rounds (each with latencies and prompts of its own).
Looking ahead costs calls that turn out needless, so calls, seconds and the winner's regret stand beside it: a race that
only got faster by asking for more would show. Prints a table and every run as JSON; about 3 minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import NormalDist, fmean, median

from askwell.belief import Field
from askwell.evaluation import Evaluator, Sampling, scores_by_prompt
from askwell.loop import begin
from askwell.models.fakes import ScriptedModel, SlowModel
from askwell.race import Race, RaceSettings, cut_blocks
from askwell.runlog.store import SqliteStore
from askwell.runlog.writer import Journal
from askwell.tasks.base import Task
from askwell.types import Example, Message, Prompt, Request, Score

MEDIAN_S = 0.02
TAIL = 20.0
SIGMA = math.log(TAIL) / NormalDist().inv_cdf(0.99)
LOOKAHEADS = (1, 2, 4)
"""In slots: calls that may be out beyond the results decided on."""
BLOCK = 6
KNOWN = Prompt(instruction="known")
NEW = tuple(Prompt(instruction=f"new {number}") for number in range(8))
GOAL = 1.5

Answers = Mapping[tuple[str, str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One race."""

    way: str
    calls: int
    seconds: float
    regret_points: float
    """Dev score of the best prompt less that of the winner."""

    @property
    def calls_per_s(self) -> float:
        return self.calls / self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What both ways run on: a task, its answers, and the evaluator over a log of its own."""

    task: Task
    answers: Answers
    settings: RaceSettings
    seed: int

    def known(self) -> dict[str, float]:
        return {example.id: float(self.answers[KNOWN.instruction, example.id]) for example in self.task.splits["dev"]}

    def blocks(self) -> list[list[Example]]:
        return cut_blocks(self.task.splits["dev"], self.settings.block, seed=self.seed, order_seed=self.seed)

    def regret_points(self, chosen: Prompt) -> float:
        means = {
            name: fmean(float(self.answers[name, example.id]) for example in self.task.splits["dev"])
            for name in (KNOWN.instruction, *(prompt.instruction for prompt in NEW))
        }
        return 100 * (max(means.values()) - means[chosen.instruction])


def main() -> None:
    """Read the arguments, race, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--dev", type=int, default=300, help="dev examples")
    parser.add_argument("--json", type=Path, help="also write the JSON to this file")
    arguments = parser.parse_args()
    slots: int = arguments.concurrency
    ways = ["barrier", *(f"stream, lookahead {times * slots}" for times in LOOKAHEADS)]
    rounds = range(arguments.rounds)
    runs = [asyncio.run(one_run(way, number, arguments.dev, slots)) for number in rounds for way in ways]
    print(table(runs, slots))
    found = json.dumps([asdict(run) | {"calls_per_s": round(run.calls_per_s, 1)} for run in runs])
    print(found)
    if arguments.json:
        arguments.json.write_text(found)


async def one_run(way: str, seed: int, dev: int, concurrency: int) -> Run:
    """Race once, one way or the other."""
    lookahead = int(way.rpartition(" ")[2]) if way != "barrier" else 0
    settings = RaceSettings(method="askwell", block=BLOCK, lookahead=lookahead)
    scene = made_up(dev, settings, seed)
    target = SlowModel(
        ScriptedModel(lambda request: answer(scene.answers, request)), latency_s=MEDIAN_S, sigma=SIGMA, seed=seed
    )
    with tempfile.TemporaryDirectory() as folder, SqliteStore(Path(folder) / "log.db") as store:
        async with Journal(store) as journal:
            evaluator = Evaluator(
                task=scene.task, target=target, journal=journal, sampling=Sampling(), concurrency=concurrency
            )
            await begin(journal, header={"config": {}}, task=scene.task)
            began = time.perf_counter()
            calls, chosen = await (barriers if way == "barrier" else stream)(scene, evaluator)
            seconds = time.perf_counter() - began
    return Run(way=way, calls=calls, seconds=seconds, regret_points=scene.regret_points(chosen))


async def barriers(scene: Scene, evaluator: Evaluator) -> tuple[int, Prompt]:
    """Decide, ask for all that is wanted, wait for all of it, decide again."""
    prompts = {str(number): prompt for number, prompt in enumerate((KNOWN, *NEW))}
    blocks, dev = scene.blocks(), len(scene.task.splits["dev"])
    field = Field(candidates=tuple(prompts), blocks=tuple(len(block) for block in blocks))
    racing = scene.settings.racing(entrants=len(prompts), examples=dev)
    layout = {(cell.prompt, cell.example.id): cell for cell in evaluator.cells(NEW, split="dev", step=1)}
    known = scene.known()
    scores: dict[str, dict[int, Sequence[float]]] = {name: {} for name in prompts}
    scores["0"] = {number: [known[example.id] for example in block] for number, block in enumerate(blocks)}
    calls = 0
    decision = racing.decide(field, scores)
    while decision.wanted:
        cells = [layout[prompts[name], example.id] for name, number in decision.wanted for example in blocks[number]]
        calls += len(cells)
        found = await scores_by_prompt(evaluator.rollouts(cells))
        for name, number in decision.wanted:
            scores[name][number] = [found[prompts[name]][example.id] for example in blocks[number]]
        decision = racing.decide(field, scores)
    return calls, prompts[decision.chosen]


async def stream(scene: Scene, evaluator: Evaluator) -> tuple[int, Prompt]:
    """Race as a run does; the winner is the best of those that were scored in full."""
    known = scene.known()
    race = Race(
        evaluator,
        evaluator.cells(NEW, split="dev", step=1),
        entrants=dict.fromkeys((KNOWN, *NEW), 0.0),
        known={KNOWN: known},
        settings=scene.settings,
        blocks=scene.blocks(),
    )
    scores = {KNOWN: known} | await scores_by_prompt(race.rollouts())
    complete = [prompt for prompt in scores if race.is_complete(prompt)]
    return race.calls, max(complete, key=lambda prompt: fmean(scores[prompt].values()))


def made_up(dev: int, settings: RaceSettings, seed: int) -> Scene:
    """Make eight prompts about as good as the known one; hard examples are hard for all of them."""
    dice = random.Random(seed)
    examples = tuple(Example(id=f"e{number}", input=f"question {number}", target="1") for number in range(dev))
    level = {prompt.instruction: 0.6 + dice.gauss(0.0, 0.04) for prompt in (KNOWN, *NEW)}
    answers: dict[tuple[str, str], str] = {}
    for example in examples:
        ease = dice.random()
        for name, share in level.items():
            own = dice.random() if dice.random() < 0.5 else ease
            answers[name, example.id] = "1" if own < share else "0"
    task = Task(
        name="heavy tail",
        splits={"dev": examples},
        render=lambda prompt, example: (Message(role="user", content=f"{example.id}\n{prompt.instruction}"),),
        metric=lambda reply, example: Score(value=float(reply == example.target)),
    )
    return Scene(task=task, answers=answers, settings=settings, seed=seed)


def answer(answers: Answers, request: Request) -> str:
    """Look the answer up."""
    example_id, _, instruction = request.messages[0].content.partition("\n")
    return answers[instruction, example_id]


def table(runs: Sequence[Run], concurrency: int) -> str:
    """Medians of the rounds, each way a line, beside the barrier's."""
    mean_s = MEDIAN_S * math.exp(SIGMA * SIGMA / 2)
    by_way: dict[str, list[Run]] = {}
    for run in runs:
        by_way.setdefault(run.way, []).append(run)
    base = median(run.calls_per_s for run in by_way["barrier"])
    lines = [
        f"{concurrency} slots, median {1000 * MEDIAN_S:g} ms, p99 {TAIL:g} × that; slots never idle would give "
        f"{concurrency / mean_s:.0f} calls/s; aim: {GOAL} × the barrier",
        "way                     calls/s  × barrier   calls  seconds  regret, points",
    ]
    for way, found in by_way.items():
        rate = median(run.calls_per_s for run in found)
        lines.append(
            f"{way:22s} {rate:8.0f} {rate / base:10.2f} {median(run.calls for run in found):7.0f} "
            f"{median(run.seconds for run in found):8.1f} {fmean(run.regret_points for run in found):15.2f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
