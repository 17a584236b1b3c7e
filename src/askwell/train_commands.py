"""What `askwell train` and `askwell policy` do, once the flags are read."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from askwell import runs, tables, views
from askwell.api.build_training import train_job
from askwell.api.config import Config
from askwell.api.config_file import read_config
from askwell.api.logged import resumed_training
from askwell.api.train import choose, execute, is_logged, load_policy, settings_of_source
from askwell.errors import ConfigError
from askwell.offline import run_log
from askwell.policy_tables import training_json, training_report
from askwell.qpo.crew import as_one
from askwell.qpo.guard import guard_body
from askwell.qpo.select import SelectionPolicy
from askwell.qpo.table import table_of
from askwell.qpo.worth import judge
from askwell.query_commands import Sourced, headroom_facts, worth_json
from askwell.store import SqliteStore
from askwell.train_job import Trained, figures

_INTERRUPTED = 130


class Stages:
    """Says on standard error what a training is doing: a line for each stage."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._last = ""

    def __call__(self, stage: str, done: int, total: int) -> None:
        del done
        if stage != self._last:
            self._last = stage
            self._console.print(Text(stage + (f": {total:,} calls" if total else "")))


def train(which: Sourced, path: Path | None, *, resume: str | None, as_json: bool, overrides: dict[str, Any]) -> None:
    """Train a policy on logged outcomes, or go on with a training, and print its figures.

    Started several times at once (`torchrun`), the first process does and says everything; the others help it train.
    """
    as_one(lambda: _train(which, path, resume=resume, as_json=as_json, overrides=overrides))


def _train(which: Sourced, path: Path | None, *, resume: str | None, as_json: bool, overrides: dict[str, Any]) -> None:
    config = resumed_training(resume, which.folder) if resume else _new(which, path, overrides)
    if config.policy.scorer or not (config.task.data or config.task.dev):
        _choose(which, config, as_json=as_json)
        return
    found = run(config, which, Stages())
    name, folder = config.run.name, Path(config.run.folder)
    if as_json:
        tables.print_json({"run": name, **training_json(found.figures)})
        return
    out = Console()
    for part in training_report(found.figures):
        out.print(part, highlight=False)
    flag = "" if folder == Path("runs") else f" --runs {folder}"
    out.print(
        Text(
            f'Policy: {folder / name}/policy · askwell policy prompt {name} "…"{flag} · askwell serve {name}{flag} · '
            f"as a page: askwell report {name}{flag}"
        )
    )


def run(config: Config, which: Sourced, stages: Stages) -> Trained:
    """Run a training by its config; Ctrl-C stops in order."""
    sources = Sourced(
        sources=config.policy.sources, columns=which.columns, target=which.target, folder=which.folder,
        held_out=which.held_out, seed=config.run.seed,
    )  # fmt: skip
    job = train_job(config, sources.read())
    folder = Path(config.run.folder) / config.run.name
    try:
        return execute(job, folder, stages)
    except KeyboardInterrupt:
        print(f"\naskwell: stopped in order. Go on with: askwell train --resume {config.run.name}", file=sys.stderr)  # noqa: T201
        sys.exit(_INTERRUPTED)


def show(folder: Path, name: str, *, as_json: bool) -> None:
    """Print what a training's log says, or, of a policy that only chooses, what was measured when it was learnt."""
    if not is_logged(name, folder):
        _show_choosing(name, folder, as_json=as_json)
        return
    with SqliteStore(run_log(name, folder), read_only=True) as store:
        if not runs.is_training(views.header(store.events(kinds=["run"]))):
            raise ConfigError(f"the run {name!r} is an optimization, not a training; askwell show {name} shows it")
        found = figures(store)
    if found is None:
        raise ConfigError(f"the training {name!r} has not measured its headroom yet; look again later, or resume it")
    if as_json:
        tables.print_json(training_json(found))
        return
    for part in training_report(found):
        Console().print(part, highlight=False)


def prompt(folder: Path, name: str, queries: list[str], *, as_json: bool) -> None:
    """Print the prompt that a run's policy sends with each query."""
    prompts = load_policy(name, runs_folder=folder).prompts_for(queries)
    if as_json:
        tables.print_json([
            {"query": query, "prompt": one.instruction, "demonstrations": [demo.input for demo in one.demos]}
            for query, one in zip(queries, prompts, strict=True)
        ])  # fmt: skip
        return
    for one in prompts:
        sys.stdout.write(one.instruction + "\n")


def _show_choosing(name: str, folder: Path, *, as_json: bool) -> None:
    policy = load_policy(name, runs_folder=folder)
    if not isinstance(policy, SelectionPolicy):
        raise ConfigError(f"{name!r} is a policy without a log: nothing was measured of it")
    if as_json:
        single = policy.prompts[policy.static]
        tables.print_json({
            "prompts": list(policy.prompts), "static_prompt": single, "scorer": policy.name,
            "guard": guard_body(policy.guard),
        })  # fmt: skip
        return
    Console().print(Text(_chooses(policy)))


def _chooses(policy: SelectionPolicy) -> str:
    guard = policy.guard
    return (
        f"A policy that chooses among {len(policy.prompts)} logged prompts ({policy.name}): cross-validated gain "
        f"{100 * guard.gain:+.1f} points, {100 * guard.switched:.0f} % of the queries switched."
    )


def _choose(which: Sourced, config: Config, *, as_json: bool) -> None:
    """Asked for by a scorer's name, or no task, so that nothing can be labelled: choose among the logged prompts."""
    which = replace(which, sources=config.policy.sources, seed=config.run.seed)
    folder = Path(config.run.folder) / config.run.name
    cells = which.read()
    worth = judge(table_of(cells), seed=config.run.seed)
    policy = choose(cells, folder, seed=config.run.seed, scorer=config.policy.scorer)
    if as_json:
        tables.print_json({
            "run": config.run.name, "headroom": worth_json(worth), "guard": guard_body(policy.guard),
        })  # fmt: skip
        return
    out = Console()
    for label, value in headroom_facts(worth):
        out.print(Text(f"{label:34} {value}"))
    out.print(Text(worth.verdict))
    out.print(Text(f"{_chooses(policy)} Saved in {folder}/policy."))
    if not config.policy.scorer:
        out.print(Text("Writing new prompts needs a target to try them on: give --data and --target, or name a run."))


def _new(which: Sourced, path: Path | None, overrides: dict[str, Any]) -> Config:
    if not which.sources and path is None:
        raise ConfigError("nothing to learn from: name runs or files with logged outcomes, or a --config with sources")
    base = {} if path or overrides.get("policy.scorer") else settings_of_source(which.sources, which.folder)
    tree = {
        key: value
        for key, value in base.items()
        if key not in {"optimizer", "racing", "budget", "run", "optimizer_model"}
    }
    given = {**overrides, "policy.sources": list(which.sources) or None, "run.folder": str(which.folder)}
    config = read_config(path, given, base=tree)
    if not config.policy.sources:
        raise ConfigError(f"no sources in {str(path)!r}; give policy.sources, or runs and files on the command line")
    name = config.run.name
    if not name:
        data = (config.task.data or config.task.dev).rpartition(":")[2] or config.policy.sources[0]
        task = config.task.name or Path(data).stem
        name = runs.free_name(which.folder, f"{task}-policy")
    runs.log_path(which.folder, name)  # refuses what is no folder name
    if runs.is_begun(which.folder, name):
        raise ConfigError(
            f"the run {name!r} exists; go on with it (askwell train --resume {name}) or choose another --run"
        )
    return replace(config, run=replace(config.run, name=name))
