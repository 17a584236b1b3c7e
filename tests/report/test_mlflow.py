"""A run in MLflow says what the log says."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from askwell.core.errors import ConfigError, StoreError
from askwell.report.run_report import build_report
from askwell.runlog.store import MemoryStore, SqliteStore
from tests.support.harness import invoke
from tests.support.loop_runs import play


@pytest.fixture
def uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # a database needs all of mlflow
    return f"file:{tmp_path / 'mlflow'}"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
async def test_params_metrics_and_the_prompt_are_there(uri: str, tmp_path: Path) -> None:
    mlflow: Any = import_module("mlflow")
    with SqliteStore(tmp_path / "r" / "log.db") as store:
        await play(store)  # type: ignore[arg-type]
        found = build_report(store)
    run = invoke("log", "mlflow", "r", "--runs", tmp_path, "--tracking-uri", uri)
    assert run.status == 0, run.err
    client = mlflow.MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("askwell")
    [recorded] = client.search_runs([experiment.experiment_id])
    assert found is not None
    assert found.best.test is not None
    assert recorded.data.params == {"seed": "0"}
    assert recorded.data.metrics["test.best"] == found.best.test.estimate
    assert recorded.data.metrics["missing"] == 0
    history = client.get_metric_history(recorded.info.run_id, "dev.best")
    assert [(one.step, one.value) for one in history] == [(point.step, point.best) for point in found.curve]
    text = Path(client.download_artifacts(recorded.info.run_id, "prompt.txt", str(tmp_path))).read_bytes()
    assert text == found.best.prompt.instruction.encode()
    assert recorded.info.status == "FINISHED"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
async def test_what_cannot_be_written_is_told(uri: str) -> None:
    from askwell.report.mlflow import record_run

    with pytest.raises(StoreError, match="not scored its first prompt"):
        record_run(MemoryStore(), "r", experiment="x", tracking_uri=uri)
    store = MemoryStore()
    await play(store)
    with pytest.raises(ConfigError, match="MLflow refuses"):
        record_run(store, "r", experiment="", tracking_uri=uri)
