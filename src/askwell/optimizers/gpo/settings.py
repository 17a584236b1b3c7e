"""The settings of GPO, each a key of `[optimizer]` in a config."""

from __future__ import annotations

from dataclasses import dataclass, field

from askwell.core.errors import ConfigError
from askwell.core.validation import check_at_least, check_one_of
from askwell.optimizers.gpo.constraints import CONSTRAINTS, Limits
from askwell.optimizers.gpo.direction import DIRECTIONS, MOMENTA, POOLS
from askwell.optimizers.gpo.metaprompt import REFINEMENTS
from askwell.optimizers.gpo.population import PARENTS, RESTARTS
from askwell.optimizers.gpo.trust_region import BUDGET_MODES, BUDGET_RULES, BudgetSchedule, TrustRegion


@dataclass(frozen=True, slots=True, kw_only=True)
class GPOSettings:
    """The design space of the paper's section 3. The defaults are the paper's preset `gpo`."""

    direction: str = "P+M"
    """What the meta-prompt says about the current prompt: "P" its text, "P+M" also its score, "P+M+R" also a reflection
    on its errors, "P+M+C" also a contrast with another prompt."""
    momentum: str = "relevance"
    """What the meta-prompt says about past prompts: none, summarization, or retrieval by one of `RETRIEVERS`."""
    pool: str = "winners"
    """Which past prompts count: the "winners" of each step (the paper's trajectory) or "all" that were scored."""
    parent: str = "latest"
    """Which prompts a step starts from: the "latest" winner (the paper), the "best" so far, the best few in turn
    ("elite"), or the "pareto" front of per-example dev scores."""
    refinement: str = "generation"
    """What the request asks for: generation, editing, resampling (another wording of the same), or "staged":
    generation while the word budget has room for a new text, then editing."""
    schedule: str = "cosine"
    """How the word budget changes over the steps: none, fixed, linear, cosine, or "trust" (see `trust`)."""
    budget_mode: str = "ask"
    """"ask" states the budget (the paper); "enforce" also measures changes and rejects prompts that exceed it."""
    total_steps: int = 18
    """T of the schedules: epochs × steps per epoch; the paper's BBH runs have 3 × 6."""
    first_words: int = 50
    """Word budget at the start of the schedule (paper: s0)."""
    final_words: int = 10
    """Word budget at the end of the schedule (paper: about 20 % of the first)."""
    warmup_share: float = 0.0
    """Share of the steps, 0..1, over which the budget first rises; the paper tries 0.05 and recommends none."""
    resamples: int = 2
    """Most further rounds of requests that replace rejected prompts."""
    candidates: int = 8
    """New prompts per step: one request each."""
    trajectory_size: int = 7
    """k: most past prompts shown in one meta-prompt (the paper's appendix)."""
    exemplars: int = 3
    """Training examples shown, which define the task and the position of the prompt."""
    batch: int = 8
    """B: training examples on which the current prompt is run before a reflection."""
    reflected: int = 3
    """Most wrong examples shown to a reflection: enough for a pattern, few enough for a short request."""
    reflect_after: int = 0
    """Steps without a better prompt before a reflection is made; 0 reflects in every step (as published)."""
    temperature: float = 1.0
    """Temperature of the optimizer model for proposals; reflections and summaries use 0."""
    max_tokens: int = 512
    """Longest reply of the optimizer model, in its tokens."""
    embedder: str = "lexical"
    """Embedder that measures relevance: "lexical", or "sentence-transformers:MODEL" (the paper: BGE)."""
    data_seed: int = 0
    """Seed of the order of training batches; the same for the whole run."""
    deltas: bool = False
    """Whether to state how many dev examples each past prompt fixes and breaks compared with the current one."""
    lessons: int = 0
    """Most earlier reflections shown again, of those that led to a prompt better than its parent; 0 for none."""
    trust: TrustRegion = field(default_factory=TrustRegion)
    """Parameters of the schedule "trust"."""
    population: int = 4
    """Most distinct parents of one step, if `parent` is "elite" or "pareto"."""
    restart: str = "none"
    """What half of the candidates start from at a plateau: none (no restart), initial, scratch (examples alone)."""
    plateau: int = 0
    """Steps without a better prompt that count as a plateau; 0 disables restarts."""
    constraints: tuple[str, ...] = ()
    """Names in `CONSTRAINTS`, checked before any target call is paid for a prompt."""
    limits: Limits = field(default_factory=Limits)
    """Limits that the constraints check."""
    joint_demos: int = 0
    """Most demonstrations of a prompt in a joint search of instruction and demonstrations; 0 does not search them."""
    length_penalty: float = 0.0
    """Score (0..1) subtracted per 100 words beyond the initial prompt when prompts are compared; never reported."""

    def __post_init__(self) -> None:
        check_one_of("direction", self.direction, DIRECTIONS)
        check_one_of("momentum", self.momentum, MOMENTA)
        check_one_of("pool", self.pool, POOLS)
        check_one_of("parent", self.parent, PARENTS)
        check_one_of("refinement", self.refinement, ["staged", *REFINEMENTS])
        check_one_of("schedule", self.schedule, BUDGET_RULES)
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
            raise ConfigError(f"warmup_share is {self.warmup_share!r}; expected a share of the run, 0..1")

    @property
    def budget_schedule(self) -> BudgetSchedule:
        """Return the settings that determine the size of a step."""
        return BudgetSchedule(
            total_steps=self.total_steps,
            first_words=self.first_words,
            final_words=self.final_words,
            warmup_share=self.warmup_share,
            trust=self.trust,
        )
