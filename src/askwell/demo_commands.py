"""`askwell demo`: the whole job on the bundled model, in two acts. One prompt for a task; then one for each query."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from askwell import commands, query_commands, train_commands
from askwell.api.config import Config
from askwell.api.config_file import parse_config
from askwell.qpo.table import table_of
from askwell.qpo.worth import judge

TASK = "numbers_even"
STEPS = 9
BUNDLE = "numbers_max+words_first+review_sentiment"
POLICY: dict[str, Any] = {"loops": 3, "acquire": 60, "epochs": 8, "most_prompts": 12}
"""Small enough for two cores and three minutes; the defaults take longer and are for real targets."""


def demo(task: str | None, *, act: int | None, steps: int | None, seed: int, folder: Path) -> None:
    """Play one act, or both."""
    if act in {None, 1}:
        one_prompt(task or TASK, steps=steps or STEPS, seed=seed, folder=folder)
    if act is None and task is None and find_spec("sklearn") is None:
        _say("\nThe second act, a prompt for each query, needs two more packages: pip install 'askwell[qpo,select]'")
    elif act == 2 or (act is None and task is None):
        a_prompt_for_each_query(steps=steps or STEPS, seed=seed, folder=folder)


def one_prompt(task: str, *, steps: int, seed: int, folder: Path) -> None:
    """Optimize a prompt of the bundled model on a bundled task."""
    _say(
        f"Task {task!r}: the bundled model (pocket) answers, the bundled rewriter (editor, a stand-in for an optimizer "
        "LLM) proposes prompts."
    )
    commands.optimize_named(_config(task, {"train": 48, "dev": 48, "test": 300}, steps, seed, folder, {}))


def a_prompt_for_each_query(*, steps: int, seed: int, folder: Path) -> None:
    """Optimize one prompt for mixed queries; then learn, from that run's log, to write one for each query."""
    _say(
        f"\nSecond act: queries of three kinds ({BUNDLE}), one prompt for all of them. What the search logs is what a "
        "policy learns from."
    )
    sizes = {"train": 180, "dev": 60, "test": 300}
    config = _config(BUNDLE, sizes, steps, seed, folder, {"name": "gpo"})
    name = commands.optimize_named(config)
    _say(f"\nWhat is logged in {name}, and is one prompt for each query worth it?")
    which = query_commands.sourced((name,), {"folder": str(folder), "seed": seed})
    for label, value in query_commands.headroom_facts(judge(table_of(which.read()), seed=seed)):
        Console().print(Text(f"{label:34} {value}"))
    overrides = {f"policy.{key}": value for key, value in POLICY.items()} | {"run.seed": seed}
    train_commands.train(which, None, resume=None, as_json=False, overrides=overrides)


def _config(task: str, sizes: dict[str, int], steps: int, seed: int, folder: Path, optimizer: dict[str, Any]) -> Config:
    from askwell import pocket

    return parse_config({
        "prompt": pocket.initial_prompt(task),
        "task": {"data": f"pocket:{task}"},
        "target": {"model": "pocket"},
        "optimizer_model": {"model": "editor"},
        "split": sizes,
        "optimizer": optimizer,
        "run": {"steps": steps, "seed": seed, "folder": str(folder)},
    })  # fmt: skip


def _say(text: str) -> None:
    Console(stderr=True).print(text, highlight=False)
