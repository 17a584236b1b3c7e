"""Everything about GPO that a config can choose."""

from __future__ import annotations

from dataclasses import dataclass, field

from askwell.core.errors import ConfigError
from askwell.core.validation import check_at_least, check_one_of
from askwell.optimizers.gpo.constraints import CONSTRAINTS, Limits
from askwell.optimizers.gpo.direction import DIRECTIONS, MOMENTA, POOLS
from askwell.optimizers.gpo.metaprompt import REFINEMENTS
from askwell.optimizers.gpo.population import PARENTS, RESTARTS
from askwell.optimizers.gpo.trust_region import BUDGET_MODES, STRIDES, BudgetSchedule, TrustRegion


@dataclass(frozen=True, slots=True, kw_only=True)
class GPOSettings:
    """The design space of the paper's section 3. The defaults are the paper's preset `gpo`."""

    direction: str = "P+M"
    """What is told of the current prompt: "P" its text, "P+M" and its score, "P+M+R" and what went wrong with it, or
    "P+M+C" and what another prompt does better."""
    momentum: str = "relevance"
    """What is told of the past: none, summarization, or retrieval by one of `RETRIEVERS`."""
    pool: str = "winners"
    """Which past prompts count: the "winners" of each step (the paper's trajectory) or "all" that were scored."""
    parent: str = "latest"
    """Which prompts a step starts from: the "latest" winner (the paper), the "best" so far, the "elite" in turn, or
    the "pareto" front of per-example dev scores."""
    refinement: str = "generation"
    """How the new prompt is asked for: generation, editing, resampling (another wording of the same), or "staged":
    generation while the word budget has room for a new text, then editing."""
    schedule: str = "cosine"
    """How the word budget runs over the steps: none, fixed, linear, cosine, or "trust" (see `trust`)."""
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
    """How many further rounds of requests may replace rejected prompts."""
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
    reflect_after: int = 0
    """Steps without a better prompt before a reflection is paid for; 0 reflects in every step (as published)."""
    temperature: float = 1.0
    """Of the optimizer model when it proposes; reflections and summaries use 0."""
    max_tokens: int = 512
    """Longest reply of the optimizer model, in its tokens."""
    embedder: str = "lexical"
    """What measures relevance: "lexical", or "sentence-transformers:MODEL" (the paper: BGE)."""
    data_seed: int = 0
    """Seed of the order in which training batches are walked; the same for the whole run."""
    deltas: bool = False
    """Tell of each past prompt how many dev examples it fixes and breaks against the current one."""
    lessons: int = 0
    """Most reflections remembered, of those that led to a prompt better than its parent; 0 forgets all."""
    trust: TrustRegion = field(default_factory=TrustRegion)
    """Of the schedule "trust"."""
    population: int = 4
    """Most distinct prompts that one step starts from, where `parent` is "elite" or "pareto"."""
    restart: str = "none"
    """What half of the candidates start from at a plateau: none (as always), initial, scratch."""
    plateau: int = 0
    """Steps without a better prompt that are a plateau; 0 sees none."""
    constraints: tuple[str, ...] = ()
    """What a prompt must keep to before any call is paid for it: names in `CONSTRAINTS`."""
    limits: Limits = field(default_factory=Limits)
    """The numbers and texts behind the constraints."""
    joint_demos: int = 0
    """Most demonstrations of a prompt, where they are searched together with the instruction; 0 leaves them alone."""
    length_penalty: float = 0.0
    """Score (0..1) that 100 words more than the initial prompt's cost where prompts are compared; never reported."""

    def __post_init__(self) -> None:
        check_one_of("direction", self.direction, DIRECTIONS)
        check_one_of("momentum", self.momentum, MOMENTA)
        check_one_of("pool", self.pool, POOLS)
        check_one_of("parent", self.parent, PARENTS)
        check_one_of("refinement", self.refinement, ["staged", *REFINEMENTS])
        check_one_of("schedule", self.schedule, STRIDES)
        check_one_of("restart", self.restart, RESTARTS)
        object.__setattr__(self, "constraints", tuple(self.constraints))  # a config file has lists
        for name in self.constraints:
            check_one_of("constraint", name, CONSTRAINTS)
        check_one_of("budget_mode", self.budget_mode, BUDGET_MODES)
        for name in ("total_steps", "candidates", "batch", "max_tokens", "reflected", "population"):
            check_at_least(name, getattr(self, name), 1)
        for name in ("first_words", "final_words", "resamples", "trajectory_size", "exemplars", "temperature",
                     "lessons", "plateau", "reflect_after", "joint_demos", "length_penalty"):  # fmt: skip
            check_at_least(name, getattr(self, name), 0)
        if not 0 <= self.warmup_share <= 1:
            raise ConfigError(f"warmup_share is {self.warmup_share!r}; expected a part of the run, 0..1")

    @property
    def pace(self) -> BudgetSchedule:
        """Return what the size of a step is reckoned from."""
        return BudgetSchedule(
            total_steps=self.total_steps,
            first_words=self.first_words,
            final_words=self.final_words,
            warmup_share=self.warmup_share,
            trust=self.trust,
        )
