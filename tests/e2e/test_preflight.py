"""Both models are checked before anything is paid for, and a failed start leaves no run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import askwell
from askwell.runlog.fold import read_spend
from askwell.runlog.store import SqliteStore
from tests.support.harness import OPTIMIZER, events, invoke, optimize_flags, serving
from tests.support.servers import ChatServer, Fault

NOBODY = "http://127.0.0.1:9/v1"


def both(server: ChatServer) -> list[str]:
    return optimize_flags(server, optimizer=f"openai:{OPTIMIZER}")


def with_value(flags: list[str], flag: str, value: str) -> list[str]:
    return [value if index and flags[index - 1] == flag else one for index, one in enumerate(flags)]


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with serving() as found:
        yield found


def test_each_model_gets_one_cheap_call_that_counts_and_is_not_repeated(server: ChatServer, tmp_path: Path) -> None:
    flags = [*both(server), "--runs", str(tmp_path), "--run", "r"]
    assert invoke("optimize", *flags).status == 0
    checks = [event for event in events(tmp_path / "r" / "log.db") if event.body.get("check")]
    assert [event.body["role"] for event in checks] == ["target", "optimizer"]
    with SqliteStore(tmp_path / "r" / "log.db", read_only=True) as store:
        rollouts = sum(not row.is_cached for row in store.rollout_rows())
        assert read_spend(store)["target"].calls == rollouts + 1
    before = server.total_requests
    assert invoke("optimize", "--resume", "r", "--runs", str(tmp_path)).status == 0
    assert server.total_requests == before


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [
        ("--base-url", NOBODY, "the target 'openai:tiny' at http://127.0.0.1:9/v1 cannot be reached"),
        (
            "--optimizer-model-base-url",
            NOBODY,
            f"the optimizer model 'openai:{OPTIMIZER}' at http://127.0.0.1:9/v1 cannot be reached",
        ),
    ],
)
def test_a_wrong_address_costs_nothing_and_leaves_no_run(
    flag: str, value: str, said: str, server: ChatServer, tmp_path: Path
) -> None:
    run = invoke("optimize", *with_value(both(server), flag, value), "--runs", tmp_path / "runs")
    assert run.status == 2
    assert said in run.err
    assert "No run was kept" in run.err
    assert "Optimizer model: openai:rewriter at" in run.err
    assert server.total_requests <= 1  # the check of the other model
    assert not list((tmp_path / "runs").glob("*"))


@pytest.mark.parametrize("role", ["target", "optimizer"])
def test_a_wrong_key_costs_nothing_and_leaves_no_run(role: str, tmp_path: Path) -> None:
    name = "tiny" if role == "target" else OPTIMIZER

    def refuse(body: str, _repeat: int) -> Fault | None:
        return "401" if f'"{name}"' in body else None

    with serving(faults=refuse) as refusing:
        run = invoke("optimize", *both(refusing), "--runs", tmp_path / "runs")
        assert run.status == 2
        assert "refused a first call" in run.err
        assert refusing.total_requests <= 2
    assert not list((tmp_path / "runs").glob("*"))


def test_from_python_too(server: ChatServer, tmp_path: Path) -> None:
    data = [{"input": f"{i}", "target": "yes"} for i in range(50)]
    with pytest.raises(askwell.ModelError, match="cannot be reached"):
        askwell.optimize(
            data=data,
            target={"model": "openai:tiny", "base_url": server.base_url},
            optimizer_model={"model": "openai:b", "base_url": NOBODY},
            run=tmp_path / "run",
        )
    assert server.total_requests == 1
    assert not (tmp_path / "run").exists()


def test_an_evaluation_that_reaches_nobody_leaves_no_run(server: ChatServer, tmp_path: Path) -> None:
    flags = ["--data", "pocket:numbers_even", "--limit", "4", "--target", "openai:tiny", "--base-url", NOBODY]
    run = invoke("evaluate", *flags, "--prompt", "A", "--run", "e", "--runs", tmp_path / "runs")
    assert run.status == 2
    assert not list((tmp_path / "runs").glob("*"))


def test_a_cap_counts_the_checks(server: ChatServer, tmp_path: Path) -> None:
    flags = [*both(server), "--runs", tmp_path]
    run = invoke("optimize", *flags, "--budget-calls", "37")  # 12 dev, twice 12 test
    assert run.status == 2
    assert "and the check of the models 2; allow 38 or more" in run.err
    assert not list(tmp_path.glob("*"))
    run = invoke("optimize", *flags, "--budget-calls", "38", "--run", "r")
    assert run.status == 0
    assert server.total_requests <= 38


def test_no_check_of_models_of_this_process(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    run = invoke("optimize", "--data", "pocket:numbers_even", "--target", "pocket", "--train", "4", "--dev", "4",
                 "--test", "2", "--steps", "0", "--run", "r", "--runs", tmp_path)  # fmt: skip
    assert run.status == 0, run.err
    assert not [event for event in events(tmp_path / "r" / "log.db") if event.body.get("check")]
