"""Everything about GPO that a config can choose."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from askwell.errors import ConfigError, nearest
from askwell.gpo.direction import DIRECTIONS, MOMENTA, PARENTS, POOLS
from askwell.gpo.metaprompt import REFINEMENTS
from askwell.gpo.schedule import SCHEDULES
from askwell.gpo.step_size import BUDGET_MODES


@dataclass(frozen=True, slots=True, kw_only=True)
class GPOSettings:
    """The design space of the paper's section 3. The defaults are the paper's preset `gpo`."""

    direction: str = "P+M"
    """What is told of the current prompt: "P" its text, "P+M" and its score, "P+M+R" and what went wrong with it."""
    momentum: str = "relevance"
    """What is told of the past: none, summarization, or retrieval by one of `RETRIEVERS`."""
    pool: str = "winners"
    """Which past prompts count: the "winners" of each step (the paper's trajectory) or "all" that were scored."""
    parent: str = "latest"
    """Which prompt a step starts from: the "latest" winner (the paper) or the "best" so far."""
    refinement: str = "generation"
    """How the new prompt is asked for: generation, editing, or resampling (another wording of the same)."""
    schedule: str = "cosine"
    """How the word budget runs over the steps: none, fixed, linear, cosine."""
    budget_mode: str = "ask"
    """"ask" states the budget (the paper); "enforce" also measures it and rejects what exceeds it."""
    total_steps: int = 18
    """T of the schedules: epochs × steps an epoch; the paper's BBH runs have 3 × 6."""
    first_words: int = 50
    """Word budget the schedule starts from (paper: s0)."""
    final_words: int = 10
    """Word budget the schedule ends at (paper: about 20 % of the first)."""
    warmup_share: float = 0.0
    """Part of the steps, 0..1, over which the budget first rises; the paper tries 0.05 and does without."""
    resamples: int = 2
    """In mode "enforce": how many further rounds of requests may replace rejected prompts."""
    candidates: int = 8
    """New prompts asked for in a step: one request each."""
    trajectory_size: int = 7
    """k: most past prompts shown at once (the paper's appendix)."""
    exemplars: int = 3
    """Training examples shown, to say what the task is and where the prompt goes."""
    batch: int = 8
    """Training examples the current prompt is tried on before a reflection (B)."""
    reflected: int = 3
    """Most wrong examples shown to a reflection: enough to see a pattern, few enough to read."""
    temperature: float = 1.0
    """Of the optimizer model when it proposes; reflections and summaries use 0."""
    max_tokens: int = 512
    """Longest reply of the optimizer model, in its tokens."""
    embedder: str = "lexical"
    """What measures relevance: "lexical", or "sentence-transformers:MODEL" (the paper: BGE)."""
    data_seed: int = 0
    """Seed of the order in which training batches are walked; the same for the whole run."""

    def __post_init__(self) -> None:
        _one_of("direction", self.direction, DIRECTIONS)
        _one_of("momentum", self.momentum, MOMENTA)
        _one_of("pool", self.pool, POOLS)
        _one_of("parent", self.parent, PARENTS)
        _one_of("refinement", self.refinement, REFINEMENTS)
        _one_of("schedule", self.schedule, ["none", *SCHEDULES])
        _one_of("budget_mode", self.budget_mode, BUDGET_MODES)
        for name in ("total_steps", "candidates", "batch", "max_tokens", "reflected"):
            _at_least(name, getattr(self, name), 1)
        for name in ("first_words", "final_words", "resamples", "trajectory_size", "exemplars", "temperature"):
            _at_least(name, getattr(self, name), 0)
        if not 0 <= self.warmup_share <= 1:
            raise ConfigError(f"warmup_share is {self.warmup_share!r}; expected a part of the run, 0..1")


def _one_of(field: str, value: str, known: Iterable[str]) -> None:
    if value not in (choices := list(known)):
        raise ConfigError(f"unknown {field} {value!r}; {nearest(value, choices)}")


def _at_least(field: str, value: float, least: int) -> None:
    if value < least:
        raise ConfigError(f"{field} is {value!r}; expected at least {least}")
