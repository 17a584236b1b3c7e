"""The policy section of a config, and logged outcomes -> a `TrainJob`: trainer, loops, and how much may be paid."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from askwell.api.build_jobs import resumable, run_identity, target_side
from askwell.api.build_task import build_task
from askwell.api.config import Config, PolicyConfig
from askwell.api.config_file import POLICY_SETTINGS
from askwell.core.errors import ConfigError
from askwell.engine.jobs import encode_header
from askwell.policies.data.outcomes import PairOutcomes
from askwell.policies.labelling import Show
from askwell.policies.protocols import Trainer, Writer
from askwell.policies.query_splits import SplitShares
from askwell.policies.settings import METHODS, LoopsSettings, ModelSettings, TrainSettings
from askwell.policies.train_job import TrainerFactory, TrainJob

if TYPE_CHECKING:
    from askwell.policies.lm.train import Epoch, LanguageModelTrainer

logger = logging.getLogger(__name__)

DEFAULT_BASE = ModelSettings().base
"""The paper's policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySettings:
    """A method's settings, those of the config laid over them: everything that decides how a policy is trained."""

    loops: LoopsSettings
    training: TrainSettings
    model: ModelSettings


def train_job(config: Config, cells: PairOutcomes, *, read_writer: Callable[[Path], Writer] | None = None) -> TrainJob:
    """Build a training by a config. Raises `ConfigError` or `DataError`, before anything is paid for.

    `read_writer` loads what the trainer among the config's objects has saved.
    """
    if config.target.batch:
        raise ConfigError("a training asks its target directly; leave batch out")
    side = target_side(config, build_task(config))
    trainer = config.objects.trainer
    policy = config.policy if trainer is not None else with_base(config.policy, target=side.model.name)
    settings = policy_settings(policy, seed=config.run.seed)
    identity = {
        **run_identity(config, side, ("task", "split", "target")),
        "kind": "policy",
        "seed": config.run.seed,
        "policy": _policy_identity(policy, None if trainer is not None else settings, settings.loops),
        "outcomes": digest(cells),
    }
    return TrainJob(
        header=encode_header(identity, seed=config.run.seed, settings=resumable(config)),
        cells=cells,
        side=side,
        trainer_in=trainer_factory(settings, policy.processes) if trainer is None else _given(trainer, policy),
        read_writer=read_writer or language_writer,
        settings=settings.loops,
        shares=SplitShares(),
        shots=policy.shots,
        force=policy.force,
        caps=config.budget,
    )


def policy_settings(policy: PolicyConfig, *, seed: int) -> PolicySettings:
    """Return the method's settings with the config's laid over them."""
    method = METHODS[policy.method]
    given = dict(policy.settings)
    loops, model, training = (
        {one.name: given[one.name] for one in fields(kind) if one.name in given} for kind in POLICY_SETTINGS
    )
    training = {name: value for name, value in training.items() if name not in {*loops, *model}}
    if "reward" not in loops and policy.shots and method.loops.reward != "accuracy":
        loops["reward"] = "few-shot"
    if "epochs" in training:
        training.setdefault("later_epochs", min(training["epochs"], method.training.later_epochs))
    return PolicySettings(
        loops=replace(method.loops, **loops, seed=seed),
        training=replace(method.training, **training),
        model=ModelSettings(**model),
    )


def _policy_identity(policy: PolicyConfig, settings: PolicySettings | None, loops: LoopsSettings) -> dict[str, object]:
    """Return what decides how a policy is trained; `settings` is None for a trainer of the caller's own."""
    tree = {key: value for key, value in asdict(policy).items() if key not in {"settings", *PolicyConfig.volatile}}
    tree |= {"loops": asdict(loops)} if settings is None else asdict(settings)
    tree.get("model", {}).pop("device", None)  # where it runs, not what it finds
    return json.loads(json.dumps(tree))  # as it is read back: lists


def with_base(policy: PolicyConfig, *, target: str) -> PolicyConfig:
    """Name the language model to start from where the config doesn't: gpt2, or pocket where that is all there is."""
    if policy.settings.get("base"):
        return policy
    is_bundled = target.partition("#")[0] == "pocket" or not _is_at_hand(DEFAULT_BASE)
    base = "pocket" if is_bundled else DEFAULT_BASE
    return replace(policy, settings={**policy.settings, "base": base})


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


def trainer_factory(settings: PolicySettings, processes: int) -> TrainerFactory:
    """Return what makes the trainer of a language model, on so many processes.

    Raises `ConfigError` where PyTorch is missing, or where the trainer can't run on so many processes.
    """
    trainer = language_trainer(settings)
    if processes == 1:
        return lambda folder, is_stopping, show: trainer
    from askwell.policies.lm.launch import MultiProcessTrainer, check_processes

    check_processes(trainer, processes)

    def trainer_in(folder: Path, is_stopping: Callable[[], bool], show: Show) -> Trainer:
        def show_epoch(epoch: Epoch) -> None:
            show(_describe_epoch(epoch), 0, 0)

        return MultiProcessTrainer(
            trainer=replace(trainer, on_epoch=show_epoch),
            processes=processes,
            folder=folder,
            is_stopping=is_stopping,
        )

    return trainer_in


def _describe_epoch(epoch: Epoch) -> str:
    dev = "" if epoch.dev is None else f", dev loss {epoch.dev.total:.3f}"
    return f"epoch {epoch.number + 1}: training loss {epoch.train.total:.3f}{dev}"


def _given(trainer: Trainer, policy: PolicyConfig) -> TrainerFactory:
    if policy.processes > 1:
        raise ConfigError(
            f"processes={policy.processes!r} is for the language model's trainer; leave it out with trainer="
        )
    return lambda folder, is_stopping, show: trainer


def language_trainer(settings: PolicySettings) -> LanguageModelTrainer:
    """Return the trainer of a language model. Raises `ConfigError` where PyTorch is missing."""
    from askwell.policies.lm.train import LanguageModelTrainer

    return LanguageModelTrainer(settings=settings.training, model=settings.model)


def language_writer(folder: Path) -> Writer:
    """Load a trained language model. Raises `ConfigError` where PyTorch is missing."""
    from askwell.policies.lm.writer import load_writer

    return load_writer(folder)


def digest(cells: PairOutcomes) -> str:
    """Name outcomes by their content: a training that is resumed must have the same ones."""
    rows = sorted(f"{one.query}\0{one.prompt}\0{one.total!r}\0{one.draws}" for one in cells.cells)
    return hashlib.blake2b("\n".join(rows).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
