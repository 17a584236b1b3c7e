"""Other packages' optimizers on askwell's engine: their search, our calls, log, caps and budget.

A peer is synchronous code with a loop of its own. It runs in a thread and asks back through a `Bridge`: every target
call goes through the evaluator (rendered, graded, limited and logged like any other) and every call of the optimizer
model through the run's log. So a peer's run resumes without paying twice, and costs are counted in the same way.

The peer's whole search is one step of the loop. It scores on the dev split itself, as its validation set; the dev
texts are not shown to the optimizer model (no peer here does that with its validation set). Its answer is one prompt,
whose dev cells the loop then finds in the log.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Coroutine, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from typing import NoReturn, Protocol, TypeVar

from askwell.core.errors import AskwellError, ConfigError, ModelError, RunFailed
from askwell.core.protocols import ChatModel, Demand, PromptRunner
from askwell.core.trajectory import Trajectory
from askwell.core.types import FINAL_FAULTS, Example, Message, Prompt, Proposal, Request, Rollout, Split

Answer = TypeVar("Answer")
_Asked = tuple[Prompt, str, Split, float | None, int]


class SearchOver(BaseException):
    """Raised in a peer's thread to end its search: the budget is used up, or the run is to stop.

    No `Exception`, because peers catch those, log them and go on.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerSettings:
    """What a peer's search may spend, and how its prompts are asked for."""

    target_calls: int = 1500
    """Different target calls the search may make; the final test comes on top."""
    optimizer_calls: int = 300
    """Calls of the optimizer model."""
    max_tokens: int = 512
    """Longest reply of the optimizer model, in its tokens."""
    demos: int = 4
    """Most demonstrations in a prompt, where the peer chooses some (DSPy's do); 0 leaves them out."""

    def __post_init__(self) -> None:
        for name in ("target_calls", "optimizer_calls", "max_tokens"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)!r}; expected at least 1")
        if self.demos < 0:
            raise ConfigError(f"demos is {self.demos!r}; expected at least 0")


def value_of(rollout: Rollout) -> float:
    """Return the score of a rollout that the bridge gave; it gives none without."""
    assert rollout.score is not None
    return rollout.score.value


class Bridge:
    """What a peer's code may ask for, from whichever thread it runs in.

    `score` returns rollouts that all have a score; `ask` returns the optimizer model's text. Both raise `SearchOver`
    when `target_calls` different cells have been asked for, and again at every later call: packages that log and go on
    come to their end quickly. Errors of the engine are kept for `error`, as no peer's handling of them can be trusted.
    """

    def __init__(
        self,
        *,
        model: ChatModel,
        run_prompt: PromptRunner,
        step: int,
        seed: int,
        settings: PeerSettings,
    ) -> None:
        self._model = model
        self._run_prompt = run_prompt
        self._step = step
        self._seed = seed
        self._left = settings.target_calls
        self._asks_left = settings.optimizer_calls
        self._max_tokens = settings.max_tokens
        self._loop = asyncio.get_running_loop()
        self._known: dict[_Asked, Rollout] = {}
        self._asked: Counter[tuple[tuple[Message, ...], float]] = Counter()
        self._lock = threading.Lock()
        self.error: BaseException | None = None
        """What ended the search from outside; None for a used-up budget."""
        self.over = False

    def score(
        self,
        prompt: Prompt,
        examples: Sequence[Example],
        *,
        split: Split,
        temperature: float | None = None,
        sample_index: int = 0,
    ) -> list[Rollout]:
        """Return a rollout for each example, in order; what was asked before costs nothing."""
        keys: list[_Asked] = [(prompt, example.id, split, temperature, sample_index) for example in examples]
        with self._lock:
            missing = [example for key, example in zip(keys, examples, strict=True) if key not in self._known]
            if len(missing) > self._left:
                self.over = True
            if self.over:
                raise SearchOver
            self._left -= len(missing)
        if missing:
            pending = self._run_prompt(
                prompt, missing, step=self._step, split=split, temperature=temperature, sample_index=sample_index
            )
            for rollout in self._wait(pending):
                if rollout.score is None:
                    self._end(RunFailed(f"a target call failed for good: {rollout.completion.error}; resume the run"))
                self._known[prompt, rollout.example_id, split, temperature, sample_index] = rollout
        return [self._known[key] for key in keys]

    def ask(self, messages: Sequence[Message], *, temperature: float) -> str:
        """Put a request to the optimizer model; the n-th time the same one is put it is its n-th draw."""
        with self._lock:
            if self.over or not self._asks_left:
                self.over = True
                raise SearchOver
            self._asks_left -= 1
            request = (tuple(messages), temperature)
            sample_index = self._asked[request]
            self._asked[request] += 1
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
            words = f"the optimizer model {self._model.name!r} failed: {completion.error}"
            self._end(ModelError(words) if final else RunFailed(f"{words}; resume the run when it answers again"))
        return completion.text

    def best_on_dev(self, dev: Sequence[Example]) -> Prompt | None:
        """Return the prompt with the best mean among those scored on all of the dev split; of equals the first."""
        found: dict[Prompt, dict[str, float]] = {}
        for (prompt, example_id, split, _, _), rollout in self._known.items():
            if split == "dev" and rollout.score is not None:
                found.setdefault(prompt, {})[example_id] = rollout.score.value
        full = {prompt: sum(scores.values()) for prompt, scores in found.items() if len(scores) == len(dev)}
        return max(full, key=lambda prompt: full[prompt], default=None)

    def _wait(self, asked: Coroutine[object, object, Answer]) -> Answer:
        try:
            return asyncio.run_coroutine_threadsafe(asked, self._loop).result()
        except (Exception, CancelledError) as error:  # noqa: BLE001 - raised again where the search was begun
            self._end(error)

    def _end(self, error: BaseException) -> NoReturn:
        self.error, self.over = error, True
        raise SearchOver from error


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchTask:
    """What a search starts from, and what it may spend."""

    initial: Prompt
    train: Sequence[Example]
    dev: Sequence[Example]
    settings: PeerSettings
    seed: int


class ExternalSearch(Protocol):
    """Another package's optimizer, as a function.

    Contract: synchronous; all calls go through the bridge; nothing of `dev` but scores decides anything and none of its
    texts is sent to the optimizer model; deterministic by `seed` as far as the package is; lets `SearchOver` through,
    or returns soon after it. Returns the prompt it would deploy.
    """

    def __call__(self, bridge: Bridge, task: SearchTask) -> Prompt: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A peer's whole search as the first step of the loop; later steps propose nothing."""

    search: ExternalSearch
    origin: str
    model: ChatModel
    run_prompt: PromptRunner
    train: Sequence[Example]
    dev: Sequence[Example]
    settings: PeerSettings = field(default_factory=PeerSettings)

    async def propose(self, trajectory: Trajectory, *, seed: int) -> list[Proposal]:
        if trajectory.next_step > 1:
            return []
        bridge = Bridge(
            model=self.model,
            run_prompt=self.run_prompt,
            step=trajectory.next_step,
            seed=seed,
            settings=self.settings,
        )
        parent = trajectory.candidates[0].prompt
        found = await asyncio.to_thread(self._searched, bridge, parent, seed)
        if bridge.error is not None:
            raise bridge.error
        return [] if found is None else [Proposal(prompt=found, parent=parent, origin=self.origin)]

    def demand(self, step: int) -> Demand:
        if step > 1:
            return Demand(proposals=0, optimizer_calls=0)
        settings = self.settings
        return Demand(proposals=1, optimizer_calls=settings.optimizer_calls, train_calls=settings.target_calls)

    def _searched(self, bridge: Bridge, initial: Prompt, seed: int) -> Prompt | None:
        try:
            task = SearchTask(
                initial=initial, train=self.train, dev=self.dev, settings=self.settings, seed=seed % 2**31
            )
            return self.search(bridge, task)
        except SearchOver:
            return bridge.best_on_dev(self.dev)
        except AskwellError:
            raise
        except Exception as error:  # whatever another package's code raises on what a model said
            raise RunFailed(
                f"the search of {self.origin!r} broke with {type(error).__name__}: {error}; what it paid for is in the "
                "log, another optimizer model may give answers that it can read"
            ) from error
