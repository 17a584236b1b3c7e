"""`askwell train`: train a policy that writes one prompt per query."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from askwell.api.build_training import build_train_job
from askwell.api.config import Config
from askwell.api.config_file import read_config, read_toml
from askwell.api.logged import read_resumed_training, read_source_settings
from askwell.api.train import execute_training, train_selection
from askwell.cli import tables
from askwell.cli.console import Console, Text
from askwell.cli.exit_codes import INTERRUPTED
from askwell.cli.flags import (
    DATA_FLAGS,
    JSON_FLAG,
    TARGET_FLAGS,
    flags,
    overrides,
    refuse_old_value,
    reports_errors,
    runs_flag,
)
from askwell.cli.headroom_tables import advice_json, headroom_rows
from askwell.cli.sources import HELD_OUT_FLAG, SOURCE_FLAGS, OutcomeSources, outcome_sources
from askwell.cli.training_tables import selection_sentence, training_json, training_report
from askwell.core.errors import ConfigError
from askwell.policies.data.table import build_table
from askwell.policies.fallback_threshold import encode_fallback
from askwell.policies.offline_eval.train_or_not import advise_training
from askwell.policies.train_job import Trained
from askwell.report.live.progress import Stages
from askwell.runlog import folders

_POLICY_FLAGS = [
    click.option(
        "--method",
        metavar="NAME",
        callback=refuse_old_value,
        help="askwell (default), or qpo: QPO as published.",
    ),
    click.option(
        "--base", metavar="MODEL", help="Language model to start from: gpt2 (default), pocket, a name, a folder."
    ),
    click.option(
        "--objective", metavar="NAME", help="reward-conditioned, filtered-cloning, advantage-weighted or dpo."
    ),
    click.option("--signal", metavar="NAME", help="reward, advantage or group."),
    click.option(
        "--reward", metavar="NAME", help="accuracy, or a formula of the paper: choice, few-shot or free-text."
    ),
    click.option(
        "--scorer",
        metavar="NAME",
        help="Select among the logged prompts with this scorer (multitask, trees or knn); no model is called.",
    ),
    click.option("--loops", type=int, help="Maximum number of trainings (default 3)."),
    click.option("--acquire", type=int, metavar="INTEGER", help="New pairs labelled per loop (default 200)."),
    click.option(
        "--acquisition",
        metavar="NAME",
        callback=refuse_old_value,
        help="Which queries are labelled next: uniform or uncertainty.",
    ),
    click.option("--samples", type=int, help="Prompts ranked per query; 0 sends the greedy one (default 4)."),
    click.option("--epochs", type=int, help="Maximum number of passes over the data."),
    click.option(
        "--learning-rate", type=float, metavar="RATE", help="Rate of the first epoch (default: by the base's size)."
    ),
    click.option("--batch-pairs", type=int, metavar="INTEGER", help="Outcomes per optimizer step (default 128)."),
    click.option(
        "--batch-tokens",
        type=int,
        metavar="INTEGER",
        help="Most tokens computed at once, which bounds the memory (default 4096).",
    ),
    click.option(
        "--lora-rank", type=int, metavar="INTEGER", help="Train adapters of this rank, not all weights (default 0)."
    ),
    click.option("--processes", type=int, help="Train on this number of processes of this machine (default 1)."),
    click.option("--shots", type=int, help="Demonstrations sent with every prompt (default 0)."),
    click.option("--force", is_flag=True, default=None, help="Train although headroom shows nothing to gain."),
    click.option("--seed", type=int, help="Random seed (default 0)."),
    click.option("--run", "run_name", metavar="NAME", help="Name of the training's folder."),
    click.option("--budget-calls", type=int, help="Maximum number of target calls; the final test is reserved."),
    click.option("--resume", metavar="RUN", help="Resume a training: no answered call is made again."),
]
_KEYS = {
    "method": "policy.method",
    "base": "policy.base",
    "objective": "policy.objective",
    "signal": "policy.signal",
    "reward": "policy.reward",
    "scorer": "policy.scorer",
    "loops": "policy.loops",
    "acquire": "policy.acquire",
    "acquisition": "policy.acquisition",
    "samples": "policy.samples",
    "epochs": "policy.epochs",
    "learning_rate": "policy.learning_rate",
    "batch_pairs": "policy.batch_pairs",
    "batch_tokens": "policy.batch_tokens",
    "lora_rank": "policy.lora_rank",
    "processes": "policy.processes",
    "shots": "policy.shots",
    "force": "policy.force",
}
"""Flag -> config key, for the flags of this command alone."""
_OF_THE_SOURCE = frozenset({"prompt", "task", "split", "target", "demos", "policy"})
"""Sections that a training takes from the first run it learns from."""


@click.command()
@click.argument("sources", nargs=-1, metavar="[RUN|FILE]...")
@click.option(
    "--config", "path", type=click.Path(path_type=Path), help="A config file; sections [task] … and [policy]."
)
@flags(DATA_FLAGS, TARGET_FLAGS, _POLICY_FLAGS, SOURCE_FLAGS, [HELD_OUT_FLAG, JSON_FLAG])
@reports_errors
def train(sources: tuple[str, ...], *, path: Path | None, resume: str | None, as_json: bool, **values: Any) -> None:
    """Train a policy that writes one prompt per query, from the outcomes in runs and files.

    Measures headroom first; then runs loops of training and labelling; then one test. New prompts are tried on the
    task and target of the first run named, or on those of the flags. Keeps the baseline prompt if no gain is proven.
    """
    outcomes = outcome_sources(
        sources, **{name: values.pop(name) for name in ("columns", "target_model", "folder", "held_out")}
    )
    train_policy(outcomes, path, resume=resume, as_json=as_json, overrides=overrides(values, _KEYS))


def train_policy(
    outcomes: OutcomeSources, path: Path | None, *, resume: str | None, as_json: bool, overrides: dict[str, Any]
) -> None:
    """Train a policy on logged outcomes, or resume a training, and print its figures."""
    config = (
        read_resumed_training(resume, outcomes.folder, overrides)
        if resume
        else _new_training(outcomes, path, overrides)
    )
    if config.policy.scorer or not (config.task.data or config.task.dev):
        _select(outcomes, config, as_json=as_json)
        return
    training = _run(config, outcomes)
    name, folder = config.run.name, Path(config.run.folder)
    if as_json:
        tables.print_json({"run": name, **training_json(training.figures)})
        return
    out = Console()
    for part in training_report(training.figures):
        out.print(part, highlight=False)
    flag = runs_flag(folder)
    out.print(
        Text(
            f'Policy: {folder / name}/policy · askwell policy prompt {name} "…"{flag} · askwell serve {name}{flag} · '
            f"as a page: askwell report {name}{flag}"
        )
    )


def _run(config: Config, outcomes: OutcomeSources) -> Trained:
    """Run a training by its config; Ctrl-C stops it in order."""
    sources = replace(outcomes, sources=config.policy.sources, seed=config.run.seed)
    job = build_train_job(config, sources.read())
    folder = Path(config.run.folder) / config.run.name
    try:
        with Stages(Console(stderr=True)) as stages:
            return execute_training(job, folder, stages)
    except KeyboardInterrupt:
        print(f"\naskwell: stopped in order. Go on with: askwell train --resume {config.run.name}", file=sys.stderr)
        sys.exit(INTERRUPTED)


def _select(outcomes: OutcomeSources, config: Config, *, as_json: bool) -> None:
    """Select among the logged prompts, for a named scorer or without a task on which new prompts can be labelled."""
    outcomes = replace(outcomes, sources=config.policy.sources, seed=config.run.seed)
    folder = Path(config.run.folder) / config.run.name
    cells = outcomes.read()
    worth = advise_training(build_table(cells), seed=config.run.seed)
    policy = train_selection(cells, folder, seed=config.run.seed, scorer=config.policy.scorer)
    if as_json:
        tables.print_json({
            "run": config.run.name, "headroom": advice_json(worth), "guard": encode_fallback(policy.fallback),
        })  # fmt: skip
        return
    out = Console()
    for label, value in headroom_rows(worth):
        out.print(Text(f"{label:34} {value}"))
    out.print(Text(worth.verdict))
    out.print(Text(f"{selection_sentence(policy)} Saved in {folder}/policy."))
    if not config.policy.scorer:
        out.print(Text("Writing new prompts needs a target to test them on: give --data and --target, or name a run."))


def _source_settings(outcomes: OutcomeSources, path: Path | None, overrides: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of the first run named, without the sections that the config file gives for itself.

    A file that names data describes the whole task, and one that names a model describes the whole target.
    """
    if overrides.get("policy.scorer"):
        return {}
    file = {} if path is None else read_toml(path)
    own = {"task", "split", "prompt", "demos"} if {"data", "dev"} & set(file.get("task", {})) else set[str]()
    own |= {"target"} if "model" in file.get("target", {}) else set()
    if {"task", "target"} <= own:
        return {}
    sources = outcomes.sources or tuple(file.get("policy", {}).get("sources", ()))
    given = {f"target.{name}": value for name, value in file.get("target", {}).items()} | {
        name: value for name, value in overrides.items() if value is not None
    }
    settings = read_source_settings(sources, outcomes.folder, parts=_named_parts(own), given=given)
    return {name: value for name, value in settings.items() if name in _OF_THE_SOURCE - own}


def _named_parts(own: set[str]) -> tuple[str, ...]:
    """Return the parts that must have names in the source's log, as the file does not give them."""
    return (*(() if "task" in own else ("data", "metric")), *(() if "target" in own else ("target",)))


def _new_training(outcomes: OutcomeSources, path: Path | None, overrides: dict[str, Any]) -> Config:
    if not outcomes.sources and path is None:
        raise ConfigError("nothing to train on: name runs or files with logged outcomes, or a --config with sources")
    changes = {**overrides, "policy.sources": list(outcomes.sources) or None, "run.folder": str(outcomes.folder)}
    config = read_config(path, changes, base=_source_settings(outcomes, path, overrides))
    if not config.policy.sources:
        raise ConfigError(f"no sources in {str(path)!r}; give policy.sources, or runs and files on the command line")
    name = config.run.name
    if not name:
        data = (config.task.data or config.task.dev).rpartition(":")[2] or config.policy.sources[0]
        task = config.task.name or Path(data).stem
        name = folders.free_name(outcomes.folder, f"{task}-policy")
    folders.log_path(outcomes.folder, name)  # refuses a name that can't be a folder's
    if folders.is_begun(outcomes.folder, name):
        raise ConfigError(
            f"the run {name!r} exists; go on with it (askwell train --resume {name}) or choose another --run"
        )
    return replace(config, run=replace(config.run, name=name))
