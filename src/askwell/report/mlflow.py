"""Write a run to MLflow: settings as parameters, scores by step as metrics, the prompt as an artifact.

This works after the run and during it, each time as a new MLflow run. The log stays the only record of a run.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from askwell.core.errors import ConfigError, StoreError
from askwell.report import run_report
from askwell.report.run_report import Report
from askwell.runlog.fold import read_header
from askwell.runlog.store import RunStore

_LONGEST_PARAM = 500


def record_run(store: RunStore, name: str, *, experiment: str, tracking_uri: str | None = None) -> str:
    """Write a run and return its MLflow id.

    Raises `StoreError` if nothing has been scored yet, `ConfigError` if MLflow is missing or refuses.
    """
    scored = run_report.build_report(store)
    if scored is None:
        raise StoreError(f"the run {name!r} has not scored its first prompt yet; look again later")
    header = read_header(store)
    mlflow = _mlflow()
    try:
        client = mlflow.MlflowClient(tracking_uri=tracking_uri)
        existing = client.get_experiment_by_name(experiment)
        experiment_id = existing.experiment_id if existing else client.create_experiment(experiment)
        run_id = cast("str", client.create_run(experiment_id, run_name=name, tags={"askwell.run": name}).info.run_id)
        for param, value in _params(cast("Mapping[str, object]", header["config"])):
            client.log_param(run_id, param, value)
        for metric, step, value in _metrics(scored):
            client.log_metric(run_id, metric, value, step=step)
        client.log_text(run_id, scored.best.prompt.instruction, "prompt.txt")
        client.log_text(run_id, scored.initial.prompt.instruction, "initial_prompt.txt")
        client.log_text(run_id, json.dumps(run_report.report_json(scored), ensure_ascii=False, indent=2), "report.json")
        client.set_terminated(run_id, status="FINISHED" if scored.finished else "RUNNING")
    except mlflow.MlflowException as error:
        raise ConfigError(f"MLflow refuses ({error}); give the --tracking-uri of a running server") from error
    return run_id


def _params(config: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from _params(cast("Mapping[str, object]", value), f"{prefix}{name}.")
        elif value not in (None, ""):
            yield f"{prefix}{name}", str(value)[:_LONGEST_PARAM]


def _metrics(scored: Report) -> Iterator[tuple[str, int, float]]:
    for point in scored.curve:
        yield "dev.step_best", point.step, point.step_best
        yield "dev.best", point.step, point.best
        yield "target.calls", point.step, point.target_calls
    last = scored.curve[-1].step if scored.curve else 0
    intervals = {"test.initial": scored.initial.test, "test.best": scored.best.test, "test.gain": scored.gain}
    for name, interval in intervals.items():
        if interval is not None:
            yield name, last, interval.estimate
            yield f"{name}.low", last, interval.low
            yield f"{name}.high", last, interval.high
    for role, spent in scored.spend.items():
        yield f"{role}.prompt_tokens", last, spent.prompt_tokens
        yield f"{role}.completion_tokens", last, spent.completion_tokens
        if spent.cost_usd is not None:
            yield f"{role}.cost_usd", last, spent.cost_usd
    yield "missing", last, scored.missing


def _mlflow() -> Any:  # noqa: ANN401 - an optional library's module
    try:
        importlib.import_module("mlflow.exceptions")
        return importlib.import_module("mlflow")
    except ImportError as error:
        raise ConfigError('MLflow is missing: pip install "askwell[mlflow]"') from error
