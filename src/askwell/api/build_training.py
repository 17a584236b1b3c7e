"""The policy section of a config, and logged outcomes -> a `TrainJob`: trainer, loops, and how much may be paid."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from askwell.api.build_jobs import resumable, target_side
from askwell.api.build_task import build_task
from askwell.api.config import Config, PolicyConfig
from askwell.budget import Caps
from askwell.errors import ConfigError
from askwell.job import TargetSide, header_body
from askwell.qpo.collect import Collecting
from askwell.qpo.data import Cells
from askwell.qpo.loop import LoopsSettings
from askwell.qpo.parts import Shares
from askwell.qpo.rewards import Formula
from askwell.qpo.writing import Trainer, Writer
from askwell.train_job import TrainJob

logger = logging.getLogger(__name__)

DEFAULT_BASE = "gpt2"
"""The paper's policy."""

PAPER_LOOPS = LoopsSettings(
    collecting=Collecting(pairs=1_000, prompts=1, choice="uniform", with_static=False),
    samples=0,
    guarded=False,
    most_prompts=0,
    reward="choice",
    choosing=False,
    patience=0,
)
"""QPO's own loops (section 3 of its paper): about 1,000 queries a loop, one sampled prompt each, greedy at the end."""


def train_job(config: Config, cells: Cells) -> TrainJob:
    """Build a training by a config. Raises `ConfigError` or `DataError`, before anything is paid for."""
    if config.target.batch:
        raise ConfigError("a training asks its target directly; leave batch out")
    task = build_task(config)
    side = target_side(config, task)
    config = config.model_copy(update={"policy": with_base(config.policy, target=side.model.name)})
    identity = {**config.identity(), "name": task.name, "policy": config.policy.model_dump(mode="json")}
    return job_of(
        cells, side, config.policy, identity=identity, settings=resumable(config), seed=config.run.seed,
        caps=Caps(**config.budget.model_dump()),
    )  # fmt: skip


def job_of(
    cells: Cells,
    side: TargetSide,
    policy: PolicyConfig,
    *,
    identity: dict[str, object],
    settings: dict[str, object] | None,
    seed: int,
    caps: Caps,
    trainer: Trainer | None = None,
    read_writer: Callable[[Path], Writer] | None = None,
) -> TrainJob:
    """Build a training from objects; `trainer` (with `read_writer`) stands in for the language model of the config."""
    return TrainJob(
        header=header_body({"kind": "policy", **identity, "outcomes": digest(cells)}, seed=seed, settings=settings),
        cells=cells,
        side=side,
        trainer=trainer or language_trainer(policy),
        read_writer=read_writer or language_writer,
        settings=loops_settings(policy, seed=seed),
        shares=Shares(),
        shots=policy.shots,
        force=policy.force,
        caps=caps,
    )


def loops_settings(policy: PolicyConfig, *, seed: int) -> LoopsSettings:
    """Return the preset's loops with the config's changes laid over them."""
    base = PAPER_LOOPS if policy.preset == "paper" else LoopsSettings()
    collecting = {"pairs": policy.collect, "prompts": policy.prompts, "choice": policy.choice}
    changes = {
        "loops": policy.loops,
        "samples": policy.samples,
        "guarded": policy.guard,
        "most_prompts": policy.most_prompts,
        "choosing": policy.choosing,
        "patience": policy.patience,
    }
    return replace(
        base,
        collecting=replace(base.collecting, **{name: value for name, value in collecting.items() if value is not None}),
        **{name: value for name, value in changes.items() if value is not None},
        reward=_formula(policy, base),
        min_max=policy.min_max,
        seed=seed,
    )


def _formula(policy: PolicyConfig, base: LoopsSettings) -> Formula | None:
    if policy.reward is not None:
        return None if policy.reward == "accuracy" else policy.reward
    return "few-shot" if base.reward is not None and policy.shots else base.reward


def with_base(policy: PolicyConfig, *, target: str) -> PolicyConfig:
    """Name the language model to start from where the config doesn't: gpt2, or pocket where that is all there is."""
    if policy.base:
        return policy
    is_bundled = target.partition("#")[0] == "pocket" or not _is_at_hand(DEFAULT_BASE)
    return policy.model_copy(update={"base": "pocket" if is_bundled else DEFAULT_BASE})


def _is_at_hand(base: str) -> bool:
    """Whether a model can be loaded: in the cache, or from the hub."""
    try:
        from transformers import AutoConfig
    except ImportError as error:
        raise ConfigError(
            "a policy that writes prompts needs PyTorch and transformers: pip install 'askwell[local]'"
        ) from error
    try:
        AutoConfig.from_pretrained(base)  # pyright: ignore[reportUnknownMemberType] - partly typed
    except OSError:
        logger.warning("%r can't be loaded here: the policy starts from pocket, the bundled model", base)
        return False
    return True


def language_trainer(policy: PolicyConfig) -> Trainer:
    """Return the trainer of a language model. Raises `ConfigError` where PyTorch is missing."""
    from askwell.qpo.model import ModelSettings
    from askwell.qpo.train import PAPER, LanguageModelTrainer, TrainSettings

    settings = PAPER if policy.preset == "paper" else TrainSettings()
    later = None if policy.epochs is None else min(policy.epochs, settings.later_epochs)
    changes = {
        "objective": policy.objective, "signal": policy.signal, "epochs": policy.epochs, "later_epochs": later,
    }  # fmt: skip
    return LanguageModelTrainer(
        settings=replace(settings, **{name: value for name, value in changes.items() if value is not None}),
        model=ModelSettings(base=policy.base or DEFAULT_BASE, lora_rank=policy.lora_rank),
    )


def language_writer(folder: Path) -> Writer:
    """Load a trained language model. Raises `ConfigError` where PyTorch is missing."""
    from askwell.qpo.writer import load_writer

    return load_writer(folder)


def digest(cells: Cells) -> str:
    """Name outcomes by their content: a training that is resumed must have the same ones."""
    rows = sorted(f"{one.query}\0{one.prompt}\0{one.total!r}\0{one.draws}" for one in cells.cells)
    return hashlib.blake2b("\n".join(rows).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
