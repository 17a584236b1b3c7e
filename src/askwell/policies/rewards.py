"""QPO's rewards: correctness and confidence of the query, plus accuracy of the prompt (the released code's formulas).

With NLL the mean negative log-probability per token:

    choice       R = 10·1[ŷ = y]  + 10·acc_task(p) − NLL(gold label | q, p)
    few-shot     R = 10·acc_demo(q, p) + 10·acc_task(p)      acc_demo: mean over demonstration sets
    free text    R = 10·correct   + 10·acc_task(p) − NLL(reply)

Deviation: in training (`rewarded`) the accuracy of a prompt is shrunk towards that of all prompts by how few queries it
was tried on. A writer's new prompts are tried on one query each; taken as it is, every one that was right there would
have accuracy 1, more than the best prompt of the log, and luck is what the policy would aim at.

Where the API gives no log-probabilities the last term is dropped for *all* rows, and `Rewards.confidence_used` says so:
rows with and without it are not on one scale.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from askwell.core.errors import ConfigError, DataError
from askwell.core.types import Experience
from askwell.policies.data.outcomes import PairOutcome, PairOutcomes
from askwell.policies.data.shrinkage import fit_prior
from askwell.policies.settings import Formula

TASK_TERM = "10·right + 10·accuracy of the prompt"

WEIGHT = 10.0
"""Weight of the query-level and of the task-level accuracy (released code)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewards:
    """One reward a cell, in the cells' order."""

    values: tuple[float, ...]
    formula: Formula
    confidence_used: bool
    """Whether −NLL is part of the values."""
    missing_confidence: int = 0
    """Cells without a log-probability, for the report's "why not"."""


def choice_reward(*, correct: float, task_accuracy: float, label_logprob: float | None = None) -> float:
    """R of zero-shot classification or multiple choice. `label_logprob`: mean per token, at most 0."""
    return WEIGHT * _share(correct) + WEIGHT * _share(task_accuracy) + _logprob(label_logprob)


def few_shot_reward(*, demo_accuracies: Sequence[float], task_accuracy: float) -> float:
    """R with demonstrations: `demo_accuracies` holds the query's correctness under each demonstration set."""
    if not demo_accuracies:
        raise DataError("no demonstration set was scored: a few-shot reward needs at least one")
    mean = math.fsum(_share(accuracy) for accuracy in demo_accuracies) / len(demo_accuracies)
    return WEIGHT * mean + WEIGHT * _share(task_accuracy)


def free_text_reward(*, correct: float, task_accuracy: float, reply_logprob: float | None = None) -> float:
    """R of mathematics and other free text. `reply_logprob`: of the model's own reply, mean per token, at most 0."""
    return WEIGHT * _share(correct) + WEIGHT * _share(task_accuracy) + _logprob(reply_logprob)


def paper_rewards(
    cells: Sequence[PairOutcome], *, formula: Formula, task_accuracy: Mapping[str, float] | None = None
) -> Rewards:
    """Rewards of logged cells. A cell's draws are its demonstration sets (few-shot) or repeats of one request.

    `task_accuracy` is by prompt; by default each prompt's mean over the given cells. Confidence is used where every
    cell has one and the formula knows it.
    """
    accuracy = task_accuracy or prompt_accuracy(cells)
    missing = sum(cell.confidence is None for cell in cells)
    used = formula != "few-shot" and not missing and bool(cells)
    values: list[float] = []
    for cell in cells:
        if cell.prompt not in accuracy:
            raise DataError(f"no task accuracy for prompt {cell.prompt!r}; give one for each prompt of the data")
        level = accuracy[cell.prompt]
        logprob = cell.confidence if used else None
        if formula == "few-shot":
            values.append(few_shot_reward(demo_accuracies=[cell.mean], task_accuracy=level))
        elif formula == "choice":
            values.append(choice_reward(correct=cell.mean, task_accuracy=level, label_logprob=logprob))
        else:
            values.append(free_text_reward(correct=cell.mean, task_accuracy=level, reply_logprob=logprob))
    return Rewards(values=tuple(values), formula=formula, confidence_used=used, missing_confidence=missing)


def rewarded(
    train: PairOutcomes, dev: PairOutcomes, *, formula: Formula, scaled: bool, baseline: str, confident: bool = True
) -> tuple[list[Experience], list[Experience], str]:
    """Return both parts as experiences whose reward is the formula's, and a sentence on what went into it.

    A prompt's accuracy is that on `train`, shrunken; of a prompt that was tried on `dev` alone, that on `dev`. `scaled`
    maps rewards to 0..100. `confident=False` leaves log-probabilities out: where new pairs are labelled without them.
    """
    both = [*train.pairs, *dev.pairs]
    if not confident:
        both = [replace(cell, confidence=None) for cell in both]
    accuracy = shrunken_accuracy(dev.pairs) | shrunken_accuracy(train.pairs)
    found = paper_rewards(both, formula=formula, task_accuracy=accuracy)
    told = TASK_TERM + (" + log-probability a token" if found.confidence_used else "")
    if formula != "few-shot" and not found.confidence_used:
        told += "; the term of log-probabilities is left out, as not all pairs have one"
    if scaled:
        found, told = min_max(found), f"{told}; mapped to 0–100"
    parts = [
        Experience(query=cell.query, prompt=cell.prompt, reward=value, advantage=advantage)
        for cell, value, advantage in zip(
            both, found.values, advantages(both, found.values, baseline=baseline), strict=True
        )
    ]
    return parts[: len(train.pairs)], parts[len(train.pairs) :], told


def prompt_accuracy(cells: Sequence[PairOutcome]) -> dict[str, float]:
    """Mean over queries of each prompt's success rate: the task-level term."""
    return {prompt: math.fsum(means) / len(means) for prompt, means in _rates(cells).items()}


def shrunken_accuracy(cells: Sequence[PairOutcome]) -> dict[str, float]:
    """Return `prompt_accuracy`, each drawn towards that of all prompts: the less, the more queries it was tried on.

    The prior is a beta over prompts, fitted to them (`shrink.fit_prior`); one right of one is not an accuracy of 1.
    """
    rates = _rates(cells)
    if not rates:
        return {}
    totals = {prompt: math.fsum(means) for prompt, means in rates.items()}
    prior = fit_prior(list(totals.values()), [len(means) for means in rates.values()])
    return {prompt: prior.posterior(total, len(rates[prompt])) for prompt, total in totals.items()}


def _rates(cells: Sequence[PairOutcome]) -> dict[str, list[float]]:
    """Each prompt's success rates, one a query."""
    members: dict[str, list[float]] = {}
    for cell in cells:
        members.setdefault(cell.prompt, []).append(cell.mean)
    return members


def min_max(rewards: Rewards, *, low: float = 0.0, high: float = 100.0) -> Rewards:
    """Map a task's rewards to low..high; equal rewards all go to the middle."""
    if not low < high:
        raise ConfigError(f"low={low!r} and high={high!r}: expected low < high")
    least, most = min(rewards.values), max(rewards.values)
    if most == least:
        return replace(rewards, values=tuple((low + high) / 2 for _ in rewards.values))
    factor = (high - low) / (most - least)
    return replace(rewards, values=tuple(low + (value - least) * factor for value in rewards.values))


def advantages(cells: Sequence[PairOutcome], values: Sequence[float], *, baseline: str) -> list[float | None]:
    """Each value minus the static prompt's on the same query; None where the static prompt was not tried on it."""
    base = {cell.query: value for cell, value in zip(cells, values, strict=True) if cell.prompt == baseline}
    return [value - base[cell.query] if cell.query in base else None for cell, value in zip(cells, values, strict=True)]


def _share(value: float) -> float:
    if not 0.0 <= value <= 1.0:
        raise DataError(f"an accuracy of {value!r} is outside 0..1")
    return value


def _logprob(value: float | None) -> float:
    """The term −NLL, which is the mean log-probability itself; 0 where there is none."""
    if value is None:
        return 0.0
    if not (math.isfinite(value) and value <= 0.0):
        raise DataError(f"a mean log-probability of {value!r}; expected a finite number of at most 0")
    return value
