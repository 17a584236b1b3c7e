"""Measure how much racing without a barrier gains if some calls take 20 times as long as others.

Command:  python -m bench.engine.heavy_tail [--rounds 5] [--concurrency 16] [--dev 300] [--json FILE]   # 3 minutes

Eight new prompts race against one with full scores, decided by `askwell.engine.racing.ExpectedGain`. The latency of a
call is log-normal with its 99th percentile at 20 times its median (20 ms). Two ways run the same decisions in one
process by turns, with the same answers, latencies, evaluator, log (SQLite) and number of slots:

* barrier: every remaining candidate gets one more block, all answers are awaited, then the next decision follows;
* stream: what the project ships (`askwell.engine.race`), with a lookahead of 1, 2 or 4 times the number of slots.

Throughput is calls/s over the whole race, the median of the rounds (each with its own latencies and prompts). A
lookahead makes calls that turn out unnecessary, so calls, seconds and the winner's regret are shown too: a race that is
faster only because it makes more calls would be visible. Prints a table and every run as JSON.
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

from askwell.core.types import Example, Message, Prompt, Request, Score
from askwell.engine.evaluator import Evaluator, Sampling
from askwell.engine.loop import begin
from askwell.engine.race import Race, RaceSettings, cut_blocks
from askwell.engine.racing import RaceLayout
from askwell.engine.scores import scores_by_prompt
from askwell.runlog.store import SqliteStore
from askwell.runlog.writer import Journal
from askwell.tasks.task import Task
from askwell.testing.fakes import ScriptedModel, SlowModel

MEDIAN_S = 0.02
TAIL = 20.0
SIGMA = math.log(TAIL) / NormalDist().inv_cdf(0.99)
LOOKAHEADS = (1, 2, 4)
"""In slots: calls that may be outstanding beyond the results that a decision used."""
BLOCK = 6
SCORED = Prompt(instruction="known")
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
    """Dev score of the best prompt minus that of the winner."""

    @property
    def calls_per_s(self) -> float:
        return self.calls / self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The inputs of both ways: a task, its answers and the race's settings."""

    task: Task
    answers: Answers
    settings: RaceSettings
    seed: int

    def full_scores(self) -> dict[str, float]:
        return {example.id: float(self.answers[SCORED.instruction, example.id]) for example in self.task.splits["dev"]}

    def blocks(self) -> list[list[Example]]:
        return cut_blocks(self.task.splits["dev"], self.settings.block, seed=self.seed, order_seed=self.seed)

    def regret_points(self, chosen: Prompt) -> float:
        means = {
            name: fmean(float(self.answers[name, example.id]) for example in self.task.splits["dev"])
            for name in (SCORED.instruction, *(prompt.instruction for prompt in NEW))
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
    runs = [asyncio.run(run_race(way, number, arguments.dev, slots)) for number in rounds for way in ways]
    print(table(runs, slots))
    text = json.dumps([asdict(run) | {"calls_per_s": round(run.calls_per_s, 1)} for run in runs])
    print(text)
    if arguments.json:
        arguments.json.write_text(text)


async def run_race(way: str, seed: int, dev: int, concurrency: int) -> Run:
    """Race once in the given way."""
    lookahead = int(way.rpartition(" ")[2]) if way != "barrier" else 0
    settings = RaceSettings(method="askwell", block=BLOCK, lookahead=lookahead)
    scene = make_scene(dev, settings, seed)
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
    """Decide, request all wanted blocks, wait for all of them, decide again."""
    prompts = {str(number): prompt for number, prompt in enumerate((SCORED, *NEW))}
    blocks, dev = scene.blocks(), len(scene.task.splits["dev"])
    layout = RaceLayout(candidates=tuple(prompts), blocks=tuple(len(block) for block in blocks))
    rule = scene.settings.rule(entrants=len(prompts), examples=dev)
    slot_of = {(slot.prompt, slot.example.id): slot for slot in evaluator.slots(NEW, split="dev", step=1)}
    full_scores = scene.full_scores()
    scores: dict[str, dict[int, Sequence[float]]] = {name: {} for name in prompts}
    scores["0"] = {number: [full_scores[example.id] for example in block] for number, block in enumerate(blocks)}
    calls = 0
    decision = rule.decide(layout, scores)
    while decision.wanted:
        cells = [slot_of[prompts[name], example.id] for name, number in decision.wanted for example in blocks[number]]
        calls += len(cells)
        answered = await scores_by_prompt(evaluator.rollouts(cells))
        for name, number in decision.wanted:
            scores[name][number] = [answered[prompts[name]][example.id] for example in blocks[number]]
        decision = rule.decide(layout, scores)
    return calls, prompts[decision.chosen]


async def stream(scene: Scene, evaluator: Evaluator) -> tuple[int, Prompt]:
    """Race as a run does; the winner is the best prompt that was scored in full."""
    full_scores = scene.full_scores()
    race = Race(
        evaluator,
        evaluator.slots(NEW, split="dev", step=1),
        entrants=dict.fromkeys((SCORED, *NEW), 0.0),
        known={SCORED: full_scores},
        settings=scene.settings,
        blocks=scene.blocks(),
    )
    scores = {SCORED: full_scores} | await scores_by_prompt(race.rollouts())
    complete = [prompt for prompt in scores if race.is_complete(prompt)]
    return race.calls, max(complete, key=lambda prompt: fmean(scores[prompt].values()))


def make_scene(dev: int, settings: RaceSettings, seed: int) -> Scene:
    """Make eight prompts about as good as the scored one; hard examples are hard for all of them."""
    rng = random.Random(seed)
    examples = tuple(Example(id=f"e{number}", input=f"question {number}", target="1") for number in range(dev))
    level = {prompt.instruction: 0.6 + rng.gauss(0.0, 0.04) for prompt in (SCORED, *NEW)}
    answers: dict[tuple[str, str], str] = {}
    for example in examples:
        ease = rng.random()
        for name, share in level.items():
            own = rng.random() if rng.random() < 0.5 else ease
            answers[name, example.id] = "1" if own < share else "0"
    task = Task(
        name="heavy tail",
        splits={"dev": examples},
        render=lambda prompt, example: (Message(role="user", content=f"{example.id}\n{prompt.instruction}"),),
        metric=lambda reply, example: Score(value=float(reply == example.target)),
    )
    return Scene(task=task, answers=answers, settings=settings, seed=seed)


def answer(answers: Answers, request: Request) -> str:
    """Look up the answer."""
    example_id, _, instruction = request.messages[0].content.partition("\n")
    return answers[instruction, example_id]


def table(runs: Sequence[Run], concurrency: int) -> str:
    """Format the medians of the rounds, one row per way, relative to the barrier's."""
    mean_s = MEDIAN_S * math.exp(SIGMA * SIGMA / 2)
    by_way: dict[str, list[Run]] = {}
    for run in runs:
        by_way.setdefault(run.way, []).append(run)
    base = median(run.calls_per_s for run in by_way["barrier"])
    lines = [
        f"{concurrency} slots, median {1000 * MEDIAN_S:g} ms, p99 {TAIL:g} × that; without idle slots: "
        f"{concurrency / mean_s:.0f} calls/s; aim: {GOAL} × the barrier",
        "way                     calls/s  × barrier   calls  seconds  regret, points",
    ]
    for way, of_way in by_way.items():
        rate = median(run.calls_per_s for run in of_way)
        lines.append(
            f"{way:22s} {rate:8.0f} {rate / base:10.2f} {median(run.calls for run in of_way):7.0f} "
            f"{median(run.seconds for run in of_way):8.1f} {fmean(run.regret_points for run in of_way):15.2f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
