"""Build a `TrainJob` from a config's policy section and logged outcomes."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from askwell.api.build_jobs import build_target_setup, resumable_settings, run_identity
from askwell.api.build_task import build_task
from askwell.api.config import Config, PolicyConfig
from askwell.api.config_file import POLICY_SETTINGS
from askwell.api.endpoints import remember_addresses
from askwell.api.open import load_language_writer
from askwell.core.errors import ConfigError
from askwell.engine.jobs import encode_header
from askwell.engine.preflight import check_priced
from askwell.policies.data.outcomes import PairOutcomes
from askwell.policies.labelling import Show
from askwell.policies.protocols import PromptWriter, Trainer
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
    """The settings of a training: a method's defaults, changed by the config."""

    loops: LoopsSettings
    training: TrainSettings
    model: ModelSettings


def build_train_job(
    config: Config, cells: PairOutcomes, *, read_writer: Callable[[Path], PromptWriter] | None = None
) -> TrainJob:
    """Build a training. Raises `ConfigError` or `DataError` before any call is paid for.

    `read_writer` loads what the trainer of the config's objects saved.
    """
    remember_addresses(config)
    if config.target.batch:
        raise ConfigError("a training calls its target directly; leave batch out")
    target_setup = build_target_setup(config, build_task(config))
    check_priced(config.budget, [("target", target_setup.model)])
    trainer = config.objects.trainer
    policy = config.policy if trainer is not None else fill_base_model(config.policy, target=target_setup.model.name)
    settings = build_policy_settings(policy, seed=config.run.seed)
    identity = {
        **run_identity(config, target_setup, ("task", "split", "target")),
        "kind": "policy",
        "seed": config.run.seed,
        "policy": _policy_identity(policy, None if trainer is not None else settings, settings.loops),
        "outcomes": digest_outcomes(cells),
    }
    return TrainJob(
        header=encode_header(identity, seed=config.run.seed, settings=resumable_settings(config)),
        outcomes=cells,
        target_setup=target_setup,
        make_trainer=build_trainer_factory(settings, policy.processes)
        if trainer is None
        else _factory_of_given(trainer, policy),
        read_writer=read_writer or load_language_writer,
        settings=settings.loops,
        shares=SplitShares(),
        shots=policy.shots,
        force=policy.force,
        caps=config.budget,
    )


def build_policy_settings(policy: PolicyConfig, *, seed: int) -> PolicySettings:
    """Return the method's settings, changed by the config."""
    method = METHODS[policy.method]
    given = dict(policy.settings)
    loops, model, training = (
        {field.name: given[field.name] for field in fields(kind) if field.name in given} for kind in POLICY_SETTINGS
    )
    training = {name: value for name, value in training.items() if name not in {*loops, *model}}
    if "reward" not in loops and policy.shots and method.loops.reward != "accuracy":
        loops["reward"] = "few-shot"
    usual = method.training
    if training.get("learning_rate") and usual.learning_rate and usual.later_learning_rate:
        later = training["learning_rate"] * usual.later_learning_rate / usual.learning_rate
        training.setdefault("later_learning_rate", later)
    if "epochs" in training:
        training.setdefault("later_epochs", min(training["epochs"], method.training.later_epochs))
    return PolicySettings(
        loops=replace(method.loops, **loops, seed=seed),
        training=replace(method.training, **training),
        model=ModelSettings(**model),
    )


def _policy_identity(policy: PolicyConfig, settings: PolicySettings | None, loops: LoopsSettings) -> dict[str, object]:
    """Return the settings that determine a training's results; `settings` is None for a trainer object."""
    tree = {key: value for key, value in asdict(policy).items() if key not in {"settings", *PolicyConfig.volatile}}
    tree |= {"loops": asdict(loops)} if settings is None else asdict(settings)
    tree.get("model", {}).pop("device", None)  # it changes where the training runs, not its results
    return json.loads(json.dumps(tree))  # as it is read back from the log: tuples become lists


def fill_base_model(policy: PolicyConfig, *, target: str) -> PolicyConfig:
    """Fill in the base model if the config has none: gpt2, or pocket if gpt2 cannot be loaded."""
    if policy.settings.get("base"):
        return policy
    is_bundled = target.partition("#")[0] == "pocket" or not _is_loadable(DEFAULT_BASE)
    base = "pocket" if is_bundled else DEFAULT_BASE
    return replace(policy, settings={**policy.settings, "base": base})


def _is_loadable(base: str) -> bool:
    """Return whether a model can be loaded, from the cache or from the hub."""
    try:
        from transformers import AutoConfig
    except ImportError as error:
        raise ConfigError(
            "a policy that writes prompts needs PyTorch and transformers: pip install 'askwell[local,qpo,select]'"
        ) from error
    try:
        AutoConfig.from_pretrained(base, trust_remote_code=False)  # pyright: ignore[reportUnknownMemberType] - partly typed
    except OSError:
        logger.warning("%r cannot be loaded here: the policy starts from the bundled model pocket", base)
        return False
    return True


def build_trainer_factory(settings: PolicySettings, processes: int) -> TrainerFactory:
    """Return a factory of the language model's trainer, on this number of processes.

    Raises `ConfigError` if PyTorch is missing, or if the trainer cannot run on several processes.
    """
    trainer = build_language_trainer(settings)
    if processes == 1:
        return lambda folder, is_stopping, show: replace(trainer, show=show)
    from askwell.policies.lm.launch import MultiProcessTrainer, check_processes

    check_processes(trainer, processes)

    def make_trainer(folder: Path, is_stopping: Callable[[], bool], show: Show) -> Trainer:
        def show_epoch(epoch: Epoch) -> None:
            show(_describe_epoch(epoch), 0, 0)

        return MultiProcessTrainer(
            trainer=replace(trainer, on_epoch=show_epoch),
            processes=processes,
            folder=folder,
            is_stopping=is_stopping,
        )

    return make_trainer


def _describe_epoch(epoch: Epoch) -> str:
    dev = "" if epoch.dev is None else f", dev loss {epoch.dev.total:.3f}"
    return f"epoch {epoch.number + 1}: training loss {epoch.train.total:.3f}{dev}"


def _factory_of_given(trainer: Trainer, policy: PolicyConfig) -> TrainerFactory:
    if policy.processes > 1:
        raise ConfigError(
            f"processes={policy.processes!r} needs the language model's trainer; leave it out with trainer="
        )
    return lambda folder, is_stopping, show: trainer


def build_language_trainer(settings: PolicySettings) -> LanguageModelTrainer:
    """Return the trainer of a language model. Raises `ConfigError` if PyTorch is missing."""
    from askwell.policies.lm.train import LanguageModelTrainer

    return LanguageModelTrainer(settings=settings.training, model=settings.model)


def digest_outcomes(cells: PairOutcomes) -> str:
    """Return a digest of outcomes by content: a resumed training must have the same outcomes."""
    rows = sorted(f"{pair.query}\0{pair.prompt}\0{pair.total!r}\0{pair.repeats}" for pair in cells.pairs)
    return hashlib.blake2b("\n".join(rows).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
