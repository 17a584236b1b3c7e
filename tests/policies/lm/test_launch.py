"""Training on several processes: real launchers and real ranks, two of them."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (torch is typed in part only)

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")

from askwell.api.build_training import build_policy_settings, build_trainer_factory  # noqa: E402
from askwell.api.config import PolicyConfig  # noqa: E402
from askwell.api.config_file import parse_config  # noqa: E402
from askwell.cli.main import main  # noqa: E402
from askwell.core.errors import ConfigError, DataError, RunFailed  # noqa: E402
from askwell.engine.evaluator import Interrupted  # noqa: E402
from askwell.policies.lm.fit_job import EpochReader, FitJob, write_job  # noqa: E402
from askwell.policies.lm.generate import GenerationSettings  # noqa: E402
from askwell.policies.lm.launch import MultiProcessTrainer  # noqa: E402
from askwell.policies.lm.train import Epoch, LanguageModelTrainer, Losses  # noqa: E402
from askwell.policies.settings import ModelSettings  # noqa: E402
from askwell.runlog import folders  # noqa: E402
from askwell.runlog.fold import read_spend  # noqa: E402
from askwell.runlog.store import SqliteStore  # noqa: E402
from tests.support.servers import Messages, chat_server  # noqa: E402
from tests.support.trained_policies import QUICK, queries, world  # noqa: E402
from tests.support.trainings import SPLITS, logged, target, train  # noqa: E402

SETTINGS = replace(QUICK, epochs=12, learning_rate=3e-4, patience=12)
TRAINER = LanguageModelTrainer(SETTINGS, ModelSettings(base="pocket", max_query_tokens=32, max_prompt_tokens=12))


def launched(folder: Path, on_epoch: Callable[[Epoch], None], **more: object) -> MultiProcessTrainer:
    return MultiProcessTrainer(trainer=replace(TRAINER, on_epoch=on_epoch), processes=2, folder=folder, **more)  # pyright: ignore[reportArgumentType] - any of its fields


def ranks_of(folder: Path) -> list[int]:
    """Process ids of the ranks that work in a folder."""
    listed = subprocess.run(["ps", "-Aww", "-o", "pid=,args="], capture_output=True, text=True, check=True).stdout
    lines = [line.split(maxsplit=1) for line in listed.splitlines() if str(folder) in line]
    return [int(pid) for pid, command in lines if "torch.distributed.run" not in command]


@pytest.mark.slow
def test_two_processes_train_as_one_also_when_they_are_stopped_and_continued(tmp_path: Path) -> None:
    data, alone, together = (world(5, seed=0), world(2, seed=1)), list[Epoch](), list[Epoch]()
    expected = replace(TRAINER, on_epoch=alone.append).fit(*data, seed=3)
    stopped = launched(tmp_path / "fit", together.append, is_stopping=lambda: bool(together))
    with pytest.raises(Interrupted):
        stopped.fit(*data, seed=3)
    assert ranks_of(tmp_path) == []
    before = len(together)
    assert 0 < before < 12
    writer = launched(tmp_path / "fit", together.append).fit(*data, seed=3)
    assert not (tmp_path / "fit").exists()
    numbers = [epoch.number for epoch in together]
    assert numbers == sorted(set(numbers)), "no epoch is done twice"
    for epoch in together:
        assert epoch.train.total == pytest.approx(alone[epoch.number].train.total, rel=0.01)
        assert epoch.dev is not None
        assert epoch.dev.total == pytest.approx(asdict(alone[epoch.number])["dev"]["total"], rel=0.01)
    pairs = [(query, prompt) for query in queries(3, seed=9) for prompt in ("add", "guess")]
    assert writer.value(pairs) == pytest.approx(expected.value(pairs), abs=0.01)


@pytest.mark.slow
def test_a_rank_that_dies_is_named_and_its_epochs_are_kept(tmp_path: Path) -> None:
    def kill_a_rank(epoch: Epoch) -> None:
        if epoch.number == 0:
            os.kill(ranks_of(tmp_path)[0], signal.SIGKILL)

    with pytest.raises(RunFailed, match=r"(?s)rank \d of 2 ended with exit code -9 while training.*resume the run"):
        launched(tmp_path, kill_a_rank).fit(world(5, seed=0), [])
    assert ranks_of(tmp_path) == []
    assert (tmp_path / "training.safetensors").is_file()


@pytest.mark.slow
def test_what_a_rank_says_last_is_in_the_error(tmp_path: Path) -> None:
    broken = replace(TRAINER, model=ModelSettings(base=str(tmp_path / "nothing")))
    with pytest.raises(RunFailed, match=r"(?s)rank .* of 2 ended with exit code 1 .*Error: .*nothing"):
        MultiProcessTrainer(trainer=broken, processes=2, folder=tmp_path / "fit").fit(world(2, seed=0), [])


def answer(messages: Messages) -> str:
    return target(messages[-1]["content"])


@pytest.mark.slow
def test_askwell_train_with_two_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
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
        acquire = 6
        prompts = 1
        samples = 0
        epochs = 1
        force = true
        fallback = false
    """
    (tmp_path / "config.toml").write_text(config, encoding="utf-8")
    with chat_server(reply=answer, lifetime_s=600) as server:
        flags = ["--config", "config.toml", "--base-url", server.base_url, "--run", "policy", "--processes", "2"]
        done = CliRunner().invoke(main, ["train", "log.jsonl", *flags, "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["finished"]
    assert "epoch 1: training loss" in done.stderr
    with SqliteStore(tmp_path / "runs" / "policy" / folders.LOG, read_only=True) as store:
        paid = read_spend(store)["target"].calls
        assert [event.body["loop"] for event in store.events(kinds=["loop"])] == [0, 1, 2]
    assert paid == server.total_requests > 0
    assert sorted(path.name for path in (tmp_path / "runs" / "policy" / "loops").iterdir()) == ["loop-1", "loop-2"]


def test_the_same_job_is_continued_and_another_one_replaces_it(tmp_path: Path) -> None:
    job = FitJob(
        train=tuple(world(2, seed=0)), dev=(), settings=SETTINGS, model=ModelSettings(), sampling=GenerationSettings(), seed=0,  # noqa: E501
        start=None,
    )  # fmt: skip
    write_job(tmp_path / "fit", job, None)
    state = tmp_path / "fit" / "training.safetensors"
    state.touch()
    write_job(tmp_path / "fit", job, None)
    assert state.exists()
    write_job(tmp_path / "fit", replace(job, seed=1), None)
    assert not state.exists()


def test_epochs_are_read_once_each_and_only_when_they_are_complete(tmp_path: Path) -> None:
    losses = Losses(wording=1.0, value=2.0, total=3.0)
    epochs = [Epoch(number=number, learning_rate=0.1, train=losses, dev=None) for number in range(3)]
    lines = [json.dumps(asdict(epoch)) + "\n" for epoch in epochs]
    path = tmp_path / "epochs.jsonl"
    assert list(EpochReader(tmp_path).new_epochs()) == []
    path.write_text(lines[0], encoding="utf-8")
    reader = EpochReader(tmp_path)
    path.write_text(lines[0] + lines[1] + lines[2][:9], encoding="utf-8")
    assert list(reader.new_epochs()) == [epochs[1]]
    path.write_text("".join(lines), encoding="utf-8")
    assert list(reader.new_epochs()) == [epochs[2]]


def test_what_several_processes_can_not_do_is_refused_before_they_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="objective='dpo' trains in one process"):
        build_trainer_factory(build_policy_settings(PolicyConfig(settings={"objective": "dpo"}), seed=0), 2)
    with pytest.raises(DataError, match="dev queries are in the training data too"):
        MultiProcessTrainer(trainer=TRAINER, processes=2, folder=tmp_path).fit(world(2, seed=0), world(2, seed=0))
    source = logged(tmp_path / "log.jsonl")
    with pytest.raises(ConfigError, match="leave it out with trainer="):
        train(source, tmp_path / "run", policy={"processes": 2})
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="start it once, with --processes 2"):
        train(source, tmp_path / "run")


def test_a_training_may_be_resumed_on_another_number_of_processes() -> None:
    one, two = (parse_config({"policy": {"processes": processes}}) for processes in (1, 2))
    assert one.identity(["policy"]) == two.identity(["policy"])
