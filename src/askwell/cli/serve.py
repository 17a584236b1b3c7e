"""`askwell serve`: a run's policy in front of a model, or the bundled models, as an OpenAI-compatible endpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from aiohttp import web

from askwell.api.build_models import build_model, build_upstream, is_openai_compatible
from askwell.api.build_task import build_render
from askwell.api.config_file import read_config
from askwell.api.logged import read_source_settings
from askwell.api.policies import has_log, load_policy
from askwell.cli.console import Console
from askwell.cli.flags import FOLDER_FLAG, flags, overrides, reports_errors
from askwell.core.errors import ConfigError
from askwell.core.protocols import Policy
from askwell.models.bundled import MAX_REPLY_TOKENS
from askwell.models.bundled.editor import EditorModel
from askwell.models.bundled.pocket import pocket_model
from askwell.serve.chat import chat_app
from askwell.serve.prompting import PromptedModel, PromptInserter
from askwell.serve.proxy import proxy_app

_FLAGS = [
    click.option("--target", metavar="MODEL", help="Model to serve in front of (default: the run's)."),
    click.option("--base-url", metavar="URL", help="Its endpoint (http://localhost:8000/v1)."),
    click.option(
        "--api-key-env", metavar="VAR", help="Environment variable with the key (default: the provider's own)."
    ),
    click.option("--placement", metavar="POSITION", help="Position of the prompt (default: the run's)."),
]


@click.command()
@click.argument("run", required=False)
@click.option("--bundled", is_flag=True, help="Serve the bundled models pocket and editor instead of a run.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8018, show_default=True, help="Port to listen on; 0 takes a free one.")
@flags(_FLAGS, [FOLDER_FLAG])
@reports_errors
def serve(run: str | None, *, bundled: bool, folder: Path, host: str, port: int, **values: Any) -> None:
    """Serve a run's policy as an OpenAI-compatible endpoint in front of its target model.

    The endpoint adds the policy's prompt to each query. Ctrl-C stops it.
    """
    if bundled == (run is not None):
        raise click.UsageError("give the name of a RUN, or --bundled")
    app = build_bundled_app() if run is None else build_app(run, folder, overrides=overrides(values))
    served = "the bundled models pocket and editor" if run is None else repr(run)
    Console().print(
        f"serving {served} at http://{host}:{port}/v1 (Ctrl-C stops)", highlight=False, markup=False, soft_wrap=True
    )
    web.run_app(app, host=host, port=port, print=None)


def build_app(name: str, folder: Path, *, overrides: dict[str, Any], policy: Policy | None = None) -> web.Application:
    """Build the application: the run's policy and placement, in front of its target (or the flags' target)."""
    changes = {key: value for key, value in overrides.items() if value is not None}
    base = {} if "target.model" in changes or not has_log(name, folder) else read_source_settings([name], folder)
    tree = {key: value for key, value in base.items() if key in {"task", "target"}}
    config = read_config(None, changes, base=tree)
    if not config.target.model:
        raise ConfigError(
            "no model to serve in front of: give --target, as PROVIDER:NAME (openai:NAME, …), local:PATH or pocket"
        )
    inserter = PromptInserter(policy or load_policy(name, runs_folder=folder), build_render(config.task))
    if is_openai_compatible(config.target.model):
        return proxy_app(inserter, build_upstream(config.target), name=name)
    model = build_model(config.target, flag="--target")
    return chat_app({name: PromptedModel(model, inserter, name)}, temperature=config.target.temperature)


def build_bundled_app() -> web.Application:
    """Build the application that serves the bundled models, each under its own name."""
    models = {"pocket": pocket_model(), "editor": EditorModel()}
    return chat_app(models, max_tokens=MAX_REPLY_TOKENS, temperature=0.0)
