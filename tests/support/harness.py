"""What the end-to-end tests share: the command line as a process, a task with a server that answers it, and logs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, cast

from click.testing import CliRunner

from askwell.cli.main import main
from askwell.core.types import Event, Example, Message
from askwell.runlog import codec
from askwell.runlog.fold import read_rollouts
from askwell.runlog.store import SqliteStore
from askwell.tasks.load import load
from askwell.tasks.render import ChatRender
from tests.support.logs import stored
from tests.support.servers import ChatServer, chat_server

ROOT = Path(__file__).parents[2]
SUMS = ROOT / "tests" / "data" / "sums.json"
CONFIG = ROOT / "tests" / "data" / "lexical.toml"
BBH = ROOT.parent / "shared" / "data" / "benchmarks" / "bbh" / "object_counting.json"
START = "Let's think step by step."
OPTIMIZER = "rewriter"
"""The server's second model: it answers meta-prompts."""
SMALL = ("--train", "6", "--dev", "12", "--test", "12", "--steps", "3", "--candidates", "4")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def clean_environment(**more: str) -> dict[str, str]:
    """The environment of a user who has set nothing up; `more` is what this one has set."""
    kept = {name: value for name, value in os.environ.items() if "API_KEY" not in name and "PROXY" not in name.upper()}
    return {**kept, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1", "COLUMNS": "160", **more}


def start(
    *arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None, **more: Any
) -> subprocess.Popen[str]:
    """Start `askwell …` as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "askwell", *map(str, arguments)],
        cwd=cwd,
        env=dict(env or clean_environment()),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        **more,
    )


def ended(process: subprocess.Popen[str], *, timeout_s: float = 120.0) -> Ended:
    """Wait for a process, killing it when it takes too long."""
    try:
        out, err = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"not ended after {timeout_s} s; it said {out!r} and {err!r}") from None
    return Ended(status=process.returncode, out=out, err=err)


def askwell(*arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None, timeout_s: float = 120.0) -> Ended:
    """Run `askwell …` to its end."""
    return ended(start(*arguments, cwd=cwd, env=env), timeout_s=timeout_s)


def invoke(*arguments: str | Path, env: Mapping[str, str | None] | None = None) -> Ended:
    """Run `askwell …` in this process: for what needs no process of its own. A traceback is a failure of the test."""
    unset = {name: None for name in os.environ if "API_KEY" in name}
    result = CliRunner().invoke(main, [str(one) for one in arguments], env={**unset, "COLUMNS": "160", **(env or {})})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ended(status=result.exit_code, out=result.stdout, err=result.stderr)


def optimize_flags(server: ChatServer, data: Path = SUMS, *, optimizer: str = "editor") -> list[str]:
    """Flags of a small optimization on the test server."""
    flags = [
        str(CONFIG),
        "--data",
        str(data),
        "--metric",
        "number",
        "--target",
        "openai:tiny",
        "--base-url",
        server.base_url,
    ]
    flags += ["--optimizer-model", optimizer, *SMALL]
    return [*flags, "--optimizer-model-base-url", server.base_url] if optimizer.startswith("openai:") else flags


@dataclass(slots=True)
class Answerer:
    """The models behind the test server: deterministic by what they are asked, better under some prompts."""

    targets: Mapping[str, str]
    asked: dict[str, Any] = field(default_factory=dict[str, Any])
    """The request that `reply` is about to answer; see `note`."""
    samples: int = 0
    """Replies given to it so far: a request for `n` gets different ones."""

    @classmethod
    def of(cls, data: Path = SUMS) -> Answerer:
        return cls({example.input: str(example.target) for example in load(data)})

    def note(self, body: dict[str, Any]) -> None:
        """Remember a request: the server's `transform`, called just before `reply`, which sees no model or seed."""
        self.asked, self.samples = body, 0

    def reply(self, messages: Sequence[Mapping[str, str]]) -> str:
        """Answer a question; a prompt's skill is a hash of its words, 15 to 85 % of the questions."""
        if self.asked.get("model") == OPTIMIZER:
            return self._rewritten()
        text = messages[-1]["content"]
        question = next((known for known in self.targets if text.startswith(known)), None)
        if question is None:
            return "I don't know this question."
        prompt = text.removeprefix(question).strip()
        skill = 15 + digest(prompt) % 70
        right = digest(f"{prompt}|{question}") % 100 < skill
        return f"The answer is {self.targets[question]}." if right else f"The answer is {digest(text) % 50 + 100}."

    def _rewritten(self) -> str:
        dice = digest(f"{self.asked['messages']}{self.asked.get('seed')}{self.samples}")
        self.samples += 1
        prompt = " ".join(_PHRASES[dice // divisor % len(_PHRASES)] for divisor in (1, 7, 49)[: 1 + dice % 3])
        return f"<START>{prompt}<END>"


_PHRASES = (
    "Count each thing once.", "Add the numbers.", "Answer with a number.", "Take a deep breath.", "Be brief.",
    "Check the sum twice.", "List the items first.",
)  # fmt: skip


def digest(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=6).digest())


def events(log: Path) -> list[Event]:
    """Read a whole log; `Event` compares without times."""
    with SqliteStore(log, read_only=True) as store:
        return list(store.events())


def answered(found: Iterable[Event]) -> list[Event]:
    """The events for which the server answered once each: the draws of a step come in one answer."""

    asked: set[object] = set()

    def is_further_draw(event: Event) -> bool:
        if event.kind != "call":
            return False
        request = codec.decode_request(cast("codec.Body", event.body["request"]))
        again = (request.messages, request.temperature) in asked and request.sample_index > 0
        asked.add((request.messages, request.temperature))
        return again

    paid = [event for event in found if event.kind in {"call", "rollout"} and not event.body.get("cached")]
    return [event for event in paid if not is_further_draw(event)]


def kinds(found: Iterable[Event]) -> Counter[str]:
    return Counter(event.kind for event in found)


def assert_same_events(left: Sequence[Event], right: Sequence[Event]) -> None:
    """Position, kind, key and body of every event; times aside."""
    assert len(left) == len(right), (kinds(left), kinds(right))
    for one, other in zip(left, right, strict=True):
        assert one == other


Call = tuple[str, str, int | None]
"""(model, messages, seed): what the server sees of a call."""


def calls_seen(server: ChatServer) -> Counter[Call]:
    return Counter(
        (body["model"], _said(one["content"] for one in body["messages"]), body.get("seed"))
        for body in list(server.bodies)
    )


def calls_logged(found: Sequence[Event]) -> set[Call]:
    """The calls whose answers stand in a log, as the server saw them."""
    render, calls = ChatRender(), set[Call]()
    for event in found:
        if event.kind == "call":
            request = codec.decode_request(cast("codec.Body", event.body["request"]))
            model = OPTIMIZER if event.body["role"] == "optimizer" else "tiny"
            calls.add((model, _said(one.content for one in request.messages), request.seed))
    for rollout in read_rollouts(stored(found)):
        messages: tuple[Message, ...] = render(rollout.prompt, Example(id="", input=rollout.query, target=""))
        calls.add(("tiny", _said(one.content for one in messages), None))
    return calls


def is_check(event: Event) -> bool:
    """Say whether an event is the check of a model before the run."""
    return bool(event.body.get("check"))


def _said(contents: Iterable[str]) -> str:
    return "\0".join(contents)


def serving(**options: Any) -> Any:
    """A server that answers for the target and for the optimizer model; use as a context manager."""
    answerer = Answerer.of()
    own: dict[str, Any] = {
        "lifetime_s": 600.0,
        "hang_s": 2.0,
        "reply": answerer.reply,
        "transform": answerer.note,
        "models": ("tiny", OPTIMIZER),
    }
    return chat_server(**{**own, **options})
