"""What `askwell serve` does: a run's policy in front of a model, behind an OpenAI-compatible endpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiohttp import web
from rich.console import Console

from askwell.api.build_models import build_model, speaks_openai, upstream_of
from askwell.api.build_task import placed
from askwell.api.config_file import read_config
from askwell.api.train import is_logged, load_policy, settings_of_source
from askwell.errors import ConfigError
from askwell.policy import Policy
from askwell.serve.chat import chat_app
from askwell.serve.prompting import Prompted, Prompting
from askwell.serve.proxy import proxy_app


def serve(name: str, folder: Path, *, host: str, port: int, overrides: dict[str, Any]) -> None:
    """Serve until Ctrl-C."""
    app = app_of(name, folder, overrides=overrides)
    Console().print(
        f"serving {name!r} at http://{host}:{port}/v1 (Ctrl-C stops)", highlight=False, markup=False, soft_wrap=True
    )
    web.run_app(app, host=host, port=port, print=None)


def app_of(name: str, folder: Path, *, overrides: dict[str, Any], policy: Policy | None = None) -> web.Application:
    """Build the application: the run's policy, its placement, and its target (or the one the flags name) upstream."""
    given = {key: value for key, value in overrides.items() if value is not None}
    base = {} if "target.model" in given or not is_logged(name, folder) else settings_of_source([name], folder)
    tree = {key: value for key, value in base.items() if key in {"task", "target"}}
    config = read_config(None, given, base=tree)
    if not config.target.model:
        raise ConfigError(
            "no model to serve in front of: give --target, as PROVIDER:NAME (openai:NAME, …), local:PATH or pocket"
        )
    prompting = Prompting(policy or load_policy(name, runs_folder=folder), placed(config.task))
    if speaks_openai(config.target.model):
        return proxy_app(prompting, upstream_of(config.target), name=name)
    model = build_model(config.target, flag="--target")
    return chat_app({name: Prompted(model, prompting, name)}, temperature=config.target.temperature)
