"""A run folder from a stranger leaks nothing and runs nothing, whatever a user does with it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

import pytest

from askwell.cli.service import ServeOptions, build_service
from askwell.core.errors import ConfigError
from tests.support.harness import Ended, clean_environment, events, invoke, optimize_flags, serving
from tests.support.strangers import (
    ESCAPES,
    SECRET,
    add_links,
    add_policy,
    add_writer,
    listening,
    make_hostile,
    write,
)

RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
READING: Sequence[tuple[str, ...]] = (
    ("runs",), ("show", "r"), ("show", "r", "--diff"), ("show", "r", "--calls"),
    ("show", "r", "--call", "best:EXAMPLE"),
    ("report", "r"), ("report", "r", "--format", "md"), ("log", "export", "r", "-o", "OUT"),
    ("log", "import", "r", "-o", "again"), ("experiences", "r"), ("headroom", "r"), ("compare", "r"),
    ("train", "r", "--scorer", "knn", "--run", "chosen"), ("policy", "show", "r"), ("plan", "--resume", "r"),
)  # fmt: skip
EXACT: Sequence[tuple[str, ...]] = (
    ("runs", "--json"), ("show", "r", "--json"), ("show", "r", "--prompt"), ("show", "r", "--calls", "--json"),
    ("policy", "prompt", "r", "2 and 3"), ("export", "r"), ("export", "r", "--format", "json"),
)  # fmt: skip
CALLING: Sequence[tuple[str, ...]] = (
    ("optimize", "--resume", "r"), ("retry", "r"), ("train", "r", "--run", "p"), ("serve", "r", "--port", "0"),
    ("serve", "again", "--port", "0"), ("optimize", "--resume", "again"),
    ("optimize", "--resume", "r", "--base-url", "http://127.0.0.1:9/v1"),
    ("optimize", "--resume", "r", "--api-key-env", "OPENAI_API_KEY"),
)  # fmt: skip
SECRETS = {"OPENAI_API_KEY": f"sk-{SECRET}", "AWS_SECRET_ACCESS_KEY": SECRET}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was made here."""
    folder = tmp_path_factory.mktemp("own")
    with serving() as server:
        flags = [*optimize_flags(server, optimizer="openai:rewriter"), "--steps", "1"]
        run = invoke("optimize", *flags, "--run", "r", "--runs", folder, env={"OPENAI_API_KEY": "k"})
    assert run.status == 0, run.err
    return folder


@pytest.fixture
def world(own: Path, tmp_path: Path) -> Generator[tuple[Path, dict[str, str], list[bytes]]]:
    """A stranger's run `r`, a user's environment with secrets, and what leaves for other machines."""
    shutil.copytree(own / "r", tmp_path / "runs" / "r")
    (tmp_path / "victim").write_text("precious", encoding="utf-8")
    make_hostile(tmp_path / "runs" / "r")
    add_links(tmp_path / "runs" / "r", tmp_path / "victim")
    with listening() as (port, received):
        proxy = f"http://127.0.0.1:{port}"
        variables = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
        yield tmp_path, {**SECRETS, **dict.fromkeys(variables, proxy), "NO_PROXY": "", "no_proxy": ""}, received
    assert received == []
    assert (tmp_path / "victim").read_text(encoding="utf-8") == "precious"


def run(command: Sequence[str], folder: Path, env: Mapping[str, str]) -> Ended:
    example = next(
        str(event.body["id"]) for event in events(folder / "runs" / "r" / "log.db") if event.body.get("split") == "dev"
    )
    names = {"OUT": str(folder / "out"), "best:EXAMPLE": f"best:{example}"}
    return invoke(*(names.get(part, part) for part in command), "--runs", folder / "runs", env=env)


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_what_people_read_holds_no_control_character_and_no_markup(
    command: tuple[str, ...], world: tuple[Path, dict[str, str], list[bytes]]
) -> None:
    folder, env, _ = world
    ended = run(command, folder, env)
    assert not RAW.search(ended.out + ended.err), command
    if command[:2] == ("show", "r"):
        assert "␛]52" in ended.out.replace("\n", "")


@pytest.mark.parametrize("command", EXACT, ids=" ".join)
def test_what_programs_read_is_exact(command: tuple[str, ...], world: tuple[Path, dict[str, str], list[bytes]]) -> None:
    folder, env, _ = world
    ended = run(command, folder, env)
    assert ended.status == 0, ended.err
    shown = (
        json.dumps(ended.json, ensure_ascii=False)
        if ended.out.startswith(("{", "["))
        else json.dumps(ended.out, ensure_ascii=False)
    )
    assert json.dumps(ESCAPES, ensure_ascii=False)[1:-1] in shown


@pytest.mark.parametrize("command", CALLING, ids=" ".join)
def test_no_key_and_no_question_goes_where_the_log_says(
    command: tuple[str, ...], world: tuple[Path, dict[str, str], list[bytes]]
) -> None:
    folder, env, received = world
    imported = run(("log", "import", "r", "-o", "again"), folder, env)
    assert imported.status == 0, imported.err
    ended = run(command, folder, env)
    assert ended.status == 2
    assert "never named on this machine" in ended.err
    assert "--base-url" in ended.err
    assert SECRET not in ended.out + ended.err
    assert received == []


def test_a_report_replaces_a_link_and_leaves_its_target(world: tuple[Path, dict[str, str], list[bytes]]) -> None:
    folder, env, _ = world
    assert run(("report", "r"), folder, env).status == 0
    report = folder / "runs" / "r" / "report.html"
    assert not report.is_symlink()
    assert "<html" in report.read_text(encoding="utf-8")
    out = folder / "link.txt"
    out.symlink_to(folder / "victim")
    assert run(("export", "r", "-o", str(out)), folder, env).status == 0
    assert run(("log", "export", "r", "-o", str(out)), folder, env).status == 0
    assert not out.is_symlink()


@pytest.mark.parametrize(
    ("base_url", "key_env", "named", "is_allowed"),
    [
        ("", "", (), True),
        ("https://api.openai.com/v1", "", (), True),
        ("https://api.openai.com/v1/", "OPENAI_API_KEY", (), True),
        ("http://127.0.0.1:9/v1", "", (), True),
        ("http://localhost:9/v1", "OPENAI_API_KEY", (), True),
        ("http://[::1]:9/v1", "", (), True),
        ("", "AWS_SECRET_ACCESS_KEY", (), False),
        ("http://127.0.0.1:9/v1", "AWS_SECRET_ACCESS_KEY", (), False),
        ("http://evil.example/v1", "", (), False),
        ("http://localhost.evil.example/v1", "", (), False),
        ("http://127.0.0.1.evil.example/v1", "", (), False),
        ("http://evil.localhost/v1", "", (), False),
        ("http://api.openai.com/v1", "", (), False),
        ("https://api.openai.com.evil.example/v1", "", (), False),
        ("https://api.anthropic.com/v1", "", (), False),
        (["http://127.0.0.1:9/v1", "http://evil.example/v1"], "", (), False),
        ("", ["OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY"], (), False),
        ("http://evil.example/v1", "AWS_SECRET_ACCESS_KEY", ("target.base_url",), False),
        ("http://evil.example/v1", "AWS_SECRET_ACCESS_KEY", ("target.api_key_env",), False),
        ("http://evil.example/v1", "", ("target.base_url",), True),
        ("http://evil.example/v1", "AWS_SECRET_ACCESS_KEY", ("target.base_url", "target.api_key_env"), True),
    ],
)
def test_an_address_of_a_log_is_used_only_where_a_key_belongs(
    base_url: str,
    key_env: str,
    named: tuple[str, ...],
    is_allowed: bool,
    own: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    shutil.copytree(own / "r", tmp_path / "r")
    make_hostile(tmp_path / "r", base_url=base_url, key_env=key_env)
    given = {"target.base_url": "http://mine.example/v1", "target.api_key_env": "OPENAI_API_KEY"}
    overrides = {key: given[key] for key in named}
    if is_allowed:
        build_service("r", tmp_path, overrides=overrides, options=ServeOptions())
    else:
        with pytest.raises(ConfigError, match="never named on this machine"):
            build_service("r", tmp_path, overrides=overrides, options=ServeOptions())


def test_the_users_own_run_resumes_without_flags_and_a_strangers_does_not(tmp_path: Path) -> None:
    state = {"XDG_STATE_HOME": str(tmp_path / "state"), "GATEWAY_KEY": "k"}
    elsewhere = {**state, "XDG_STATE_HOME": str(tmp_path / "of-another-user")}
    refused = "never named on this machine"

    def resume(name: str, env: Mapping[str, str], *more: str) -> str:
        return invoke("optimize", "--resume", name, *more, "--runs", tmp_path, env=env).err

    with serving() as server:
        flags = [*optimize_flags(server), "--api-key-env", "GATEWAY_KEY", "--steps", "1", "--run", "r"]
        made = invoke("optimize", *flags, "--runs", tmp_path, env=state)
        assert made.status == 0, made.err
        shutil.copytree(tmp_path / "r", tmp_path / "moved")
        assert refused not in resume("r", state) + resume("moved", state)
        assert refused in resume("r", elsewhere)
        assert refused not in resume("r", elsewhere, "--base-url", server.base_url, "--api-key-env", "GATEWAY_KEY")
        assert refused not in resume("r", elsewhere)


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [("policy", "prompt", "r", "q"), ("serve", "r", "--target", "pocket", "--port", "0")]
)
def test_a_policys_code_is_never_run_and_never_asked_about(
    command: tuple[str, ...], world: tuple[Path, dict[str, str], list[bytes]]
) -> None:
    pytest.importorskip("transformers")
    folder, env, _ = world
    add_policy(folder / "runs" / "r", folder / "canary")
    ended = answered_yes(command, folder, env)
    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert "[y/N]" not in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (folder / "canary").exists()


@pytest.mark.slow
def test_a_kept_policy_asks_no_hub_for_its_base(world: tuple[Path, dict[str, str], list[bytes]]) -> None:
    pytest.importorskip("peft")
    folder, env, _ = world
    add_policy(folder / "runs" / "r", folder / "canary")
    add_writer(folder / "runs" / "r" / "policy" / "writer", lora_rank=4, base="evilorg/evil-model")
    ended = answered_yes(("policy", "prompt", "r", "q"), folder, env)
    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert "evilorg/evil-model" in ended.stderr
    assert "downloads nothing" in ended.stderr


def answered_yes(command: Sequence[str], folder: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "askwell", *command, "--runs", str(folder / "runs")],
        input="y\n" * 5, capture_output=True, text=True, timeout=120, check=False,
        env=clean_environment(**{**env, "HF_HOME": str(folder / "hub")}),
    )  # fmt: skip


def test_an_imported_policy_brings_no_links(own: Path, tmp_path: Path) -> None:
    shutil.copytree(own / "r", tmp_path / "theirs")
    (tmp_path / "secret").write_text("s", encoding="utf-8")
    write(tmp_path / "theirs" / "policy" / "policy.json", {"format": 1})
    (tmp_path / "theirs" / "policy" / "link").symlink_to(tmp_path / "secret")
    imported = invoke("log", "import", tmp_path / "theirs", "-o", "mine", "--runs", tmp_path / "runs")
    assert imported.status == 0, imported.err
    assert [path.name for path in (tmp_path / "runs" / "mine" / "policy").iterdir()] == ["policy.json"]
