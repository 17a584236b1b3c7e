"""The settings of a run as one frozen tree: each section is a dataclass with defaults and documented fields.

Sections that a run uses unchanged (`Demos`, `Caps`, `Sampling`, `LoopSettings`, `RaceSettings`, `LoopsSettings`, …) are
defined next to their use; the others, and `Config` itself, are here. `config_file` reads a config from TOML and flags,
`arguments` builds one from the arguments of a Python call: both result in the same value.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from typing import Any, ClassVar, Literal, TypeAlias, cast

from askwell.core.errors import ConfigError
from askwell.core.protocols import ChatModel, Metric
from askwell.core.validation import check_at_least, check_positive
from askwell.engine.budget import Caps
from askwell.engine.evaluator import Sampling
from askwell.engine.loop import LoopSettings
from askwell.policies.protocols import Trainer
from askwell.tasks.demos import Demos
from askwell.tasks.examples import ExampleSource
from askwell.tasks.splits import check_size

_NONE: frozenset[str] = frozenset()
DEFAULT_PROMPT = "Let's think step by step."
"""The paper's initial prompt."""

Trace = Literal["off", "calls", "content"]
DataLike: TypeAlias = (
    ExampleSource | Mapping[Literal["train", "dev", "test"], ExampleSource] | Mapping[str, ExampleSource]
)
"""A source of examples that is split, or one source per split."""


@dataclass(frozen=True, kw_only=True)
class TaskConfig:
    """The examples of a task, and how replies are graded."""

    volatile: ClassVar[frozenset[str]] = frozenset({
        "data", "folder", "train", "dev", "test", "records", "fields", "limit",
    })  # fmt: skip
    """Keys for the source of examples. They may change, because the log holds the examples that a run must have."""

    data: str = ""
    """Examples: a .jsonl, .json, .csv or .parquet file, "hf:owner/name[:config][:split]", a benchmark ("bench:NAME",
    see `askwell data list`) or a bundled task ("pocket:TASK"); split by `[split]`."""
    folder: str = ""
    """For a benchmark: folder with its files in their source format; empty: the hub."""
    train: str = ""
    """Instead of `data`: one source per split; overlap is refused."""
    dev: str = ""
    """See `train`."""
    test: str = ""
    """See `train`."""
    records: str = ""
    """Dotted path to the list of records in a JSON file ("examples"); not needed if there is only one list."""
    fields: Mapping[str, str] = field(default_factory=dict[str, str])
    """Record fields for input, target and id: {input = "question", target = "answer"}."""
    limit: int | None = None
    """Read at most this many examples."""
    metric: str = ""
    """Answer type by which replies are graded (exact, choice, number, …). Default: the benchmark's, else exact."""
    placement: str = ""
    """Position of the instruction: system, before_Q, Q_begin, Q_end (the paper's default) or A_begin."""
    labels: bool = False
    """Write "Q:" and "A:" lines."""
    name: str = ""
    """Name of the task in reports; empty: the data's file name."""

    def __post_init__(self) -> None:
        if self.limit is not None:
            check_at_least("limit", self.limit, 1)


@dataclass(frozen=True, kw_only=True)
class SplitConfig:
    """How `task.data` is split: numbers of examples (48) or, below 1, shares of them (0.2)."""

    train: float | None = None
    """Examples the optimizer may use. Default: the paper's ratio 1 : 1 : 3."""
    dev: float | None = None
    """Examples that every candidate is scored on."""
    test: float | None = None
    """Examples used once, at the end."""
    seed: int = 0
    """Seed of the shuffle."""

    def __post_init__(self) -> None:
        for name in ("train", "dev", "test"):
            check_size(name, getattr(self, name) or 0)


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """A model, its endpoint and its limits."""

    volatile: ClassVar[frozenset[str]] = frozenset({
        "base_url", "api_key_env", "concurrency", "timeout_s", "max_attempts", "requests_per_minute",
        "tokens_per_minute", "batch_size", "prices", "batch", "batch_poll_s", "headers",
    })  # fmt: skip
    """Keys that change how fast or where a run runs, not its results: a resumed run may change them."""
    absent_if_unset: ClassVar[frozenset[str]] = frozenset({
        "extra_body", "top_p", "stop", "reasoning_effort", "completions",
    })  # fmt: skip
    """Keys that are part of a run's identity only if they are set."""

    model: str = ""
    """PROVIDER:NAME (openai:NAME for any OpenAI-compatible endpoint, anthropic:NAME, gemini:NAME, azure:DEPLOYMENT,
    ollama:NAME, litellm:PROVIDER/NAME, …), local:PATH (a transformers checkpoint), pocket, or editor."""
    base_url: str | tuple[str, ...] = ""
    """Endpoint of a provider's model; empty: the official one. Several make a pool: each call goes to the one that is
    expected to answer first."""
    api_key_env: str | tuple[str, ...] = ""
    """Environment variable that holds the key; empty: the provider's usual one (OPENAI_API_KEY, ANTHROPIC_API_KEY,
    GEMINI_API_KEY, …). Endpoints on this machine need none. Several make a pool: give as many as endpoints, or one
    of either."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """Further headers of each request, {X-Team = "research", X-Key = "$GATEWAY_KEY"}: `$NAME` is replaced by an
    environment variable. The log holds no value, so a resumed run needs them again."""
    extra_body: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Further fields of each request's JSON, as the provider names them: {enable_thinking = false}."""
    top_p: float | None = None
    """Sample from the most likely tokens with this total probability; None: the provider's default."""
    stop: str | tuple[str, ...] = ()
    """Texts at which a reply ends."""
    reasoning_effort: str = ""
    """How much a reasoning model thinks (none, low, medium, high, …); empty: the provider's default."""
    completions: bool = False
    """For a base model without a chat template: use the server's completions route (`/v1/completions`)."""
    concurrency: int = 16
    """Most requests in flight; in a pool per member, like the two limits below."""
    timeout_s: float = 60.0
    """Timeout of a request in seconds; the request is then retried."""
    max_attempts: int = 10
    """Most attempts per request; after that its score is missing."""
    requests_per_minute: float | None = None
    """The provider's limit, if it has one."""
    tokens_per_minute: float | None = None
    """The provider's limit, if it has one."""
    batch_size: int = 64
    """For local: and pocket only: requests per batch."""
    batch: bool = False
    """Target only: use the provider's batch API (openai:, anthropic:): half the price, up to 24 hours per step."""
    batch_poll_s: float = 30.0
    """Seconds between two polls of a batch."""
    prices: Mapping[str, float] = field(default_factory=dict[str, float])
    """US dollars per million tokens, {input = 0.15, output = 0.6}, for a model that the price list lacks."""

    def __post_init__(self) -> None:
        for name in ("concurrency", "max_attempts", "batch_size"):
            check_at_least(name, getattr(self, name), 1)
        for name in ("timeout_s", "requests_per_minute", "tokens_per_minute", "batch_poll_s"):
            check_positive(name, getattr(self, name))
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ConfigError(f"top_p is {self.top_p!r}; expected more than 0, at most 1")


@dataclass(frozen=True, kw_only=True)
class TargetConfig(ModelConfig, Sampling):
    """The model that answers, its endpoint, limits and sampling."""

    def __post_init__(self) -> None:
        ModelConfig.__post_init__(self)
        Sampling.__post_init__(self)


@dataclass(frozen=True, kw_only=True)
class OptimizerModelConfig(ModelConfig):
    """The model that rewrites prompts, its endpoint and limits."""

    model: str = "editor"
    """Like `target.model`; the default is the bundled rewriter."""
    temperature: float | None = None
    """Sampling temperature for proposals; default: the optimizer's own (1)."""

    def __post_init__(self) -> None:
        ModelConfig.__post_init__(self)
        check_at_least("temperature", self.temperature or 0, 0)


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """The algorithm that proposes prompts (`askwell optimizers`). Other keys are its settings: {candidates = 4}."""

    name: str = "askwell"
    """One of `askwell optimizers`."""
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Changed settings of the algorithm; in a file they are keys beside `name`."""


@dataclass(frozen=True, kw_only=True)
class PolicyConfig:
    """A policy that writes a prompt per query (`askwell train`).

    Other keys are settings of its method: those of `LoopsSettings`, `ModelSettings` and `TrainSettings`.
    """

    volatile: ClassVar[frozenset[str]] = frozenset({"processes"})
    """Keys that a resumed training may change."""

    sources: tuple[str, ...] = ()
    """Sources of logged outcomes: names of runs, and files of records."""
    method: Literal["askwell", "qpo"] = "askwell"
    """`qpo`: QPO as published (greedy, no fallback, reward-conditioned, one new prompt per query)."""
    scorer: str = ""
    """Select among the logged prompts with this scorer (multitask, trees or knn); no model is called."""
    processes: int = 1
    """Processes of this machine per fit (on GPUs: one per GPU). The results equal those of one process."""
    shots: int = 0
    """Demonstrations from the train split that are sent with every prompt."""
    force: bool = False
    """Train although headroom shows nothing to gain."""
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Changed settings of the method; in a file they are keys beside `method`."""

    def __post_init__(self) -> None:
        check_at_least("processes", self.processes, 1)
        check_at_least("shots", self.shots, 0)


@dataclass(frozen=True, kw_only=True)
class RunConfig(LoopSettings):
    """The folder of the log, the stopping rules, and the seed of the run."""

    volatile: ClassVar[frozenset[str]] = frozenset({"name", "folder", "max_missing", "trace", "force"})
    """Keys that a resumed run may change."""

    name: str = ""
    """Folder of the run; empty: made from the task's name."""
    folder: str = "runs"
    """The folder that holds run folders."""
    max_missing: float = 0.02
    """Share of a step's target calls that may fail permanently before the run stops with an error."""
    force: bool = False
    """Go on although most replies to the initial prompt cannot be scored; else the run stops before its first step."""
    trace: Trace = "off"
    """OpenTelemetry spans (the `otel` extra): off, calls (model, tokens, outcome), or content (the messages too)."""

    def __post_init__(self) -> None:
        LoopSettings.__post_init__(self)
        if not 0 <= self.max_missing <= 1:
            raise ConfigError(f"max_missing is {self.max_missing!r}; expected a share, 0..1")


@dataclass(frozen=True, kw_only=True)
class Objects:
    """Parts given from Python as objects. Each replaces the section or key of the same name."""

    data: DataLike | None = None
    metric: Metric | None = None
    target: ChatModel | None = None
    optimizer_model: ChatModel | None = None
    trainer: Trainer | None = None

    def unnamed(self) -> dict[str, str]:
        """Describe each part that is given, for the message that refuses to rebuild the run from its log."""
        parts = ((part.name, getattr(self, part.name)) for part in fields(self))
        return {name: _describe(value) for name, value in parts if value is not None}


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings of a run."""

    prompt: str = DEFAULT_PROMPT
    """The instruction to start from."""
    task: TaskConfig = field(default_factory=TaskConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    target: TargetConfig = field(default_factory=TargetConfig)
    optimizer_model: OptimizerModelConfig = field(default_factory=OptimizerModelConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    racing: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """How candidates are scored on dev: changes to the optimizer's own `RaceSettings`."""
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    demos: Demos = field(default_factory=Demos)
    run: RunConfig = field(default_factory=RunConfig)
    budget: Caps = field(default_factory=Caps)
    objects: Objects = field(default_factory=Objects)

    def tree(self) -> dict[str, Any]:
        """Return the sections in the form of a config file, as JSON-able values; `objects` are left out."""
        return {part.name: _as_json(getattr(self, part.name)) for part in fields(self) if part.name != "objects"}

    def identity(self, sections: Iterable[str]) -> dict[str, Any]:
        """Return the settings of these sections that determine the results; a resumed run must have the same."""
        tree = self.tree()
        identity: dict[str, Any] = {}
        for name in sections:
            section = getattr(self, name)
            absent = {key for key in getattr(section, "absent_if_unset", _NONE) if not tree[name][key]}
            left_out = getattr(section, "volatile", _NONE) | absent
            identity[name] = {key: value for key, value in tree[name].items() if key not in left_out}
        return identity


def _as_json(section: object) -> Any:  # noqa: ANN401 - JSON
    tree = asdict(section) if is_dataclass(section) and not isinstance(section, type) else section
    if isinstance(section, OptimizerConfig | PolicyConfig):
        tree = {**cast("dict[str, Any]", tree)}
        tree |= tree.pop("settings")
    return json.loads(json.dumps(tree))


def _describe(part: object) -> str:
    name = getattr(part, "name", None) or getattr(part, "__qualname__", None)
    return name if isinstance(name, str) else f"a {type(part).__qualname__}"
