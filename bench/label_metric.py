"""Measure how well the metrics `label` and `exact` read recorded classification replies of a small model.

Command:  .venv/bin/python bench/label_metric.py --outcomes smollm2_outcomes.parquet

The file holds one row per call: task, run, query (with its "Options:" list), gold, prompt, reply; `score` is what
`exact` gave when the replies were recorded; `only_label` is the one label that the reply names ("" for none or
several), and `label_score` whether it is the gold one. For each task the script prints how often each metric agrees
with `label_score`, and over the prompts that were scored on 40 queries or more per run the Spearman correlation of the
prompts' mean scores with their mean `label_score`. No seed: nothing is drawn.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import correlation, fmean

from askwell.core.types import Example
from askwell.tasks.metrics import metric
from askwell.tasks.readers import read_records

TASKS = ("ag_news", "tweet_emotion")
RUNS_OF_PROMPTS = ("ag_wide", "land2_ag_news")
"""Runs that scored hand-written ag_news prompts on the same 40 test queries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """One reply with its scores by metric; "reference" is `label_score`."""

    run: str
    prompt: str
    scores: Mapping[str, float]


def main() -> None:
    """Print the agreement per task and the rank correlation over prompts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--outcomes", type=Path, required=True, metavar="FILE", help="recorded outcomes (Parquet)")
    path: Path = parser.parse_args().outcomes
    for task in TASKS:
        replies = read_replies(path, task)
        print(f"{task}: {len(replies)} replies, {sum(reply.scores['reference'] for reply in replies):.0f} right")
        for name in ("exact when recorded", "exact", "label"):
            missed = sum(reply.scores["reference"] > reply.scores[name] for reply in replies)
            extra = sum(reply.scores["reference"] < reply.scores[name] for reply in replies)
            agreement = 1 - (missed + extra) / len(replies)
            print(f"  {name:20} agrees on {100 * agreement:.1f} %, right scored 0: {missed}, wrong scored 1: {extra}")
    prompts = [reply for reply in read_replies(path, "ag_news") if reply.run in RUNS_OF_PROMPTS]
    print(f"prompts of {', '.join(RUNS_OF_PROMPTS)}: {len({reply.prompt for reply in prompts})}")
    for name in ("exact when recorded", "exact", "label"):
        print(f"  {name:20} Spearman {rank_correlation(prompts, name):.2f}")


def read_replies(path: Path, task: str) -> list[Graded]:
    """Read the replies of one task and grade them."""
    graded: list[Graded] = []
    for record in read_records(path):
        values = record.values
        if values["task"] != task:
            continue
        example = Example(id="", input=str(values["query"]), target=str(values["gold"]))
        scores = {name: metric(name)(str(values["reply"]), example).value for name in ("exact", "label")}
        scores["exact when recorded"] = float(str(values["score"]))
        scores["reference"] = float(str(values["label_score"]))
        graded.append(Graded(run=str(values["run"]), prompt=str(values["prompt"]), scores=scores))
    return graded


def rank_correlation(replies: Sequence[Graded], name: str) -> float:
    """Return the Spearman correlation of the prompts' means by one metric with their means by the reference."""
    by_prompt: dict[str, list[Graded]] = defaultdict(list)
    for reply in replies:
        by_prompt[reply.prompt].append(reply)
    means = {
        column: [fmean(reply.scores[column] for reply in members) for members in by_prompt.values()]
        for column in (name, "reference")
    }
    return correlation(_ranks(means[name]), _ranks(means["reference"]))


def _ranks(values: Sequence[float]) -> list[float]:
    """Return the ranks of values; equal values share the mean of their ranks."""
    ordered = sorted(values)
    return [ordered.index(value) + (ordered.count(value) - 1) / 2 for value in values]


if __name__ == "__main__":
    main()
