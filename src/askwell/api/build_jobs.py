"""Names -> objects: the only bridge from a config to a job. Nothing after this looks at a name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from askwell.api.build_models import build_batched, build_model, default_max_tokens, in_flight
from askwell.api.build_task import build_task, evaluation_task
from askwell.api.config import Config, RacingConfig
from askwell.api.endpoints import shown_all
from askwell.budget import Caps
from askwell.errors import ConfigError
from askwell.evaluation import Sampling
from askwell.gpo.embed import default_embedder
from askwell.job import EvaluateJob, OptimizeJob, TargetSide, header_body
from askwell.loop import LoopSettings
from askwell.methods import DEFAULT_PRESET, Search, search
from askwell.models.gate import Gates
from askwell.race import RaceSettings
from askwell.tasks.base import Task
from askwell.tasks.demos import JOINT, Demos
from askwell.types import Prompt

_BATCH_LOOKAHEAD = 1000


def optimize_job(config: Config) -> OptimizeJob:
    """Build an optimization. Raises `ConfigError` or `DataError`, before anything is paid for."""
    config = paced_by_batches(config)
    task = build_task(config)
    demos = Demos(**config.demos.model_dump())
    chosen = configured_search(
        config.search, steps=config.run.steps, temperature=config.optimizer.temperature, demos=demos
    )
    racing = race_settings(config.racing, default=chosen.racing)
    gates = Gates()
    optimizer_model = build_model(config.optimizer, flag="--optimizer", trace=config.run.trace, gates=gates)

    return OptimizeJob(
        header=header_body(
            {**config.identity(), "name": task.name, "search": chosen.identity(), "racing": asdict(racing)},
            seed=config.run.seed,
            settings=resumable(config),
        ),
        initial=[demos.start_from(config.prompt.strip(), task.splits["train"])],
        side=target_side(config, replace(task, render=demos.around(task.render, task.splits["train"])), gates),
        optimizer_model=optimizer_model,
        make_optimizer=chosen.maker(task),
        settings=LoopSettings(
            steps=chosen.steps(config.run.steps), patience=config.run.patience, seed=config.run.seed, racing=racing
        ),
        caps=Caps(**config.budget.model_dump()),
    )


def evaluate_job(config: Config, prompts: list[str]) -> EvaluateJob:
    """Build an evaluation of some prompts on all of a data set."""
    task = evaluation_task(config)
    identity = {**config.identity(), "name": task.name, "prompt": prompts}
    return EvaluateJob(
        header=header_body(identity, seed=config.run.seed, settings=None),
        prompts=[Prompt(instruction=text) for text in dict.fromkeys(text.strip() for text in prompts)],
        side=target_side(config, task),
    )


def target_side(config: Config, task: Task, gates: Gates | None = None) -> TargetSide:
    """Return the target model, how it is asked, and what failures a run may have."""
    target = config.target
    return TargetSide(
        task=task,
        model=(build_batched if target.batch else build_model)(
            target, flag="--target", trace=config.run.trace, gates=gates
        ),
        sampling=Sampling(
            temperature=target.temperature or 0.0,
            max_tokens=target.max_tokens or default_max_tokens(target.model),
            seed=target.seed,
            draws=target.draws,
        ),
        concurrency=in_flight(target),
        max_missing=config.run.max_missing,
    )


def resumable(config: Config) -> dict[str, Any]:
    """Return the whole config but for the run's own place, which its folder tells, and secrets in a URL's query."""
    tree = config.model_dump(mode="json")
    del tree["run"]["name"], tree["run"]["folder"]
    for role, model in (("target", config.target), ("optimizer", config.optimizer)):
        tree[role]["base_url"] = shown_all(model.base_url)
    return tree


def paced_by_batches(config: Config) -> Config:
    """Return the config with a race's way of asking fit for batches: each look at the scores may take a day.

    Everybody is scored on everything unless a race is asked for, and then many calls are asked for ahead.
    """
    if config.optimizer.batch:
        raise ConfigError("optimizer.batch: the optimizer model's calls wait for one another; batches are the target's")
    if not config.target.batch:
        return config
    racing = config.racing
    if racing.method is None:
        racing = racing.model_copy(update={"method": "full"})
    elif racing.method != "full" and racing.lookahead is None:
        racing = racing.model_copy(update={"lookahead": _BATCH_LOOKAHEAD})
    return config.model_copy(update={"racing": racing})


def configured_search(
    tree: Mapping[str, Any], *, steps: int, temperature: float | None, demos: Demos | None = None
) -> Search:
    """Return a preset with changes laid over it; the schedules' T is the run's number of steps."""
    changes = {key: value for key, value in tree.items() if key != "preset"}
    defaults: dict[str, Any] = {"total_steps": max(1, steps), "embedder": default_embedder()}
    if demos is not None and demos.choice == JOINT:
        changes.setdefault("joint_demos", demos.count)
    elif demos is not None and demos.choice:
        defaults["joint_demos"] = 0
    if temperature is not None:
        defaults["temperature"] = temperature
    return search(str(tree.get("preset", DEFAULT_PRESET)), changes, defaults=defaults)


def race_settings(config: RacingConfig, *, default: RaceSettings) -> RaceSettings:
    """Return how candidates are scored; `default` is the preset's own way."""
    return replace(default, **config.model_dump(exclude_none=True))
