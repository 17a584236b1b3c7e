"""A run in MLflow: settings as parameters, scores step by step as metrics, the prompt as an artefact.

Written after the run, or while it is on (each time as a new MLflow run): the log is the record, MLflow a view of it.
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
    """Write a run and return MLflow's id of it.

    Raises `StoreError` where nothing has been scored yet, `ConfigError` where MLflow is missing or refuses.
    """
    found = run_report.build_report(store)
    if found is None:
        raise StoreError(f"the run {name!r} has not scored its first prompt yet; look again later")
    header = read_header(store)
    mlflow = _mlflow()
    try:
        client = mlflow.MlflowClient(tracking_uri=tracking_uri)
        known = client.get_experiment_by_name(experiment)
        place = known.experiment_id if known else client.create_experiment(experiment)
        run_id = cast("str", client.create_run(place, run_name=name, tags={"askwell.run": name}).info.run_id)
        for param, value in _params(cast("Mapping[str, object]", header["config"])):
            client.log_param(run_id, param, value)
        for metric, step, value in _metrics(found):
            client.log_metric(run_id, metric, value, step=step)
        client.log_text(run_id, found.best.prompt.instruction, "prompt.txt")
        client.log_text(run_id, found.initial.prompt.instruction, "initial_prompt.txt")
        client.log_text(run_id, json.dumps(run_report.report_json(found), ensure_ascii=False, indent=2), "report.json")
        client.set_terminated(run_id, status="FINISHED" if found.finished else "RUNNING")
    except mlflow.MlflowException as error:
        raise ConfigError(f"MLflow refuses ({error}); give --tracking-uri of a server that is there") from error
    return run_id


def _params(config: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from _params(cast("Mapping[str, object]", value), f"{prefix}{name}.")
        elif value not in (None, ""):
            yield f"{prefix}{name}", str(value)[:_LONGEST_PARAM]


def _metrics(found: Report) -> Iterator[tuple[str, int, float]]:
    for point in found.curve:
        yield "dev.step_best", point.step, point.step_best
        yield "dev.best", point.step, point.best
        yield "target.calls", point.step, point.target_calls
    last = found.curve[-1].step if found.curve else 0
    intervals = {"test.initial": found.initial.test, "test.best": found.best.test, "test.gain": found.gain}
    for name, interval in intervals.items():
        if interval is not None:
            yield name, last, interval.estimate
            yield f"{name}.low", last, interval.low
            yield f"{name}.high", last, interval.high
    for role, spent in found.spend.items():
        yield f"{role}.prompt_tokens", last, spent.prompt_tokens
        yield f"{role}.completion_tokens", last, spent.completion_tokens
        if spent.cost_usd is not None:
            yield f"{role}.cost_usd", last, spent.cost_usd
    yield "missing", last, found.missing


def _mlflow() -> Any:  # noqa: ANN401 - an optional library's module
    try:
        importlib.import_module("mlflow.exceptions")
        return importlib.import_module("mlflow")
    except ImportError as error:
        raise ConfigError('MLflow is missing: pip install "askwell[mlflow]"') from error
