"""Build a `Task` from a config: from a file, files per split, a benchmark, a bundled task or objects."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from askwell.api.config import Config, TaskConfig
from askwell.core.errors import ConfigError, DataError
from askwell.core.protocols import Metric
from askwell.core.types import Example, Score, Split
from askwell.tasks import data_warnings
from askwell.tasks.catalog import find_benchmark, read_benchmark
from askwell.tasks.examples import ExampleSource
from askwell.tasks.load import BENCH, BUNDLED, draw_bundled, load
from askwell.tasks.metrics import metric
from askwell.tasks.questions import count_rows
from askwell.tasks.render import ChatRender
from askwell.tasks.splits import SPLITS, Size, join_splits, split
from askwell.tasks.task import Task

logger = logging.getLogger(__name__)

_NO_DATA = "no data: give --data FILE (or task.data in the config), examples with an answer each"

Splits = Mapping[Split, tuple[Example, ...]]


def build_task(config: Config) -> Task:
    """Load and split the data. Raises `DataError` for overlap, emptiness, unknown fields and the like."""
    task, data = config.task, config.objects.data
    separate = {name: source for name in SPLITS if (source := getattr(task, name))}
    if task.data and separate:
        raise ConfigError(f"both task.data and task.{next(iter(separate))} are given; give one file, or one per split")
    if isinstance(data, Mapping):
        return _build_separate(config, cast("Mapping[Split, ExampleSource]", data))
    if separate:
        return _build_separate(config, cast("Mapping[Split, ExampleSource]", separate))
    if data is None and not task.data:
        raise ConfigError(_NO_DATA)
    splits, examples = _draw(config, task.data if data is None else data)
    return _finish(config, splits, examples)


def build_evaluation_task(config: Config) -> Task:
    """Load a whole data set as a task's test split; of a benchmark or bundled task, only its test split."""
    data, task = config.objects.data, config.task
    if isinstance(data, Mapping):
        names = sorted(cast("Mapping[str, object]", data))
        raise ConfigError(
            f"data has the splits {names}; an evaluation takes one set of examples: give one of the splits"
        )
    if data is None and not task.data:
        raise ConfigError(_NO_DATA)
    if data is None and task.data.startswith((BENCH, BUNDLED)):
        splits, _ = _draw(config, task.data)
        return _finish(config, {"test": splits["test"][: task.limit]}, None, is_evaluation=True)
    examples = _examples(task, task.data if data is None else data)
    return _finish(config, {"test": examples}, examples, is_evaluation=True)


def log_warnings(task: Task) -> None:
    """Log what a user of Python should know about the data; the command line prints it."""
    for warning in task.warnings:
        logger.warning("%s", warning)


def infer_answer_type(examples: Sequence[Example]) -> str:
    """Infer the answer type of a bundled task from its targets: number, boolean, words or exact."""
    targets = [example.target for example in examples if isinstance(example.target, str)]
    if all(target.lstrip("-").isdigit() for target in targets):
        return "number"
    if all(target.lower() in {"yes", "no", "true", "false"} for target in targets):
        return "boolean"
    return "words" if any(", " in target for target in targets) else "exact"


def build_render(task: TaskConfig) -> ChatRender:
    """Return the renderer. Placement: the config's, else the benchmark paper's, else at the end of the question."""
    default = find_benchmark(task.data.removeprefix(BENCH)).placement if task.data.startswith(BENCH) else "Q_end"
    return ChatRender(placement=task.placement or default, labels=task.labels)


def _draw(config: Config, source: ExampleSource) -> tuple[Splits, Sequence[Example] | None]:
    """Draw splits from one source; also return all rows of it, of which a bundled task has no end."""
    if isinstance(source, str) and source.startswith(BUNDLED):
        return draw_bundled(source, _counts(config), config.split.seed), None
    examples = _examples(config.task, source)
    return _split(config, examples), examples


def _build_separate(config: Config, sources: Mapping[Split, ExampleSource]) -> Task:
    """Build a task from one source per split."""
    if "dev" not in sources:
        raise ConfigError(
            f"data has the splits {sorted(sources)}, and task.dev is missing: every candidate prompt is scored on it; "
            "name a file for it"
        )
    parts = {name: _examples(config.task, source) for name, source in sources.items()}
    joined = join_splits(**parts)
    every = [example for name in SPLITS for example in joined[name]]
    return _finish(config, joined, every, copies_dropped=False)


def _finish(
    config: Config,
    splits: Splits,
    examples: Sequence[Example] | None,
    *,
    copies_dropped: bool = True,
    is_evaluation: bool = False,
) -> Task:
    """Make a task of splits; `examples` are all rows of its data, in order (None: nothing is to be said of them)."""
    if not is_evaluation and not splits["dev"]:
        raise DataError("the dev split is empty: every candidate prompt is scored on it; give it some examples")
    task = _task(config, splits)
    used = [example for members in splits.values() for example in members]
    if config.objects.metric is None:
        _check_targets(task.metric, used, examples or used, _source_name(config.task))
    warnings: list[str] = []
    rows = None if examples is None else count_rows(examples)
    if rows is not None:
        warnings += data_warnings.describe_rows(rows, dropped=copies_dropped and not is_evaluation)
        warnings += data_warnings.describe_targets(used)
    if not is_evaluation:
        warnings += data_warnings.describe_size(splits)
    if config.objects.metric is not None and used:
        name = getattr(task.metric, "__qualname__", type(task.metric).__qualname__)
        warnings += data_warnings.describe_metric(task.metric, name, used[0])
    return replace(task, rows=rows, warnings=tuple(warnings))


def _check_targets(grade: Metric, used: Iterable[Example], rows: Sequence[Example], source: str) -> None:
    """Raise `DataError`, with the row, for a target that the metric can't read."""
    for example in used:
        for target in (example.target,) if isinstance(example.target, str) else example.target:
            try:
                grade(target, example)
            except DataError as error:
                row = next((number for number, row in enumerate(rows, start=1) if row.id == example.id), 0)
                question = " ".join(example.input.split())
                raise DataError(
                    f"{source}: row {row} (id {example.id!r}, question {question!r:.80}): {error}"
                ) from error


def _source_name(task: TaskConfig) -> str:
    return Path(task.data or task.dev).name or "data"


def _split(config: Config, examples: Sequence[Example]) -> Splits:
    sizes = config.split
    train, dev, test = _default_sizes(config)
    return split(
        examples,
        train=train if sizes.train is None else sizes.train,
        dev=dev if sizes.dev is None else sizes.dev,
        test=test if sizes.test is None else sizes.test,
        seed=sizes.seed,
    )


def _default_sizes(config: Config) -> tuple[Size, Size, Size]:
    """Return the sizes of splits that the config leaves open: the benchmark's, else the paper's ratio."""
    if config.objects.data is None and config.task.data.startswith(BENCH):
        return find_benchmark(config.task.data.removeprefix(BENCH)).sizes
    return None, None, None


def _counts(config: Config) -> dict[Split, int]:
    """Return the sizes that the config gives a bundled task; of what is drawn without end there is no share."""
    counts: dict[Split, int] = {}
    for name in SPLITS:
        size = getattr(config.split, name)
        if size is not None and 0 < size < 1:
            raise ConfigError(f"split.{name} is {size!r}; a bundled task takes numbers of examples, like 48")
        if size is not None:
            counts[name] = int(size)
    return counts


def _examples(task: TaskConfig, source: ExampleSource) -> tuple[Example, ...]:
    """Load a source with the config's fields; a benchmark is read whole, since the limit is for what is then used."""
    if isinstance(source, str) and source == task.data and source.startswith(BENCH):
        return read_benchmark(source.removeprefix(BENCH), task.folder or None)
    return load(
        source,
        fields=task.fields or None,
        records=task.records or None,
        limit=task.limit,
        folder=task.folder or None,
    )


def resolve_answer_type(task: TaskConfig) -> str:
    """Return how replies are graded: the config's answer type, else the benchmark's, else exact.

    Empty for bundled tasks: each task of a mixture is graded by its own answer type.
    """
    if task.metric:
        return task.metric
    if task.data.startswith(BENCH):
        return find_benchmark(task.data.removeprefix(BENCH)).answer_type
    return "" if task.data.startswith(BUNDLED) else "exact"


def _task(config: Config, splits: Splits) -> Task:
    task, grading = config.task, resolve_answer_type(config.task)
    return Task(
        name=task.name or Path((task.data or task.dev).rpartition(":")[2]).stem or "task",
        splits=splits,
        render=build_render(task),
        metric=config.objects.metric or (_named_metric(grading, splits) if grading else _grade_by_task(splits)),
    )


def _named_metric(name: str, splits: Splits) -> Metric:
    """Return the metric of an answer type; the labels are the targets that occur in the data."""
    examples = [example for members in splits.values() for example in members]
    targets = {
        target
        for example in examples
        for target in (example.target if isinstance(example.target, tuple) else (example.target,))
    }
    return metric(name, labels=sorted(targets))


def _grade_by_task(splits: Splits) -> Metric:
    """Return a metric that grades each task of a mixture by the answer type of its own targets."""
    by_task: dict[str, list[Example]] = {}
    for example in (example for members in splits.values() for example in members):
        by_task.setdefault(example.meta["task"], []).append(example)
    metrics = {name: metric(infer_answer_type(members)) for name, members in by_task.items()}

    def by_own_type(reply: str, example: Example) -> Score:
        return metrics[example.meta["task"]](reply, example)

    return by_own_type
