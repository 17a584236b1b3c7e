"""Settings of a training, and the two methods that fill them in. Imports neither PyTorch nor numpy.

The fields of these classes are the keys of the config's `[policy]` section, so each stands here once, with its default
and what it means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from askwell.core.validation import check_at_least

Acquisition = Literal["uniform", "uncertainty"]
Formula = Literal["choice", "few-shot", "free-text"]
"""A reward of the paper; see `askwell.policies.rewards`."""
Reward = Literal["accuracy", "choice", "few-shot", "free-text"]
Objective = Literal["reward-conditioned", "filtered-cloning", "advantage-weighted", "dpo"]
Signal = Literal["reward", "advantage", "group"]
"""`reward`: as logged (the paper). `advantage`: over the baseline prompt on the same query; where that prompt is best
none is above 0, so aiming high asks for what was never seen. `group`: the reward minus its query's mean over its
query's standard deviation, so that every query shows what is good for it."""
Conditioning = Literal["embedding", "tokens"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopsSettings:
    """How many loops, what each may label, and what is deployed."""

    loops: int = 3
    """Trainings at most; the first needs no target call, each later one labels new pairs before it."""
    acquire: int = 200
    """New (query, prompt) pairs labelled per loop; the paper's 1,000 are for targets that answer for free."""
    prompts: int = 3
    """Different new prompts per query, at most; the paper takes one."""
    acquisition: Acquisition = "uniform"
    """Which queries are labelled next: at random ("uniform"), or where the outcome is least certain ("uncertainty")."""
    label_baseline: bool = True
    """Label the baseline prompt on each of these queries too: without it a pair has no advantage."""
    samples: int = 4
    """Prompts sampled per query and ranked by the value head; 0 sends the greedy one (the paper)."""
    fallback: bool = True
    """Send the baseline prompt where the predicted gain is below the fallback threshold; False never does (the
    paper)."""
    most_prompts: int = 24
    """Logged prompts per query that are trained on: all that loops labelled, and this many others; 0 is all."""
    reward: Reward = "accuracy"
    """What a logged pair is worth: its score ("accuracy"), or one of the paper's formulas. The method `qpo` takes
    choice, or few-shot where there are demonstrations."""
    min_max: bool = False
    """Scale the formula's rewards to 0..100."""
    selector_first: bool = True
    """Begin with a selector among the logged prompts, as loop 0: a trained policy must beat it to be deployed. It costs
    one more dev evaluation; False is the paper."""
    patience: int = 1
    """Consecutive loops without a gain until it ends; 0 goes on to the last (the paper)."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("loops", "acquire", "prompts"):
            check_at_least(name, getattr(self, name), 1)
        for name in ("samples", "most_prompts", "patience"):
            check_at_least(name, getattr(self, name), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """How a policy's language model is trained; the defaults are ours, `QPO_TRAINING` has the paper's."""

    objective: Objective = "reward-conditioned"
    """What is learned from logged pairs."""
    signal: Signal = "group"
    """What tells pairs apart: the reward, its advantage over the baseline prompt, or its rank within the query."""
    standardise: bool = True
    """Signal minus its mean over its standard deviation, for condition and value."""
    aim: float = 0.9
    """Quantile of the training signals that writing is conditioned on; 1 is the paper's top reward, which few queries
    can bring."""
    hidden_share: float = 0.25
    """Share of the pairs whose condition is hidden in an epoch: the value learns from these alone."""
    value_weight: float | None = None
    """λ of the value's MSE; None is the paper's rule: 0.5 where the MSE is below 10, else 0.1."""
    kept_share: float = 0.25
    """filtered-cloning: the best share of the pairs, ties included."""
    weight_temperature: float = 0.5
    """advantage-weighted: exp(standardised signal / this), at most 20."""
    epochs: int = 20
    """Passes over the data at most, in the first loop."""
    later_epochs: int = 8
    """Going on from an earlier loop's writer."""
    learning_rate: float = 1e-3
    later_learning_rate: float = 3e-4
    decay: float = 0.65
    decay_every: int = 20
    """Epochs after which the learning rate is multiplied by `decay`."""
    batch_pairs: int = 128
    most_shared: int = 32
    """Most prompts of a query in one batch; 1 draws pairs one by one, as the paper does."""
    weight_decay: float = 1e-4
    clip: float = 1.0
    patience: int = 3
    """Epochs without a better dev loss until training stops; 0: never, and the last epoch is kept (the dev loss is then
    measured after that one only)."""
    least_gain: float = 0.002
    """Share by which a dev loss must fall below the best one to be better."""
    packed: bool = True
    """Encode each query once for its prompts; False: one padded row a pair. Same losses either way."""
    bf16: bool = True
    """On a GPU, matrix products in bfloat16. Weights stay float32."""

    def __post_init__(self) -> None:
        check_at_least("epochs", self.epochs, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """What the policy's language model is made of."""

    base: str = "gpt2"
    """Causal language model it starts from: `pocket` (bundled), a folder made by `save_pretrained`, or a hub name.
    `askwell train` takes pocket where nothing is given and pocket is the target, or gpt2 cannot be loaded."""
    conditioning: Conditioning = "embedding"
    lora_rank: int = 0
    """Above 0: the base is frozen and learns through adapters of this rank (peft); 0 trains all of it."""
    max_query_tokens: int = 256
    """Longer queries lose their middle: counted, and told. The released code cut at 40."""
    max_prompt_tokens: int = 64
    device: str = ""
    """PyTorch's name; by default a GPU if there is one."""

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
"""QPO's loops (section 3 of its paper): about 1,000 queries per loop, one sampled prompt each, greedy at the end."""

QPO_TRAINING = TrainSettings(
    signal="reward",
    standardise=False,
    aim=1.0,
    epochs=100,
    later_epochs=20,
    learning_rate=1e-3,
    later_learning_rate=1e-4,
    most_shared=1,
    clip=0.25,
    patience=0,
)
"""The paper's training (section 3 of the specification), but for deviations 1, 2, 3 and 8 of `train.py`'s header. Pairs
are drawn one by one; those of a batch that have a query in common are still encoded together (`packed`), as that
changes no loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingMethod:
    """A named way to train: what `[policy] method` stands for."""

    loops: LoopsSettings = field(default_factory=LoopsSettings)
    training: TrainSettings = field(default_factory=TrainSettings)


METHODS: Mapping[str, TrainingMethod] = MappingProxyType({
    "askwell": TrainingMethod(),
    "qpo": TrainingMethod(loops=QPO_LOOPS, training=QPO_TRAINING),
})  # fmt: skip
