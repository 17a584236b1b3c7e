"""Settings of a training, and the two methods with their values. Imports neither PyTorch nor numpy.

The fields of these classes are the keys of the config's `[policy]` section.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from askwell.core.errors import ConfigError
from askwell.core.validation import check_at_least

Acquisition = Literal["uniform", "uncertainty"]
Formula = Literal["choice", "few-shot", "free-text"]
"""A reward formula of the paper; see `askwell.policies.rewards`."""
Reward = Literal["accuracy", "choice", "few-shot", "free-text"]
Objective = Literal["reward-conditioned", "filtered-cloning", "advantage-weighted", "dpo"]
Signal = Literal["reward", "advantage", "group"]
"""`reward`: as logged (the paper). `advantage`: minus the baseline prompt's reward on the same query; if that prompt is
the best one, no advantage is above 0, and a high target was never seen in training. `group`: the reward minus its
query's mean, over its query's standard deviation, so that every query has prompts above and below 0."""
Conditioning = Literal["embedding", "tokens"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopsSettings:
    """How many loops run, how many pairs each labels, and which policy is deployed."""

    loops: int = 3
    """Most trainings; the first needs no target call, each later one labels new pairs first."""
    acquire: int = 200
    """New (query, prompt) pairs labelled per loop; the paper takes 1,000, with targets that cost nothing per call."""
    prompts: int = 3
    """Most new prompts per query; the paper takes one."""
    acquisition: Acquisition = "uniform"
    """Which pairs are labelled next: random ("uniform"), or those with the least certain outcome ("uncertainty")."""
    label_baseline: bool = True
    """Label the baseline prompt on each of these queries too; without it a pair has no advantage."""
    samples: int = 4
    """Prompts sampled per query and ranked by the value head; 0 sends the greedy one (the paper)."""
    fallback: bool = True
    """Send the baseline prompt if the predicted gain is not above the fallback threshold; False: never (the paper)."""
    most_prompts: int = 24
    """Most logged prompts per query in the training data; 0 is all."""
    reward: Reward = "accuracy"
    """Reward of a logged pair: its score ("accuracy"), or one of the paper's formulas. The method `qpo` takes "choice",
    or "few-shot" with demonstrations."""
    min_max: bool = False
    """Scale the formula's rewards to 0..100."""
    selector_first: bool = True
    """Fit a selector among the logged prompts as loop 0, which a trained policy must beat to be deployed. It costs one
    more dev evaluation; False is the paper."""
    patience: int = 1
    """Consecutive loops without a gain after which the run ends; 0 runs all loops (the paper)."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("loops", "acquire", "prompts"):
            check_at_least(name, getattr(self, name), 1)
        for name in ("samples", "most_prompts", "patience"):
            check_at_least(name, getattr(self, name), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """How a policy's language model is trained; `QPO_TRAINING` has the paper's values."""

    objective: Objective = "reward-conditioned"
    """What is learnt from logged pairs; see `lm/train.py`."""
    signal: Signal = "group"
    """What a pair is trained with: its reward, advantage over the baseline prompt, or reward within its query."""
    standardise: bool = True
    """Subtract the signals' mean and divide by their standard deviation, for condition and value."""
    target_quantile: float = 0.9
    """Quantile of the training signals that generation is conditioned on; 1 is the paper's highest reward, which few
    queries can reach."""
    condition_dropout: float = 0.25
    """Share of the pairs whose condition is hidden in an epoch; the value head learns from these alone."""
    value_weight: float | None = None
    """λ of the value's MSE; None is the paper's rule: 0.5 if the MSE is below 10, else 0.1."""
    kept_share: float = 0.25
    """filtered-cloning: share of the pairs that is cloned, the best ones, ties included."""
    weight_temperature: float = 0.5
    """advantage-weighted: a pair's weight is exp(standardised signal / this), at most 20."""
    epochs: int = 20
    """Most passes over the data in the first loop."""
    later_epochs: int = 8
    """Most passes in a later loop, which continues from the earlier loop's writer."""
    learning_rate: float | None = None
    """Rate of the first epoch; None: 1e-3 (the paper) for bases up to GPT-2's 124 million weights, less in proportion
    for larger ones, and 1e-3 for adapters."""
    later_learning_rate: float | None = None
    """The same in later loops; None: 0.3 of `learning_rate`."""
    decay: float = 0.65
    decay_every: int = 20
    """Epochs after which the learning rate is multiplied by `decay`."""
    batch_pairs: int = 128
    """Pairs per optimizer step."""
    batch_tokens: int = 4_096
    """Most tokens that are computed at once. A larger batch is computed in several passes whose gradients add up: the
    step is the same, and the memory is bounded."""
    most_shared: int = 32
    """Most prompts per query in one batch; 1 draws pairs one by one (the paper)."""
    weight_decay: float = 1e-4
    clip: float = 1.0
    """Largest norm of the gradient."""
    patience: int = 3
    """Epochs without a better dev loss after which training stops; 0: never, and the last epoch is kept (the dev loss
    is then measured after the last epoch only)."""
    least_gain: float = 0.002
    """Share by which a dev loss must be below the best one to count as better."""
    packed: bool = True
    """Encode each query once for its prompts; False: one padded row per pair, with the same losses."""
    bf16: bool = True
    """On a GPU, compute matrix products in bfloat16. Weights stay float32."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_pairs", "batch_tokens"):
            check_at_least(name, getattr(self, name), 1)
        for name in ("learning_rate", "later_learning_rate"):
            rate = getattr(self, name)
            if rate is not None and not 0 < rate < math.inf:
                raise ConfigError(f"{name}={rate!r}; expected a number above 0, such as 1e-3")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """The policy's language model: its base, how it is conditioned, and its limits."""

    base: str = "gpt2"
    """Causal language model to start from: `pocket` (bundled), a folder made by `save_pretrained`, or a hub name.
    Without a `base`, `askwell train` takes pocket if the target is pocket, or if gpt2 can't be loaded."""
    conditioning: Conditioning = "embedding"
    """How the target signal enters the input: as an embedding, or as a word."""
    lora_rank: int = 0
    """Above 0: freeze the base and train adapters of this rank (peft); 0 trains all weights."""
    max_query_tokens: int = 256
    """Longer queries lose their middle, with a warning. The released code cut them at 40."""
    max_prompt_tokens: int = 64
    """Longest generated prompt; longer logged prompts lose their end, with a warning."""
    device: str = ""
    """PyTorch's name of a device; empty: a GPU if there is one."""

    def __post_init__(self) -> None:
        check_at_least("lora_rank", self.lora_rank, 0)


QPO_LOOPS = LoopsSettings(
    acquire=1_000,
    prompts=1,
    label_baseline=False,
    samples=0,
    fallback=False,
    most_prompts=0,
    reward="choice",
    selector_first=False,
    patience=0,
)
"""QPO's loops (section 3 of its paper): about 1,000 queries per loop with one sampled prompt each; deployed: greedy."""

QPO_TRAINING = TrainSettings(
    signal="reward",
    standardise=False,
    target_quantile=1.0,
    epochs=100,
    later_epochs=20,
    learning_rate=1e-3,
    later_learning_rate=1e-4,
    most_shared=1,
    clip=0.25,
    patience=0,
)
"""The paper's training, except for deviations 1, 2, 3 and 8 of `lm/train.py`'s header. Pairs are drawn one by one;
pairs of a batch with the same query are still encoded together (`packed`), because that changes no loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingMethod:
    """The settings that a `[policy] method` stands for."""

    loops: LoopsSettings = field(default_factory=LoopsSettings)
    training: TrainSettings = field(default_factory=TrainSettings)


METHODS: Mapping[str, TrainingMethod] = MappingProxyType({
    "askwell": TrainingMethod(),
    "qpo": TrainingMethod(loops=QPO_LOOPS, training=QPO_TRAINING),
})  # fmt: skip
