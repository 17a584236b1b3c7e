"""The library's front door: ordinary functions over the asynchronous engine.

Everything behind this module takes objects. Here, at the rim, a model may also be a name ("openai:gpt-4.1-mini",
"pocket", "editor") or a plain function, a metric a name or a function, and data a file, a list of dicts or examples,
because that is what people have in their hands; each is turned into its object at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias, cast

from askwell import report as reports
from askwell import runs
from askwell.api.build_jobs import configured_search
from askwell.api.build_models import build_model, default_max_tokens
from askwell.api.config import DEFAULT_PROMPT, ModelConfig
from askwell.api.plan import Pace, Plan
from askwell.api.plan import plan as reckon
from askwell.blocking import run_blocking
from askwell.budget import Caps
from askwell.errors import ConfigError, DataError, StoreError, nearest
from askwell.evaluation import Sampling
from askwell.job import EvaluateJob, OptimizeJob, TargetSide, header_body
from askwell.loop import LoopSettings, Watch
from askwell.methods import DEFAULT_PRESET
from askwell.models.base import ChatModel
from askwell.models.function import FunctionModel
from askwell.models.wrappers import Retrying
from askwell.stats import Interval, mean_interval, paired_difference
from askwell.store import MemoryStore, RunStore, SqliteStore
from askwell.tasks.base import Metric, Task
from askwell.tasks.demos import Demos
from askwell.tasks.load import Source, load
from askwell.tasks.metrics import from_callable
from askwell.tasks.metrics import metric as metric_named
from askwell.tasks.render import Placed
from askwell.tasks.splits import SPLITS, join_splits
from askwell.tasks.splits import split as split_examples
from askwell.types import Example, Prompt, Split

ModelLike: TypeAlias = ChatModel | str | Callable[..., Any]
"""A model, a model's name, or a function from text to text (sync or async)."""
MetricLike: TypeAlias = Metric | str | Callable[..., Any]
"""A metric, an answer type, or a function returning a float or (score, feedback)."""
DataLike: TypeAlias = Source | Mapping[Split, Source] | Mapping[str, Source]
"""A source of examples to be split, or one source for each split."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What an optimization found."""

    prompt: str
    """The best instruction: exactly what is sent."""
    initial_prompt: str
    score: float
    """Mean score of `prompt` on the held-out test split (on dev, where there is no test split), 0..1."""
    interval: Interval
    """95 % interval of `score`."""
    gain: Interval | None
    """`prompt` minus `initial_prompt` on the same test examples; None where the prompt did not change."""
    report: reports.Report
    run: Path | None
    """The run's folder; None for a run kept in memory."""
    demos: tuple[Example, ...] = ()
    """Demonstrations that `prompt` was scored with, in their order: send them too."""

    def diff(self) -> str:
        """Show what changed against the initial prompt, word by word."""
        return reports.prompt_diff(self.initial_prompt, self.prompt)

    def save(self, path: str | Path) -> Path:
        """Write the bare prompt, with its demonstrations; to a name that ends in `.json`, all that is known.

        To one that ends in `.html`, the run as a page (`askwell report`); `ConfigError` for a run kept in memory.
        """
        place = Path(path)
        if place.suffix == ".html":
            text = self._page()
        elif place.suffix == ".json":
            body = {"prompt": self.prompt, "initial_prompt": self.initial_prompt, **reports.as_json(self.report)}
            text = json.dumps(body, ensure_ascii=False, indent=2) + "\n"
        else:
            text = reports.prompt_text(self.report.best.prompt)
        place.write_text(text, encoding="utf-8")
        return place

    def _page(self) -> str:
        from askwell.pages import page

        if self.run is None:
            raise ConfigError("a run that was kept in memory has no log to make a page of; give run=FOLDER")
        with SqliteStore(self.run / runs.LOG, read_only=True) as store:
            return page(store, self.run.name)


def optimize(
    *,
    data: DataLike,
    target: ModelLike,
    prompt: str = DEFAULT_PROMPT,
    optimizer: ModelLike = "editor",
    metric: MetricLike = "exact",
    placement: str = "Q_end",
    preset: str = DEFAULT_PRESET,
    settings: Mapping[str, Any] | None = None,
    demos: Demos | None = None,
    sampling: Sampling | None = None,
    concurrency: int = 16,
    loop: LoopSettings | None = None,
    caps: Caps | None = None,
    run: str | Path | None = None,
    watch: Watch = lambda _: None,
) -> Result:
    """Find a better instruction for a task.

    `preset` says who proposes prompts (`askwell presets` lists them), `settings` changes any of its settings
    ({"candidates": 4}). `demos` says which training examples a prompt shows (a function is shown none unless asked).
    `loop` says how many steps to make and holds the seed, `caps` is the most it may spend. `run` is a folder for the
    log: a new one is made under `runs/` when it is not given; if it holds an unfinished run with the same settings and
    data, that run goes on, and nothing is paid for twice.

    Raises `ConfigError` and `DataError` before anything is paid for, `ModelError` where a model refuses for good,
    `RunFailed` where too many calls fail; what was paid for is in the log. Ctrl-C stops in order. Works inside a
    notebook's running loop.
    """
    job = _optimize_job(
        data=data, target=target, prompt=prompt, optimizer=optimizer, metric=metric, placement=placement, preset=preset,
        settings=settings, demos=demos, sampling=sampling, concurrency=concurrency, loop=loop, caps=caps,
    )  # fmt: skip
    name = job.side.task.name
    folder = Path("runs") / runs.free_name(Path("runs"), name) if run is None else Path(run)
    return execute(job, folder, watch)


def plan(
    *,
    data: DataLike,
    target: ModelLike,
    prompt: str = DEFAULT_PROMPT,
    optimizer: ModelLike = "editor",
    metric: MetricLike = "exact",
    placement: str = "Q_end",
    preset: str = DEFAULT_PRESET,
    settings: Mapping[str, Any] | None = None,
    demos: Demos | None = None,
    sampling: Sampling | None = None,
    concurrency: int = 16,
    loop: LoopSettings | None = None,
    caps: Caps | None = None,
    latency_s: float = 2.0,
) -> Plan:
    """Reckon what `optimize` with these arguments would cost, expected and at the worst. No model is asked.

    `latency_s` is what a call is taken to last. Prices are those of the models: their own, or the price table's.
    """
    job = _optimize_job(
        data=data, target=target, prompt=prompt, optimizer=optimizer, metric=metric, placement=placement, preset=preset,
        settings=settings, demos=demos, sampling=sampling, concurrency=concurrency, loop=loop, caps=caps,
    )  # fmt: skip
    return reckon(job, target=Pace(concurrency=concurrency, latency_s=latency_s), optimizer=Pace(latency_s=latency_s))


def _optimize_job(
    *,
    data: DataLike,
    target: ModelLike,
    prompt: str,
    optimizer: ModelLike,
    metric: MetricLike,
    placement: str,
    preset: str,
    settings: Mapping[str, Any] | None,
    demos: Demos | None,
    sampling: Sampling | None,
    concurrency: int,
    loop: LoopSettings | None,
    caps: Caps | None,
) -> OptimizeJob:
    """Turn the arguments of `optimize` and `plan` into objects."""
    loop = loop or LoopSettings()
    task = as_task(data, metric=metric, placement=placement)
    train = task.splits.get("train", ())
    is_function = not isinstance(target, str | ChatModel)
    demos = demos or Demos(choice="none" if is_function else "")  # a function may not expect a conversation
    search = configured_search({**(settings or {}), "preset": preset}, steps=loop.steps, temperature=None, demos=demos)
    racing = loop.racing or search.racing
    loop = replace(loop, steps=search.steps(loop.steps), racing=racing)
    side = side_of(replace(task, render=demos.around(task.render, train)), target, sampling, concurrency)
    optimizer_model = as_model(optimizer)

    config = {
        "name": task.name,
        "prompt": prompt.strip(),
        "search": search.identity(),
        "demos": asdict(demos),
        "loop": asdict(loop),
        "optimizer": optimizer_model.name,
        **side_config(side, metric, placement),
    }
    return OptimizeJob(
        header=header_body(config, seed=loop.seed, settings=None),
        initial=[demos.start_from(prompt.strip(), train)],
        side=side,
        optimizer_model=optimizer_model,
        make_optimizer=search.maker(task),
        settings=loop,
        caps=caps or Caps(),
    )


def execute(job: OptimizeJob, folder: Path, watch: Watch) -> Result:
    """Run a job in a folder (a new one, or one it was begun in) and read its result from the log."""
    store = SqliteStore(folder / runs.LOG)
    try:
        run_blocking(lambda stopper: job.execute(store, stopper, watch))
        return result_of(store, folder)
    finally:
        store.close()


def result_of(store: RunStore, folder: Path | None) -> Result:
    """Read a finished run's result from its log. Raises `StoreError` where it has not got that far."""
    found = reports.report(store)
    if found is None or not found.finished:
        raise StoreError(f"the run {str(folder)!r} is not finished; resume it first")
    best = found.best
    interval = best.test or best.dev
    assert interval is not None  # a finished run has scored its winner on dev
    return Result(
        prompt=best.prompt.instruction,
        initial_prompt=found.initial.prompt.instruction,
        score=interval.estimate,
        interval=interval,
        gain=found.gain,
        report=found,
        run=folder,
        demos=best.prompt.demos,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One prompt's accuracy on a data set, and its paired difference to the first prompt of the same call."""

    prompt: str
    score: Interval
    difference: Interval | None
    """None for the first prompt itself."""


def evaluate(
    prompts: str | Sequence[str],
    *,
    data: Source,
    target: ModelLike,
    metric: MetricLike = "exact",
    placement: str = "Q_end",
    sampling: Sampling | None = None,
    concurrency: int = 16,
    run: str | Path | None = None,
) -> list[Evaluation]:
    """Score one or several prompts on all of a data set, with 95 % intervals. Raises as `optimize` does."""
    texts = [prompts] if isinstance(prompts, str) else list(prompts)
    if not texts:
        raise ConfigError("no prompts; give at least one (an empty string is a prompt too)")
    examples = load(data)
    task = Task(
        name="evaluate", splits={"test": examples}, render=Placed(placement=placement), metric=as_metric(metric)
    )
    side = side_of(task, target, sampling, concurrency)
    config = {"name": task.name, "prompts": texts, **side_config(side, metric, placement)}
    job = EvaluateJob(
        header=header_body(config, seed=0, settings=None),
        prompts=[Prompt(instruction=text) for text in dict.fromkeys(text.strip() for text in texts)],
        side=side,
    )
    store = MemoryStore() if run is None else SqliteStore(Path(run) / runs.LOG)
    return execute_evaluation(job, store, lambda _: None)


def execute_evaluation(job: EvaluateJob, store: RunStore, watch: Watch) -> list[Evaluation]:
    """Run an evaluation over a store, close it, and compare every prompt with the first."""
    try:
        scores = run_blocking(lambda stopper: job.execute(store, stopper, watch))
    finally:
        store.close()
    first = scores[job.prompts[0]]
    found: list[Evaluation] = []
    for index, prompt in enumerate(job.prompts):
        ours, theirs = reports.paired_scores(scores[prompt], first)
        found.append(
            Evaluation(
                prompt=prompt.instruction,
                score=mean_interval(list(scores[prompt].values())),
                difference=paired_difference(ours, theirs) if index else None,
            )
        )
    return found


def as_model(model: ModelLike) -> ChatModel:
    """Turn a name or a function into a model; a model is returned as it is."""
    if isinstance(model, str):
        return build_model(ModelConfig(model=model), flag="a model")
    if isinstance(model, ChatModel):
        return model
    return Retrying(FunctionModel(model))


def as_metric(metric: MetricLike) -> Metric:
    """Turn an answer type or a function into a metric; what `askwell.metric` returned is returned as it is."""
    return metric_named(metric) if isinstance(metric, str) else from_callable(metric)


def as_task(data: DataLike, *, metric: MetricLike, placement: str = "Q_end", seed: int = 0) -> Task:
    """Load, split and check the data."""
    if isinstance(data, Mapping):
        sources = cast("Mapping[str, Source]", data)
        for name in sources:
            if name not in SPLITS:
                raise DataError(f"data has a split {name!r}; {nearest(str(name), SPLITS)}")
        parts = {name: load(source) for name, source in sources.items()}
        if not parts.get("dev"):
            raise DataError(f"data has the splits {sorted(parts)}; 'dev' is needed: candidates are scored on it")
        splits = join_splits(**parts)
    else:
        splits = split_examples(load(data), seed=seed)
    name = Path(data).stem if isinstance(data, str | Path) else "task"
    return Task(name=name, splits=splits, render=Placed(placement=placement), metric=as_metric(metric))


def side_of(task: Task, target: ModelLike, sampling: Sampling | None, concurrency: int) -> TargetSide:
    """Turn a target into a model and say how it is asked."""
    limit = default_max_tokens(target) if isinstance(target, str) else 512
    return TargetSide(
        task=task, model=as_model(target), sampling=sampling or Sampling(max_tokens=limit), concurrency=concurrency
    )


def side_config(side: TargetSide, metric: MetricLike, placement: str) -> dict[str, object]:
    """Spell out, for a run's first event, what decides how its target answers and is graded."""
    name = metric if isinstance(metric, str) else getattr(metric, "__qualname__", type(metric).__qualname__)
    return {
        "target": side.model.name,
        "sampling": asdict(side.sampling),
        "metric": name,
        "placement": placement,
    }
