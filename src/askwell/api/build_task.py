"""Build a `Task` from a config: from a file, files per split, a benchmark, a bundled task or objects."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

from askwell.api.config import Config, DataLike, TaskConfig
from askwell.core.errors import ConfigError, DataError
from askwell.core.placeholders import INPUT
from askwell.core.protocols import Metric
from askwell.core.types import Example, Score, Split
from askwell.tasks.catalog import find_benchmark, load_benchmark
from askwell.tasks.load import ExampleSource, load
from askwell.tasks.metrics import metric
from askwell.tasks.prompt_fields import FieldNames, collect_field_names, fill_field_names, find_unknown_names
from askwell.tasks.render import ChatRender
from askwell.tasks.splits import SPLITS, join_splits, split
from askwell.tasks.task import Task

log = logging.getLogger(__name__)
BENCH, BUNDLED = "bench:", "pocket:"
_BUNDLED_SIZES: Mapping[Split, int] = {"train": 48, "dev": 48, "test": 144}
_NO_DATA = "no data: give --data FILE (or task.data in the config), examples with an answer each"

Splits = Mapping[Split, tuple[Example, ...]]


def build_task(config: Config) -> Task:
    """Load and split the data. Raises `DataError` for overlap, emptiness, unknown fields and the like."""
    task = config.task
    if config.objects.data is not None:
        return _task(config, _split_objects(config, config.objects.data))
    separate = {name: source for name in SPLITS if (source := getattr(task, name))}
    if task.data and separate:
        raise ConfigError(f"both task.data and task.{next(iter(separate))} are given; give one file, or one per split")
    if separate:
        if "dev" not in separate:
            raise ConfigError("task.dev is missing: every candidate prompt is scored on it; name a file for it")
        return _task(config, join_splits(**{name: _examples(task, source) for name, source in separate.items()}))
    if not task.data:
        raise ConfigError(_NO_DATA)
    splits = _load_named(config) or _split_file(config)
    if not splits["dev"]:
        raise DataError("the dev split is empty: every candidate prompt is scored on it; give it some examples")
    return _task(config, splits)


def build_evaluation_task(config: Config) -> Task:
    """Load a whole data set as a task's test split; of a benchmark or bundled task, only its test split."""
    data = config.objects.data
    if isinstance(data, Mapping):
        names = sorted(cast("Mapping[str, object]", data))
        raise ConfigError(
            f"data has the splits {names}; an evaluation takes one set of examples: give one of the splits"
        )
    if data is not None:
        return _task(config, {"test": load(data)})
    if not config.task.data:
        raise ConfigError(_NO_DATA)
    named = _load_named(config)
    examples = _examples(config.task, config.task.data) if named is None else named["test"][: config.task.limit]
    return _task(config, {"test": examples})


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


def prepare_prompts(config: Config, task: Task, prompts: Iterable[str]) -> list[str]:
    """Return the distinct prompts without outer white space, with every name of the question written as `{input}`.

    Raises `ConfigError` for a placeholder that names another field of the data. One that names no field is logged: it
    is sent as it stands.
    """
    texts = list(dict.fromkeys(text.strip() for text in prompts))
    if not any("{" in text for text in texts):
        return texts
    names = _field_names(config, task)
    for text in texts:
        for unknown in find_unknown_names(text, names):
            log.warning(
                "the prompt holds %r, which names no field of the data: it is sent as it stands. Write %s for the "
                "question",
                unknown,
                INPUT,
            )
    return list(dict.fromkeys(fill_field_names(text, names) for text in texts))


def prepare_prompt(config: Config, task: Task) -> str:
    """Prepare the config's own prompt, as `prepare_prompts` does."""
    [prompt] = prepare_prompts(config, task, [config.prompt])
    return prompt


def _load_named(config: Config) -> Splits | None:
    """Load a benchmark or bundled task, which has splits of its own; None for a file."""
    task, sizes = config.task, config.split
    if task.data.startswith(BENCH):
        name = task.data.removeprefix(BENCH)
        train, dev, test = find_benchmark(name).sizes
        counts = (
            _count_or_default(sizes.train, train),
            _count_or_default(sizes.dev, dev),
            _count_or_default(sizes.test, test),
        )
        return load_benchmark(name, task.folder or None, seed=sizes.seed, sizes=counts)
    if task.data.startswith(BUNDLED):
        from askwell.tasks import bundled

        name = task.data.removeprefix(BUNDLED)
        return {
            part: tuple(bundled.examples(name, part, _count_or_default(getattr(sizes, part), default), sizes.seed))
            for part, default in _BUNDLED_SIZES.items()
        }
    return None


def _split_objects(config: Config, data: DataLike) -> Splits:
    if not isinstance(data, Mapping):
        return _split(config, load(data))
    parts = {name: load(source) for name, source in cast("Mapping[str, ExampleSource]", data).items()}
    if not parts.get("dev"):
        raise DataError(f"data has the splits {sorted(parts)}; 'dev' is needed: candidates are scored on it")
    return join_splits(**parts)


def _split_file(config: Config) -> Splits:
    return _split(config, _examples(config.task, config.task.data))


def _split(config: Config, examples: Sequence[Example]) -> Splits:
    sizes = config.split
    return split(
        examples,
        train=_count_or_share(sizes.train),
        dev=_count_or_share(sizes.dev),
        test=_count_or_share(sizes.test),
        seed=sizes.seed,
    )


def _examples(task: TaskConfig, source: str) -> tuple[Example, ...]:
    return load(source, fields=task.fields or None, records=task.records or None, limit=task.limit)


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
        metric=config.objects.metric or (metric(grading) if grading else _grade_by_task(splits)),
    )


def _grade_by_task(splits: Splits) -> Metric:
    """Return a metric that grades each task of a mixture by the answer type of its own targets."""
    by_task: dict[str, list[Example]] = {}
    for example in (example for members in splits.values() for example in members):
        by_task.setdefault(example.meta["task"], []).append(example)
    metrics = {name: metric(infer_answer_type(members)) for name, members in by_task.items()}

    def by_own_type(reply: str, example: Example) -> Score:
        return metrics[example.meta["task"]](reply, example)

    return by_own_type


def _count_or_default(value: float | None, default: int) -> int:
    return default if value is None else int(value)


def _count_or_share(value: float | None) -> int | float | None:
    """Convert a number of a config or flag: 48 is a count and 0.2 a share; 1 is one example, not all of them."""
    return value if value is None or 0 < value < 1 else int(value)


def _field_names(config: Config, task: Task) -> FieldNames:
    examples = [example for members in task.splits.values() for example in members]
    source = _one_source(config)
    return collect_field_names(examples, source, fields=config.task.fields or None, records=config.task.records or None)


def _one_source(config: Config) -> ExampleSource | None:
    """Return the data, or those of the dev split if each split has its own."""
    data = config.objects.data
    if isinstance(data, Mapping):
        return cast("Mapping[str, ExampleSource]", data).get("dev")
    return data if data is not None else config.task.data or config.task.dev
