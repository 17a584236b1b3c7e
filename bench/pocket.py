"""Measure the bundled model: every figure of its card, on test data, greedy, with 95 % intervals.

Command:  python -m bench.pocket --out bench/results/pocket.json --card src/askwell/models/bundled/CARD.md

All 28 tasks with 500 examples each take about a quarter of an hour on two quiet cores (one job on each). `--tasks`,
`--n` and `--held-out-n` reduce the work.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from training.pocket.decode import Chat, Decoder, is_right

from askwell.core.types import Example
from askwell.models.bundled import CHECKPOINT, MAX_REPLY_TOKENS
from askwell.tasks import bundled

Z = 1.96
DEMONSTRATIONS = 4
SPEED_EXAMPLES, SPEED_LIMIT_S = 256, 5.0
VAGUE_AT_MOST, BEST_AT_LEAST = 0.45, 0.85
GAIN_AT_LEAST = 0.15
UNION_GAIN_AT_LEAST = 0.05
CARD_BEGIN, CARD_END = "<!-- figures: begin -->", "<!-- figures: end -->"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A proportion with its Wilson interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFigures:
    """The figures of one task."""

    task: str
    n: int
    vague: Share
    best: Share
    direct: Share
    steps: Share
    either: Share
    """Noise-free best of {direct, steps} per query."""
    demonstrated: Share
    """The vague prompt with four demonstrations."""
    held_out: tuple[float, ...]
    """One accuracy per paraphrase that was not in the training data."""

    @property
    def held_out_mean(self) -> float:
        """Average over paraphrases."""
        return statistics.fmean(self.held_out)

    @property
    def held_out_sd(self) -> float:
        """Spread over paraphrases."""
        return statistics.pstdev(self.held_out)

    @property
    def demonstration_gain(self) -> float:
        """Gain of four demonstrations over the vague prompt."""
        return self.demonstrated.value - self.vague.value

    @property
    def union_gain(self) -> float:
        """Gain of selecting the style per query over the better single style."""
        return self.either.value - max(self.direct.value, self.steps.value)


def wilson(right: Sequence[bool]) -> Share:
    """Return the share of true values with its 95 % interval."""
    n, value = len(right), sum(right) / len(right)
    centre = (value + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z * math.sqrt(value * (1 - value) / n + Z * Z / (4 * n * n)) / (1 + Z * Z / n)
    return Share(value=value, low=max(0.0, centre - half), high=min(1.0, centre + half))


def chat(question: str, prompt: str, shown: Sequence[Example] = ()) -> Chat:
    """Put the prompt below the question, after solved examples as earlier turns."""
    turns: list[dict[str, str]] = []
    for example in shown:
        turns.append({"role": "user", "content": example.input})
        turns.append({"role": "assistant", "content": str(example.target)})
    return [*turns, {"role": "user", "content": f"{question}\n{prompt}" if prompt else question}]


def graded(decoder: Decoder, tested: Sequence[Example], prompt: str, shown: Sequence[Example] = ()) -> list[bool]:
    """Return for each example whether the greedy reply is right."""
    chats = [chat(example.input, prompt, shown) for example in tested]
    replies = decoder.answers(chats, max_tokens=MAX_REPLY_TOKENS)
    return [is_right(reply, str(example.target)) for reply, example in zip(replies, tested, strict=True)]


def measure(decoder: Decoder, task: str, n: int, held_out_n: int) -> TaskFigures:
    """Measure one task on its test split."""
    tested = bundled.examples(task, "test", n, seed=0)
    shown = bundled.examples(task, "train", DEMONSTRATIONS, seed=0)
    vague, (direct_prompt, steps_prompt) = bundled.initial_prompt(task), bundled.style_prompts(task)
    direct, steps = graded(decoder, tested, direct_prompt), graded(decoder, tested, steps_prompt)
    return TaskFigures(
        task=task,
        n=n,
        vague=wilson(graded(decoder, tested, vague)),
        best=wilson(graded(decoder, tested, bundled.best_known_prompt(task))),
        direct=wilson(direct),
        steps=wilson(steps),
        either=wilson([any(pair) for pair in zip(direct, steps, strict=True)]),
        demonstrated=wilson(graded(decoder, tested, vague, shown)),
        held_out=tuple(
            wilson(graded(decoder, tested[:held_out_n], phrase)).value for phrase in bundled.held_out_prompts(task)
        ),
    )


def _measured(job: tuple[Path, str, int, int]) -> TaskFigures:
    """Measure one task in a worker process, on one core."""
    folder, task, n, held_out_n = job
    torch: Any = import_module("torch")
    torch.set_num_threads(1)
    return measure(_decoder(folder), task, n, held_out_n)


@cache
def _decoder(folder: Path) -> Decoder:
    return Decoder(folder)


def seconds_for_batch(decoder: Decoder) -> dict[str, float]:
    """Time 256 examples of mixed tasks, with direct answers and step by step."""
    names = bundled.task_names()
    per_task = -(-SPEED_EXAMPLES // len(names))
    pairs = [(task, example) for task in names for example in bundled.examples(task, "test", per_task)][:SPEED_EXAMPLES]
    seconds: dict[str, float] = {}
    for index, style in enumerate(("direct", "steps")):
        chats = [chat(example.input, bundled.style_prompts(task)[index]) for task, example in pairs]
        started = time.perf_counter()
        decoder.answers(chats, max_tokens=MAX_REPLY_TOKENS)
        seconds[style] = time.perf_counter() - started
    return seconds


def verdicts(figures: Sequence[TaskFigures], seconds: dict[str, float]) -> dict[str, str]:
    """Compare the figures with the goals for the model, numbered as in its card."""
    wide = [task.task for task in figures if task.vague.value <= VAGUE_AT_MOST and task.best.value >= BEST_AT_LEAST]
    vague = statistics.fmean(task.vague.value for task in figures)
    unseen = statistics.fmean(task.held_out_mean for task in figures)
    best = statistics.fmean(task.best.value for task in figures)
    spread = statistics.pstdev([value for task in figures for value in task.held_out])
    within = statistics.fmean(task.held_out_sd for task in figures)
    depends = [task.task for task in figures if task.union_gain >= UNION_GAIN_AT_LEAST]
    shown = [task.task for task in figures if task.demonstration_gain >= GAIN_AT_LEAST]
    return {
        "1 vague <= .45 and best >= .85": f"{len(wide)} tasks (10 wanted): {', '.join(wide)}",
        "2 held-out paraphrases": (
            f"mean {unseen:.3f} between vague {vague:.3f} and best {best:.3f}; "
            f"sd over all {spread:.3f}, within a task {within:.3f} (.05 wanted)"
        ),
        "3 per-query best of the styles >= 5 points": f"{len(depends)} tasks (2 wanted): {', '.join(depends)}",
        "4 demonstrations >= 15 points": f"{len(shown)} tasks (6 wanted): {', '.join(shown)}",
        "5 seconds for 256 examples": ", ".join(f"{style} {value:.2f}" for style, value in seconds.items())
        + f" ({SPEED_LIMIT_S:.0f} wanted)",
    }


def table(figures: Sequence[TaskFigures]) -> str:
    """Return the card's table."""
    head = "| task | vague | best known | held out: mean (sd) | direct | step by step | either | 4 demonstrations |"
    lines = [head, "|---|---|---|---|---|---|---|---|"]
    lines += [
        f"| {task.task} | {task.vague} | {task.best} | {task.held_out_mean:.3f} ({task.held_out_sd:.2f}) "
        f"| {task.direct} | {task.steps} | {task.either} | {task.demonstrated} |"
        for task in figures
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument("--tasks", nargs="*", default=list(bundled.task_names()))
    parser.add_argument("--n", type=int, default=500)
    parser.add_argument("--held-out-n", type=int, help="examples per held-out paraphrase (default: as --n)")
    parser.add_argument("--jobs", type=int, default=2, help="worker processes, each on one core")
    parser.add_argument("--out", type=Path, help="write all figures as JSON")
    parser.add_argument("--card", type=Path, help="update the figures between the markers of this card")
    arguments = parser.parse_args()
    held_out_n = arguments.held_out_n or arguments.n
    jobs = [(arguments.checkpoint, task, arguments.n, held_out_n) for task in arguments.tasks]
    figures: list[TaskFigures] = []
    with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("spawn")) as pool:
        for task in pool.map(_measured, jobs):
            figures.append(task)
            print(table([task]).splitlines()[-1], flush=True)
    lines = verdicts(figures, seconds_for_batch(Decoder(arguments.checkpoint)))
    for name, verdict in lines.items():
        print(f"{name}: {verdict}")
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        content = {"verdicts": lines, "tasks": [asdict(task) for task in figures]}
        arguments.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    if arguments.card:
        before, rest = arguments.card.read_text(encoding="utf-8").split(CARD_BEGIN)
        after = rest.split(CARD_END)[1]
        listed = "\n".join(f"* line {name}: {verdict}" for name, verdict in lines.items())
        body = f"{CARD_BEGIN}\n\n{table(figures)}\n\n{listed}\n\n{CARD_END}"
        arguments.card.write_text(before + body + after, encoding="utf-8")


if __name__ == "__main__":
    main()
