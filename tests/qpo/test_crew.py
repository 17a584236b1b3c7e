"""Several processes as one: real ones, started as users start them."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (torch is typed in part only)

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402 - after the skip

from askwell.qpo.ranks import Ranks, ranks  # noqa: E402
from askwell.qpo.writer import LanguageModelWriter, load_writer  # noqa: E402
from askwell.runlog import folders  # noqa: E402
from askwell.runlog.fold import read_spend  # noqa: E402
from askwell.runlog.store import SqliteStore  # noqa: E402
from tests.servers import Messages, chat_server  # noqa: E402
from tests.test_training import SPLITS, logged, target  # noqa: E402

SCRIPT = str(Path(__file__).parent / "crew_script.py")
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
ACCELERATE = ("-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--main_process_port", "0")


def started(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments to its end, a thread a process, no GPU."""
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "OPENAI_API_KEY": "none",
        "PYTHONPATH": os.pathsep.join([str(Path(SCRIPT).parents[2]), *sys.path]),
    }
    return subprocess.run(  # noqa: PLW1510 - callers look at what it says
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, env=environment, timeout=120, cwd=cwd
    )


def weights(writer: LanguageModelWriter) -> Tensor:
    return torch.cat([one.detach().flatten() for one in writer.model.parameters()])


@pytest.mark.slow
def test_torchrun_and_accelerate_train_as_one_process_and_resume_each_others_checkpoints(tmp_path: Path) -> None:
    alone = started(SCRIPT, "pocket", tmp_path / "one", cwd=tmp_path)
    assert alone.returncode == 0, alone.stderr
    killed = started(*TORCHRUN, SCRIPT, "pocket", tmp_path / "two", tmp_path / "kept", 2, cwd=tmp_path)
    assert killed.returncode != 0
    assert not (tmp_path / "two").exists()
    resumed = started(*ACCELERATE, SCRIPT, "pocket", tmp_path / "two", tmp_path / "kept", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    one, two = (json.loads((tmp_path / name / "losses.json").read_text(encoding="utf-8")) for name in ("one", "two"))
    assert len(one) == 6
    assert two == pytest.approx(one[4:], abs=1e-4), "the third epoch alone, after two that were not done again"
    torch.testing.assert_close(
        weights(load_writer(tmp_path / "one")), weights(load_writer(tmp_path / "two")), atol=1e-4, rtol=1e-4
    )


def answer(messages: Messages) -> str:
    return target(messages[-1]["content"])


@pytest.mark.slow
def test_askwell_train_under_torchrun_pays_once_and_has_one_log(tmp_path: Path) -> None:
    for name, rows in SPLITS.items():
        lines = "".join(json.dumps(row) + "\n" for row in rows[:24])
        (tmp_path / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    logged(tmp_path / "log.jsonl")
    config = """
        task = {train = "train.jsonl", dev = "dev.jsonl", test = "test.jsonl"}
        target = {model = "openai:m"}
        [policy]
        base = "pocket"
        loops = 2
        collect = 6
        prompts = 1
        samples = 0
        epochs = 1
        force = true
        guard = false
    """
    (tmp_path / "config.toml").write_text(config, encoding="utf-8")
    with chat_server(reply=answer) as server:
        flags = ("--config", "config.toml", "--base-url", server.base_url, "--run", "policy")
        done = started(*TORCHRUN, "-m", "--", "askwell", "train", "log.jsonl", *flags, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["finished"], "one process speaks"
    with SqliteStore(tmp_path / "runs" / "policy" / folders.LOG, read_only=True) as store:
        paid = read_spend(store)["target"].calls
        assert [event.body["loop"] for event in store.events(kinds=["loop"])] == [0, 1, 2]
    assert paid == server.total_requests > 0


API = """
import sys
import askwell
from askwell.qpo.ranks import ranks
from tests.test_training import SPLITS, target

splits = {name: rows[:24] for name, rows in SPLITS.items()}
policy = {"base": "pocket", "loops": 1, "samples": 0, "epochs": 1, "force": True, "guard": False}

def asked(text):
    assert ranks().rank == 0, "only the first process asks"
    return target(text)

def train(**more):
    return askwell.train("log.jsonl", data=splits, target=asked, policy=policy, **more)

for more in ({}, {"run": "one", "caps": askwell.Caps(max_calls=3)}):
    try:
        train(**more)
    except askwell.AskwellError as error:
        print("refused:", error)
found = train(run="two")
print("found:", found.figures.tested.gain.n, found.policy.prompts_for(["Suppose that 3 pens?"]))
"""


@pytest.mark.slow
def test_the_same_from_python_and_every_process_gets_the_policy(tmp_path: Path) -> None:
    logged(tmp_path / "log.jsonl")
    (tmp_path / "script.py").write_text(API, encoding="utf-8")
    done = started(*TORCHRUN, tmp_path / "script.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert sum("give a folder that all of them see" in line for line in lines) == 2
    assert sum("max_calls = 3 is too few" in line for line in lines) == 1
    found = [line for line in lines if line.startswith("found: 24")]
    assert len(found) == 2
    assert len(set(found)) == 1


def test_a_process_knows_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_ADDR", "PMI_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert ranks() == Ranks()
    monkeypatch.setenv("PMI_SIZE", "4")
    assert ranks() == Ranks(), "jobs that a scheduler starts side by side, with nowhere to meet"
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("PMI_RANK", "3")
    assert ranks() == Ranks(rank=3, size=4)
    for name, value in (("WORLD_SIZE", "2"), ("RANK", "1"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    assert ranks() == Ranks(rank=1, size=2, local=1)
