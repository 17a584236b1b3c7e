"""A config -> a job: the one place that turns names into objects. Nothing after this looks at a name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from askwell.api.build_models import build_batched, build_model, in_flight, reply_limit
from askwell.api.build_task import answer_type, build_task, evaluation_task, placed
from askwell.api.config import Config, OptimizerConfig, TargetConfig
from askwell.api.endpoints import shown_all
from askwell.core.errors import ConfigError
from askwell.core.types import Prompt
from askwell.engine.evaluator import Sampling
from askwell.engine.jobs import EvaluateJob, OptimizeJob, TargetSide, encode_header
from askwell.engine.loop import LoopSettings
from askwell.engine.race import RaceSettings
from askwell.models.embedder import default_embedder
from askwell.models.wrappers.shared_gate import SharedGates
from askwell.optimizers.presets import ConfiguredOptimizer, configure
from askwell.tasks.demos import JOINT, Demos
from askwell.tasks.task import Task

_BATCH_LOOKAHEAD = 1000


def optimize_job(config: Config) -> OptimizeJob:
    """Build an optimization. Raises `ConfigError` or `DataError`, before anything is paid for."""
    config = paced_by_batches(config)
    task, demos = build_task(config), config.demos
    train = task.splits.get("train", ())
    optimizer = configured_optimizer(
        config.optimizer, steps=config.run.steps, temperature=config.optimizer_model.temperature, demos=demos
    )
    racing = race_settings(config.racing, default=optimizer.racing)
    gates = SharedGates()
    optimizer_model = config.objects.optimizer_model or build_model(
        config.optimizer_model, flag="--optimizer-model", trace=config.run.trace, gates=gates
    )
    side = target_side(config, replace(task, render=demos.around(task.render, train)), gates)
    identity = run_identity(config, side, ("task", "split", "target", "optimizer_model", "demos", "run"))
    if config.objects.optimizer_model is not None:
        identity["optimizer_model"]["model"] = optimizer_model.name
    identity |= {"prompt": config.prompt.strip(), "optimizer": optimizer.identity(), "racing": asdict(racing)}
    return OptimizeJob(
        header=encode_header(identity, seed=config.run.seed, settings=resumable(config)),
        initial=[demos.start_from(config.prompt.strip(), train)],
        side=side,
        optimizer_model=optimizer_model,
        make_optimizer=optimizer.factory(task),
        settings=LoopSettings(
            steps=optimizer.limit_steps(config.run.steps), patience=config.run.patience, seed=config.run.seed
        ),
        racing=racing,
        caps=config.budget,
    )


def evaluate_job(config: Config, prompts: list[str]) -> EvaluateJob:
    """Build an evaluation of some prompts on all of a data set."""
    side = target_side(config, evaluation_task(config))
    identity = {**run_identity(config, side, ("task", "split", "target")), "prompt": prompts}
    return EvaluateJob(
        header=encode_header(identity, seed=config.run.seed, settings=None),
        prompts=[Prompt(instruction=text) for text in dict.fromkeys(text.strip() for text in prompts)],
        side=side,
    )


def target_side(config: Config, task: Task, gates: SharedGates | None = None) -> TargetSide:
    """Return the target model, how it is asked, and what failures a run may have."""
    target = config.target
    build = build_batched if target.batch else build_model
    return TargetSide(
        task=task,
        model=config.objects.target or build(target, flag="--target", trace=config.run.trace, gates=gates),
        sampling=sampling_of(target),
        concurrency=in_flight(target),
        max_missing=config.run.max_missing,
    )


def sampling_of(target: TargetConfig) -> Sampling:
    """Return how a target is sampled; no model is asked for a longer reply than it can give."""
    given = {one.name: getattr(target, one.name) for one in fields(Sampling)}
    return Sampling(**{**given, "max_tokens": reply_limit(target.model, target.max_tokens)})


def run_identity(config: Config, side: TargetSide, sections: Iterable[str]) -> dict[str, Any]:
    """Return the settings that decide what a run finds, those that were left open filled in.

    A run that was begun from Python and one that was begun from a file have the same identity where they do the same.
    """
    identity: dict[str, Any] = {**config.identity(sections), "name": side.task.name}
    objects, where = config.objects, placed(config.task)
    metric = answer_type(config.task) if objects.metric is None else objects.metric
    identity["task"] |= {
        "name": side.task.name,
        "metric": metric if isinstance(metric, str) else getattr(metric, "__qualname__", type(metric).__qualname__),
        "placement": where.placement,
    }
    identity["target"] |= asdict(side.sampling)
    if objects.target is not None:
        identity["target"]["model"] = objects.target.name
    return identity


def resumable(config: Config) -> dict[str, Any]:
    """Return the whole config for the log, so that the run can be built again from there.

    Left out are the run's own folder, which may be moved, and secrets in a URL's query. `unnamed` holds the parts that
    were given from Python as objects: only Python can give them again.
    """
    tree = config.tree()
    del tree["run"]["name"], tree["run"]["folder"]
    for role, model in (("target", config.target), ("optimizer_model", config.optimizer_model)):
        tree[role]["base_url"] = shown_all(model.base_url)
    unnamed = config.objects.unnamed()
    return {**tree, "unnamed": unnamed} if unnamed else tree


def paced_by_batches(config: Config) -> Config:
    """Return the config with a race's way of asking fit for batches: each look at the scores may take a day.

    All candidates are scored on everything unless a race is asked for, and then many calls are asked for ahead.
    """
    if config.optimizer_model.batch:
        raise ConfigError(
            "optimizer_model.batch: the optimizer model's calls wait for one another; batches are the target's"
        )
    if not config.target.batch:
        return config
    method = config.racing.get("method")
    if method is None:
        return replace(config, racing={**config.racing, "method": "full"})
    if method == "full":
        return config
    return replace(config, racing={"lookahead": _BATCH_LOOKAHEAD, **config.racing})


def configured_optimizer(
    config: OptimizerConfig, *, steps: int, temperature: float | None, demos: Demos | None = None
) -> ConfiguredOptimizer:
    """Return the optimizer with the config's settings; the T of its schedules is the run's number of steps."""
    changes = dict(config.settings)
    defaults: dict[str, Any] = {"total_steps": max(1, steps), "embedder": default_embedder()}
    if demos is not None and demos.choice == JOINT:
        changes.setdefault("joint_demos", demos.count)
    elif demos is not None and demos.choice:
        defaults["joint_demos"] = 0
    if temperature is not None:
        defaults["temperature"] = temperature
    return configure(config.name, changes, defaults=defaults)


def race_settings(changes: Mapping[str, Any], *, default: RaceSettings) -> RaceSettings:
    """Return how candidates are scored; `default` is the optimizer's own way."""
    return replace(default, **changes)
