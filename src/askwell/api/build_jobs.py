"""Build a job from a config: names are resolved to objects here, and nowhere after it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from askwell.api.build_models import build_batched, build_model, limit_reply_tokens, list_checks, max_in_flight
from askwell.api.build_prompts import prepare_prompt, prepare_prompts
from askwell.api.build_task import build_evaluation_task, build_render, build_task, resolve_answer_type
from askwell.api.config import Config, OptimizerConfig, TargetConfig
from askwell.api.endpoints import redact_urls, remember_addresses
from askwell.core.errors import ConfigError
from askwell.core.types import Prompt
from askwell.core.validation import check_at_least
from askwell.engine.evaluator import Sampling
from askwell.engine.jobs import EvaluateJob, OptimizeJob, TargetSetup, encode_header
from askwell.engine.loop import LoopSettings
from askwell.engine.preflight import check_priced
from askwell.engine.race import RaceSettings
from askwell.models.embedder import default_embedder
from askwell.models.http.headers import redact_headers
from askwell.models.parts import parts_of
from askwell.models.wrappers.shared_gate import SharedGates
from askwell.optimizers.presets import ConfiguredOptimizer, configure
from askwell.tasks.demos import JOINT, Demos
from askwell.tasks.task import Task

_BATCH_LOOKAHEAD = 1000


def build_optimize_job(config: Config, *, calls_models: bool = True) -> OptimizeJob:
    """Build an optimization. Raises `ConfigError` or `DataError` before any call is paid for.

    A job that `calls_models` needs their keys; a plan calls none.
    """
    remember_addresses(config)
    config = adapt_racing_to_batches(config)
    task, demos = build_task(config), config.demos
    prompt = prepare_prompt(config, task)
    train = task.splits.get("train", ())
    optimizer = configure_optimizer(
        config.optimizer, steps=config.run.steps, temperature=config.optimizer_model.temperature, demos=demos
    )
    optimizer.require_packages()
    racing = merge_race_settings(config.racing, default=optimizer.racing)
    gates = SharedGates()
    optimizer_model = config.objects.optimizer_model or build_model(
        config.optimizer_model, flag="--optimizer-model", trace=config.run.trace, gates=gates, needs_key=calls_models
    )
    target_setup = build_target_setup(
        config, replace(task, render=demos.wrap(task.render, train)), gates, needs_key=calls_models
    )
    check_priced(config.budget, [("target", target_setup.model), ("optimizer", optimizer_model)])
    identity = run_identity(config, target_setup, ("task", "split", "target", "optimizer_model", "demos", "run"))
    if config.objects.optimizer_model is not None:
        identity["optimizer_model"]["model"] = optimizer_model.name
    identity |= {"prompt": prompt, "optimizer": optimizer.identity(), "racing": asdict(racing)}
    return OptimizeJob(
        header=encode_header(
            identity,
            seed=config.run.seed,
            settings=resumable_settings(config),
            target_code=parts_of(target_setup.model).code,
        ),
        initial=[demos.initial_prompt(prompt, train)],
        target_setup=target_setup,
        optimizer_model=optimizer_model,
        make_optimizer=optimizer.factory(task),
        settings=LoopSettings(
            steps=optimizer.limit_steps(config.run.steps), patience=config.run.patience, seed=config.run.seed
        ),
        racing=racing,
        caps=config.budget,
        checks=list_checks(config),
        force=config.run.force,
        has_own_metric=config.objects.metric is not None,
    )


def build_evaluate_job(config: Config, prompts: list[str], *, ask_twice: int = 0) -> EvaluateJob:
    """Build an evaluation of some prompts on a whole data set; `ask_twice` questions are asked a second time."""
    check_at_least("ask_twice", ask_twice, 0)
    remember_addresses(config)
    target_setup = build_target_setup(config, build_evaluation_task(config))
    texts = prepare_prompts(config, target_setup.task, prompts)
    identity = {**run_identity(config, target_setup, ("task", "split", "target")), "prompt": texts}
    return EvaluateJob(
        header=encode_header(
            identity, seed=config.run.seed, settings=None, target_code=parts_of(target_setup.model).code
        ),
        prompts=[Prompt(instruction=text) for text in texts],
        target_setup=target_setup,
        ask_twice=ask_twice,
        has_own_metric=config.objects.metric is not None,
    )


def build_target_setup(
    config: Config, task: Task, gates: SharedGates | None = None, *, needs_key: bool = True
) -> TargetSetup:
    """Build the target model, its sampling, and the limits on calls and failures."""
    target = config.target
    build = build_batched if target.batch else build_model
    return TargetSetup(
        task=task,
        model=config.objects.target
        or build(target, flag="--target", trace=config.run.trace, gates=gates, needs_key=needs_key),
        sampling=build_sampling(target),
        concurrency=max_in_flight(target),
        max_missing=config.run.max_missing,
    )


def build_sampling(target: TargetConfig) -> Sampling:
    """Return the sampling of a target; `max_tokens` is at most what the model can give."""
    given = {field.name: getattr(target, field.name) for field in fields(Sampling)}
    return Sampling(**{**given, "max_tokens": limit_reply_tokens(target.model, target.max_tokens)})


def run_identity(config: Config, target_setup: TargetSetup, sections: Iterable[str]) -> dict[str, Any]:
    """Return the settings that determine a run's results, with defaults filled in.

    A run started from Python and one started from a file have the same identity if they do the same.
    """
    identity: dict[str, Any] = {**config.identity(sections), "name": target_setup.task.name}
    objects, render = config.objects, build_render(config.task)
    metric = resolve_answer_type(config.task) if objects.metric is None else objects.metric
    identity["task"] |= {
        "name": target_setup.task.name,
        "metric": metric if isinstance(metric, str) else getattr(metric, "__qualname__", type(metric).__qualname__),
        "placement": render.placement,
    }
    identity["target"] |= asdict(target_setup.sampling)
    if objects.target is not None:
        identity["target"]["model"] = objects.target.name
    return identity


def resumable_settings(config: Config) -> dict[str, Any]:
    """Return the whole config for the log, so that the run can be rebuilt from the log.

    It leaves out the run's folder, which may be moved, secrets in a URL's query, and the values of headers. `unnamed`
    describes the parts that were given from Python as objects: only Python can provide them again.
    """
    tree = config.tree()
    del tree["run"]["name"], tree["run"]["folder"]
    for role, model in (("target", config.target), ("optimizer_model", config.optimizer_model)):
        tree[role]["base_url"] = redact_urls(model.base_url)
        tree[role]["headers"] = redact_headers(model.headers)
    unnamed = config.objects.unnamed()
    return {**tree, "unnamed": unnamed} if unnamed else tree


def adapt_racing_to_batches(config: Config) -> Config:
    """Return the config with racing adapted to batches, because each round of scores may take a day.

    Without a racing method, all candidates are scored on the whole split. With one, many calls are submitted ahead.
    """
    if config.optimizer_model.batch:
        raise ConfigError(
            "optimizer_model.batch: the optimizer model's calls depend on one another; only the target can use batches"
        )
    if not config.target.batch:
        return config
    method = config.racing.get("method")
    if method is None:
        return replace(config, racing={**config.racing, "method": "full"})
    if method == "full":
        return config
    return replace(config, racing={"lookahead": _BATCH_LOOKAHEAD, **config.racing})


def configure_optimizer(
    config: OptimizerConfig, *, steps: int, temperature: float | None, demos: Demos | None = None
) -> ConfiguredOptimizer:
    """Return the optimizer with the config's settings; the T of its schedules is the number of steps."""
    changes = dict(config.settings)
    defaults: dict[str, Any] = {"total_steps": max(1, steps), "embedder": default_embedder()}
    if demos is not None and demos.choice == JOINT:
        changes.setdefault("joint_demos", demos.count)
    elif demos is not None and demos.choice:
        defaults["joint_demos"] = 0
    if temperature is not None:
        defaults["temperature"] = temperature
    return configure(config.name, changes, defaults=defaults)


def merge_race_settings(changes: Mapping[str, Any], *, default: RaceSettings) -> RaceSettings:
    """Return how candidates are scored: the config's changes applied to the optimizer's default."""
    return replace(default, **changes)
