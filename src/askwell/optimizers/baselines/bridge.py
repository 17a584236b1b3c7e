"""The bridge over which another package's search, in its own thread, calls askwell's engine and its log.

Every target call goes through the evaluator (rendered, graded, limited and logged like any other), and every call of
the optimizer model goes through the run's log. So a resumed search does not pay twice, and its costs are counted in the
same way.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Coroutine, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import NoReturn, TypeVar

from askwell.core.errors import ConfigError, ModelError, RunFailed
from askwell.core.protocols import ChatModel, PromptRunner
from askwell.core.types import FINAL_FAULTS, Example, Message, Prompt, Request, Rollout, Split

Answer = TypeVar("Answer")
_CallKey = tuple[Prompt, str, Split, float | None, int]
"""Prompt, example id, split, temperature, sample index: what makes two target calls the same one."""


class SearchEnded(BaseException):
    """Raised in the search's thread to end it: the budget is used up, or the run is to stop.

    Not an `Exception`: these packages catch every `Exception`, log it and continue.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalSettings:
    """The budget of an external search, and the form of its prompts."""

    target_calls: int = 1500
    """Distinct target calls the search may make; the final test is not included."""
    optimizer_calls: int = 300
    """Calls of the optimizer model."""
    max_tokens: int = 512
    """Longest reply of the optimizer model, in its tokens."""
    demos: int = 4
    """Most demonstrations in a prompt, if the package chooses some (DSPy's optimizers do); 0 for none."""

    def __post_init__(self) -> None:
        for name in ("target_calls", "optimizer_calls", "max_tokens"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)!r}; expected at least 1")
        if self.demos < 0:
            raise ConfigError(f"demos is {self.demos!r}; expected at least 0")


def score_value(rollout: Rollout) -> float:
    """Return the score of a rollout that the bridge returned; those always have one."""
    assert rollout.score is not None
    return rollout.score.value


class Bridge:
    """The calls that a search may make, from any thread.

    `score` returns rollouts that all have a score; `ask` returns the optimizer model's text. Both raise `SearchEnded`
    once the budget is used up, and again at every later call, so that a package that logs errors and continues also
    ends quickly. `error` keeps an error of the engine, because the package may swallow it.
    """

    def __init__(
        self,
        *,
        model: ChatModel,
        run_prompt: PromptRunner,
        step: int,
        seed: int,
        settings: ExternalSettings,
    ) -> None:
        self._model = model
        self._run_prompt = run_prompt
        self._step = step
        self._seed = seed
        self._target_calls_left = settings.target_calls
        self._optimizer_calls_left = settings.optimizer_calls
        self._max_tokens = settings.max_tokens
        self._loop = asyncio.get_running_loop()
        self._rollouts: dict[_CallKey, Rollout] = {}
        self._requests: Counter[tuple[tuple[Message, ...], float]] = Counter()
        self._lock = threading.Lock()
        self.error: BaseException | None = None
        """The engine's error that ended the search; None if the budget ended it."""
        self.over = False
        """Whether the search may make no more calls."""

    def score(
        self,
        prompt: Prompt,
        examples: Sequence[Example],
        *,
        split: Split,
        temperature: float | None = None,
        sample_index: int = 0,
    ) -> list[Rollout]:
        """Return a rollout per example, in order; a repeated call costs nothing."""
        keys: list[_CallKey] = [(prompt, example.id, split, temperature, sample_index) for example in examples]
        with self._lock:
            missing = [example for key, example in zip(keys, examples, strict=True) if key not in self._rollouts]
            if len(missing) > self._target_calls_left:
                self.over = True
            if self.over:
                raise SearchEnded
            self._target_calls_left -= len(missing)
        if missing:
            pending = self._run_prompt(
                prompt, missing, step=self._step, split=split, temperature=temperature, sample_index=sample_index
            )
            for rollout in self._wait(pending):
                if rollout.score is None:
                    # These packages would count the failure as score 0.
                    self._end(RunFailed(f"a target call failed for good: {rollout.completion.error}; resume the run"))
                self._rollouts[prompt, rollout.example_id, split, temperature, sample_index] = rollout
        return [self._rollouts[key] for key in keys]

    def ask(self, messages: Sequence[Message], *, temperature: float) -> str:
        """Send a request to the optimizer model; the n-th identical request gets the n-th sample."""
        with self._lock:
            if self.over or not self._optimizer_calls_left:
                self.over = True
                raise SearchEnded
            self._optimizer_calls_left -= 1
            request = (tuple(messages), temperature)
            sample_index = self._requests[request]
            self._requests[request] += 1
        completion = self._wait(
            self._model.complete(
                Request(
                    messages=tuple(messages),
                    temperature=temperature,
                    max_tokens=self._max_tokens,
                    seed=self._seed % 2**31,
                    sample_index=sample_index,
                )
            )
        )
        if completion.outcome == "failed":
            final = completion.fault in FINAL_FAULTS
            failure = f"the optimizer model {self._model.name!r} failed: {completion.error}"
            self._end(ModelError(failure) if final else RunFailed(f"{failure}; resume the run when it answers again"))
        return completion.text

    def best_on_dev(self, dev: Sequence[Example]) -> Prompt | None:
        """Return the prompt with the best mean among those scored on the whole dev split; of equals the first."""
        dev_scores: dict[Prompt, dict[str, float]] = {}
        for (prompt, example_id, split, _, _), rollout in self._rollouts.items():
            if split == "dev" and rollout.score is not None:
                dev_scores.setdefault(prompt, {})[example_id] = rollout.score.value
        totals = {prompt: sum(scores.values()) for prompt, scores in dev_scores.items() if len(scores) == len(dev)}
        return max(totals, key=lambda prompt: totals[prompt], default=None)

    def _wait(self, call: Coroutine[object, object, Answer]) -> Answer:
        try:
            return asyncio.run_coroutine_threadsafe(call, self._loop).result()
        except (Exception, CancelledError) as error:  # noqa: BLE001 - the optimizer raises it again in the run's thread
            self._end(error)

    def _end(self, error: BaseException) -> NoReturn:
        self.error, self.over = error, True
        raise SearchEnded from error
