"""`python -m askwell.tasks.bundled --serve`: the bundled model (and rewriter) behind an OpenAI-compatible endpoint."""

from __future__ import annotations

import click
from aiohttp import web

from askwell.models.bundled import MAX_REPLY_TOKENS
from askwell.models.bundled.editor import EditorModel
from askwell.models.bundled.pocket import pocket_model
from askwell.serve.chat import chat_app
from askwell.tasks.bundled import task_names


@click.command()
@click.option("--serve", is_flag=True, help="Serve `pocket` and `editor` at /v1/chat/completions.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8017, show_default=True, help="Port to listen on; 0 takes a free one.")
def main(*, serve: bool, host: str, port: int) -> None:
    """Serve the bundled model, or list its tasks."""
    if not serve:
        click.echo("\n".join(task_names()))
        return
    models = {"pocket": pocket_model(), "editor": EditorModel()}
    app = chat_app(models, max_tokens=MAX_REPLY_TOKENS, temperature=0.0)
    click.echo(f"serving {sorted(models)} at http://{host}:{port}/v1 (Ctrl-C stops)")
    web.run_app(app, host=host, port=port, print=None)


if __name__ == "__main__":
    main()
