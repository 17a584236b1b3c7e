"""QPO's rewards: correctness and confidence on the query, plus accuracy of the prompt (the released code's formulas).

With NLL the mean negative log-probability per token:

    choice       R = 10·1[ŷ = y]  + 10·acc_task(p) − NLL(gold label | q, p)
    few-shot     R = 10·acc_demo(q, p) + 10·acc_task(p)      acc_demo: mean over demonstration sets
    free text    R = 10·correct   + 10·acc_task(p) − NLL(reply)

Deviation: in training (`reward_experiences`) the accuracy of a prompt is shrunk towards that of all prompts, the more
the fewer queries it was tried on. A writer's new prompts are tried on one query each. Unshrunk, each new prompt that
was right there would have accuracy 1, more than the best prompt of the log, and the policy would be conditioned on
luck.

If one row has no log-probability, the last term is left out of *all* rows (`Rewards.confidence_used` is False), because
rows with and without it are on different scales.
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

ACCURACY_TERMS = "10·right + 10·accuracy of the prompt"
"""The first two terms, for reports."""

WEIGHT = 10.0
"""Weight of the query-level and the task-level accuracy (released code)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewards:
    """One reward per outcome, in the order of the outcomes."""

    values: tuple[float, ...]
    formula: Formula
    confidence_used: bool
    """Whether −NLL is part of the values."""
    missing_confidence: int = 0
    """Outcomes without a log-probability, to report why it is not used."""


def choice_reward(*, correct: float, task_accuracy: float, label_logprob: float | None = None) -> float:
    """Return R of zero-shot classification or multiple choice. `label_logprob`: mean per token, at most 0."""
    return WEIGHT * _share(correct) + WEIGHT * _share(task_accuracy) + _logprob(label_logprob)


def few_shot_reward(*, demo_accuracies: Sequence[float], task_accuracy: float) -> float:
    """Return R with demonstrations; `demo_accuracies`: correctness on the query with each demonstration set."""
    if not demo_accuracies:
        raise DataError("no demonstration set was scored; a few-shot reward needs at least one")
    mean = math.fsum(_share(accuracy) for accuracy in demo_accuracies) / len(demo_accuracies)
    return WEIGHT * mean + WEIGHT * _share(task_accuracy)


def free_text_reward(*, correct: float, task_accuracy: float, reply_logprob: float | None = None) -> float:
    """Return R of mathematics and other free text. `reply_logprob`: of the reply, mean per token, at most 0."""
    return WEIGHT * _share(correct) + WEIGHT * _share(task_accuracy) + _logprob(reply_logprob)


def compute_paper_rewards(
    outcomes: Sequence[PairOutcome], *, formula: Formula, task_accuracy: Mapping[str, float] | None = None
) -> Rewards:
    """Compute rewards of logged outcomes, whose samples are demonstration sets (few-shot) or repeats of one request.

    `task_accuracy` is by prompt; by default each prompt's mean over the given outcomes. The log-probability is used if
    every outcome has one and the formula has that term.
    """
    accuracies = task_accuracy or prompt_accuracy(outcomes)
    missing = sum(outcome.confidence is None for outcome in outcomes)
    used = formula != "few-shot" and not missing and bool(outcomes)
    values: list[float] = []
    for outcome in outcomes:
        if outcome.prompt not in accuracies:
            raise DataError(f"no task accuracy for prompt {outcome.prompt!r}; give one for each prompt of the data")
        accuracy = accuracies[outcome.prompt]
        logprob = outcome.confidence if used else None
        if formula == "few-shot":
            values.append(few_shot_reward(demo_accuracies=[outcome.mean], task_accuracy=accuracy))
        elif formula == "choice":
            values.append(choice_reward(correct=outcome.mean, task_accuracy=accuracy, label_logprob=logprob))
        else:
            values.append(free_text_reward(correct=outcome.mean, task_accuracy=accuracy, reply_logprob=logprob))
    return Rewards(values=tuple(values), formula=formula, confidence_used=used, missing_confidence=missing)


def reward_experiences(
    train: PairOutcomes, dev: PairOutcomes, *, formula: Formula, scaled: bool, baseline: str, confident: bool = True
) -> tuple[list[Experience], list[Experience], str]:
    """Return both parts as experiences with the formula's reward, and a description of the reward for reports.

    A prompt's accuracy is its shrunken accuracy on `train`, or on `dev` if it was tried there alone. `scaled` maps
    rewards to 0..100. `confident=False` leaves log-probabilities out, for loops that label new pairs without them.
    """
    both = [*train.pairs, *dev.pairs]
    if not confident:
        both = [replace(outcome, confidence=None) for outcome in both]
    accuracy = shrunken_accuracy(dev.pairs) | shrunken_accuracy(train.pairs)
    rewards = compute_paper_rewards(both, formula=formula, task_accuracy=accuracy)
    description = ACCURACY_TERMS + (" + log-probability a token" if rewards.confidence_used else "")
    if formula != "few-shot" and not rewards.confidence_used:
        description += "; the term of log-probabilities is left out, as not all pairs have one"
    if scaled:
        rewards, description = scale_min_max(rewards), f"{description}; mapped to 0–100"
    parts = [
        Experience(query=outcome.query, prompt=outcome.prompt, reward=value, advantage=advantage)
        for outcome, value, advantage in zip(
            both, rewards.values, compute_advantages(both, rewards.values, baseline=baseline), strict=True
        )
    ]
    return parts[: len(train.pairs)], parts[len(train.pairs) :], description


def prompt_accuracy(outcomes: Sequence[PairOutcome]) -> dict[str, float]:
    """Return each prompt's success rate, averaged over its queries: the task-level term."""
    return {prompt: math.fsum(means) / len(means) for prompt, means in _rates(outcomes).items()}


def shrunken_accuracy(outcomes: Sequence[PairOutcome]) -> dict[str, float]:
    """Return `prompt_accuracy` shrunk towards the accuracy of all prompts, the less the more queries a prompt has.

    The prior is a beta distribution over prompts, fitted to them (`fit_prior`), so that one right answer of one is not
    an accuracy of 1.
    """
    rates = _rates(outcomes)
    if not rates:
        return {}
    totals = {prompt: math.fsum(means) for prompt, means in rates.items()}
    prior = fit_prior(list(totals.values()), [len(means) for means in rates.values()])
    return {prompt: prior.posterior(total, len(rates[prompt])) for prompt, total in totals.items()}


def _rates(outcomes: Sequence[PairOutcome]) -> dict[str, list[float]]:
    """Return each prompt's success rates, one per query."""
    members: dict[str, list[float]] = {}
    for outcome in outcomes:
        members.setdefault(outcome.prompt, []).append(outcome.mean)
    return members


def scale_min_max(rewards: Rewards, *, low: float = 0.0, high: float = 100.0) -> Rewards:
    """Map rewards linearly to low..high; if all are equal, to the middle."""
    if not low < high:
        raise ConfigError(f"low={low!r} and high={high!r}; expected low < high")
    least, most = min(rewards.values), max(rewards.values)
    if most == least:
        return replace(rewards, values=tuple((low + high) / 2 for _ in rewards.values))
    factor = (high - low) / (most - least)
    return replace(rewards, values=tuple(low + (value - least) * factor for value in rewards.values))


def compute_advantages(
    outcomes: Sequence[PairOutcome], values: Sequence[float], *, baseline: str
) -> list[float | None]:
    """Return each value minus the baseline prompt's on the same query; None if the baseline prompt has none there."""
    base = {outcome.query: value for outcome, value in zip(outcomes, values, strict=True) if outcome.prompt == baseline}
    return [
        value - base[outcome.query] if outcome.query in base else None
        for outcome, value in zip(outcomes, values, strict=True)
    ]


def _share(value: float) -> float:
    if not 0.0 <= value <= 1.0:
        raise DataError(f"an accuracy of {value!r} is outside 0..1; expected a share")
    return value


def _logprob(value: float | None) -> float:
    """Return the term −NLL, which is the mean log-probability; 0 if there is none."""
    if value is None:
        return 0.0
    if not (math.isfinite(value) and value <= 0.0):
        raise DataError(f"a mean log-probability of {value!r}; expected a finite number of at most 0")
    return value
