"""`askwell serve`: a run's policy in front of a model, or the bundled models, as an OpenAI-compatible endpoint."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import click

from askwell.cli.console import Console
from askwell.cli.flags import FOLDER_FLAG, flags, overrides, reports_errors
from askwell.cli.request_flags import header_flag
from askwell.cli.service import ServeOptions, Service, build_service, read_client_key
from askwell.models.bundled import MAX_REPLY_TOKENS
from askwell.models.bundled.editor import EditorModel
from askwell.models.bundled.pocket import pocket_model
from askwell.serve.access import Access
from askwell.serve.chat import chat_app
from askwell.serve.server import listen, run_server


def _parse_caps(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> dict[str, float]:
    caps: dict[str, float] = {}
    for value in values:
        field, equals, number = value.partition("=")
        if not (field and equals and number.isdecimal()):
            raise click.BadParameter(f"{value!r} is not NAME=MAX; give for example max_tokens=1000.")
        caps[field] = int(number)
    return caps


_FLAGS = [
    click.option("--target", metavar="MODEL", help="Model to serve in front of (default: the run's)."),
    click.option("--base-url", multiple=True, metavar="URL", help="Its endpoint (http://localhost:8000/v1)."),
    click.option(
        "--api-key-env", metavar="VAR", help="Environment variable with the key (default: the provider's own)."
    ),
    click.option("--placement", metavar="POSITION", help="Position of the prompt (default: the run's)."),
    header_flag("", "the target"),
]
_CLIENT_FLAGS = [
    click.option(
        "--serve-key-env",
        metavar="VAR",
        help="Environment variable with the key that clients must send; needed unless only this machine is served.",
    ),
    click.option("--allow-host", multiple=True, metavar="NAME", help="Further name in the Host header; repeatable."),
    click.option("--cors", multiple=True, metavar="ORIGIN", help="Origin of web pages to serve; repeatable."),
    click.option(
        "--client-sampling", is_flag=True, help="Leave sampling to clients and server (default: the run's own)."
    ),
    click.option("--show-prompt", is_flag=True, help="Send the beginning of the prompt in a response header."),
    click.option("--allow-field", multiple=True, metavar="NAME", help="Request field to pass on although refused."),
    click.option("--deny-field", multiple=True, metavar="NAME", help="Further request field to refuse; repeatable."),
    click.option(
        "--cap",
        multiple=True,
        metavar="NAME=MAX",
        callback=_parse_caps,
        help="Largest value of a request field (n=4, max_tokens=1000).",
    ),
]


@click.command()
@click.argument("run", required=False)
@click.option("--bundled", is_flag=True, help="Serve the bundled models pocket and editor instead of a run.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=8018,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@flags(_FLAGS, _CLIENT_FLAGS, [FOLDER_FLAG])
@reports_errors
def serve(
    run: str | None,
    *,
    bundled: bool,
    folder: Path,
    host: str,
    port: int,
    serve_key_env: str | None,
    allow_host: tuple[str, ...],
    cors: tuple[str, ...],
    client_sampling: bool,
    show_prompt: bool,
    allow_field: tuple[str, ...],
    deny_field: tuple[str, ...],
    cap: dict[str, float],
    **values: Any,
) -> None:
    """Serve a run's policy as an OpenAI-compatible endpoint in front of its target model.

    The endpoint adds the policy's prompt to each query. Ctrl-C stops it.
    """
    if bundled == (run is not None):
        raise click.UsageError("give the name of a RUN, or --bundled")
    key = read_client_key(serve_key_env) if serve_key_env else None
    options = ServeOptions(
        access=Access.of(host, names=allow_host, origins=cors, key=key),
        client_sampling=client_sampling,
        shows_prompt=show_prompt,
        allowed_fields=frozenset(allow_field),
        denied_fields=frozenset(deny_field),
        caps=cap,
    )
    if run is None:
        service = _bundled_service(options)
    else:
        service = build_service(run, folder, overrides=overrides(values), options=options)
    served = "the bundled models pocket and editor" if run is None else repr(run)
    sockets = listen(host, port)
    run_server(service.app, sockets, lambda: _announce(served, _url(sockets[0]), service.upstream, serve_key_env))


def _bundled_service(options: ServeOptions) -> Service:
    """Build the service of the bundled models, each under its own name."""
    models = {"pocket": pocket_model(), "editor": EditorModel()}
    defaults = {} if options.client_sampling else {"temperature": 0.0, "max_tokens": MAX_REPLY_TOKENS}
    return Service(
        app=chat_app(models, access=options.access, rules=options.rules(defaults)), upstream="none, in this process"
    )


def _announce(served: str, url: str, upstream: str, key_variable: str | None) -> None:
    clients = "need the key in the variable " + repr(key_variable) if key_variable else "on this machine need no key"
    for line in (f"serving {served} at {url} (Ctrl-C stops)", f"upstream: {upstream}", f"clients {clients}"):
        Console().print(line, highlight=False, markup=False, soft_wrap=True)


def _url(listener: socket.socket) -> str:
    """Return the address for clients."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"
