"""The settings of a run: one frozen tree, read from TOML and flags; unknown keys are refused with the nearest match."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from askwell.errors import ConfigError, nearest

DEFAULT_PROMPT = "Let's think step by step."
"""The paper's initial prompt."""


Trace = Literal["off", "calls", "content"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    volatile: ClassVar[frozenset[str]] = frozenset()
    """Keys that change how fast or where a run runs, not what it finds: a resumed run may change them."""


class TaskConfig(_Section):
    """What is to be answered, and how an answer is judged."""

    data: str = ""
    """Examples: a .jsonl, .json, .csv or .parquet file, "hf:owner/name[:config][:split]", a benchmark ("bench:NAME",
    see `askwell data list`) or a bundled task ("pocket:TASK"); split by `[split]`."""
    folder: str = ""
    """Of a benchmark: where its files are, in their source format; from the hub when empty."""
    train: str = ""
    """Instead of `data`: a source of its own for each split; overlap is refused."""
    dev: str = ""
    """See `train`."""
    test: str = ""
    """See `train`."""
    records: str = ""
    """Where the list of records stands in a JSON file ("examples"); found by itself when there is only one."""
    fields: Mapping[str, str] = Field(default_factory=dict[str, str])
    """Which record field is the input, the target, the id: {input = "question", target = "answer"}."""
    limit: int | None = Field(default=None, ge=1)
    """Read at most so many examples."""
    metric: str = ""
    """How a reply is graded: an answer type (exact, choice, number, …). Default: the benchmark's, else exact."""
    placement: str = ""
    """Where the instruction stands: system, before_Q, Q_begin, Q_end (the paper's default) or A_begin."""
    labels: bool = False
    """Write "Q:" and "A:" lines."""
    name: str = ""
    """Name of the task, for reports; the data's file name when empty."""


class SplitConfig(_Section):
    """How `task.data` is split: counts (48) or shares (0.2)."""

    train: float | None = Field(default=None, ge=0)
    """Examples the optimizer may look at. Default: by the paper's ratio 1 : 1 : 3."""
    dev: float | None = Field(default=None, ge=0)
    """Examples every candidate is scored on."""
    test: float | None = Field(default=None, ge=0)
    """Examples touched once, at the end."""
    seed: int = 0
    """Seed of the shuffle."""


class ModelConfig(_Section):
    """A model and how to ask it."""

    volatile = frozenset({
        "base_url", "api_key_env", "concurrency", "timeout_s", "max_attempts", "requests_per_minute",
        "tokens_per_minute", "batch_size", "prices", "batch", "batch_poll_s",
    })  # fmt: skip

    model: str = ""
    """PROVIDER:NAME (openai:NAME for any OpenAI-compatible endpoint, anthropic:NAME, gemini:NAME, azure:DEPLOYMENT,
    ollama:NAME, litellm:PROVIDER/NAME, …), local:PATH (a transformers checkpoint), pocket, or editor."""
    base_url: str | tuple[str, ...] = ""
    """Endpoint of a provider's model; its official one when empty. Several are a pool: each call goes to the one that
    is expected to answer soonest."""
    api_key_env: str | tuple[str, ...] = ""
    """Environment variable that holds the key; when empty the provider's usual one (OPENAI_API_KEY,
    ANTHROPIC_API_KEY, GEMINI_API_KEY, …). Endpoints on this machine need none. Several are a pool, as above: as many as
    endpoints, or either of them alone."""
    temperature: float | None = Field(default=None, ge=0)
    """Sampling temperature; the target's default is 0, the optimizer's is its preset's (1)."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Longest reply, in tokens; 512 by default (64 for pocket)."""
    seed: int | None = None
    """Sent to the endpoint with each request, where it takes one."""
    draws: int = Field(default=1, ge=1)
    """Target only: how often each example is asked; for temperatures above 0."""
    concurrency: int = Field(default=16, ge=1)
    """Most requests in flight; of a pool, at each member, as the two limits below."""
    timeout_s: float = Field(default=60.0, gt=0)
    """A request that takes longer has failed, and is retried."""
    max_attempts: int = Field(default=10, ge=1)
    """Tries a request gets before it counts as missing."""
    requests_per_minute: float | None = Field(default=None, gt=0)
    """The provider's limit, if it has one."""
    tokens_per_minute: float | None = Field(default=None, gt=0)
    """The provider's limit, if it has one."""
    batch_size: int = Field(default=64, ge=1)
    """local: and pocket only: requests answered together."""
    batch: bool = False
    """Target only: ask in the provider's batches (openai:, anthropic:): half the price, up to 24 hours a step."""
    batch_poll_s: float = Field(default=30.0, gt=0)
    """Seconds between two looks at a batch."""
    prices: Mapping[str, float] = Field(default_factory=dict[str, float])
    """US dollars per million tokens, {input = 0.15, output = 0.6}, where the price list does not know the model."""


class PolicyConfig(_Section):
    """A policy that writes a prompt for each query (`askwell train`). What is None is the preset's."""

    sources: tuple[str, ...] = ()
    """Where outcomes were logged: names of runs, and files of records."""
    preset: Literal["askwell", "paper"] = "askwell"
    """`paper`: QPO as published (greedy, no guard, reward-conditioned, one new prompt a query)."""
    base: str = ""
    """Causal language model of transformers it starts from: a name, a folder, or `pocket`. Default: gpt2; pocket where
    pocket is the target."""
    objective: Literal["reward-conditioned", "filtered-cloning", "advantage-weighted", "dpo"] | None = None
    """What is learnt from logged pairs."""
    signal: Literal["reward", "advantage", "group"] | None = None
    """What pairs are told apart by: the reward, its advantage over the static prompt, or its rank within the query."""
    reward: Literal["accuracy", "choice", "few-shot", "free-text"] | None = None
    """What a logged pair is worth: its score (accuracy), or one of the paper's formulas (`askwell.qpo.rewards`), which
    `paper` takes: choice, or few-shot where there are shots."""
    min_max: bool = False
    """Map the rewards of such a formula to 0..100."""
    scorer: str = ""
    """Choose among the logged prompts by this scorer (multitask, trees, knn, …): nothing is written, nothing asked."""
    loops: int | None = Field(default=None, ge=1)
    """Trainings at the most; each but the first labels new pairs before."""
    choosing: bool | None = None
    """Begin with choosing among the logged prompts: what a trained policy must beat to be deployed."""
    patience: int | None = Field(default=None, ge=0)
    """Loops in a row that may bring nothing until it ends; 0 goes on to the last."""
    collect: int | None = Field(default=None, ge=1)
    """New (query, prompt) pairs labelled a loop."""
    prompts: int | None = Field(default=None, ge=1)
    """Different new prompts a query at the most."""
    choice: Literal["uniform", "information"] | None = None
    """Which queries are asked next: at random, or where the outcome is least certain."""
    samples: int | None = Field(default=None, ge=0)
    """Prompts sampled a query and ranked by the value head; 0 sends the greedy one."""
    guard: bool | None = None
    """Keep the static prompt where no gain is in sight."""
    most_prompts: int | None = Field(default=None, ge=0)
    """Logged prompts of a query that are trained on; 0 is all."""
    epochs: int | None = Field(default=None, ge=1)
    """Passes over the data at the most, in the first loop."""
    lora_rank: int = Field(default=0, ge=0)
    """Above 0: adapters of this rank are trained, not the whole model (needs peft)."""
    shots: int = Field(default=0, ge=0)
    """Demonstrations, from the train split, that go with every prompt."""
    force: bool = False
    """Train although headroom shows nothing to gain."""


class RunConfig(_Section):
    """Where the log goes, when to stop, and the seed of everything."""

    volatile = frozenset({"name", "folder", "max_missing", "trace"})

    name: str = ""
    """Folder of the run; made up from the task's name when empty."""
    folder: str = "runs"
    """Where run folders stand."""
    seed: int = 0
    """Same seed, same log."""
    steps: int = Field(default=18, ge=0)
    """Optimization steps; the paper's three epochs of six."""
    patience: int = Field(default=0, ge=0)
    """Stop after so many steps without a better dev score; 0 never does."""
    max_missing: float = Field(default=0.02, ge=0, le=1)
    """Share of a step's target calls that may fail for good before the run stops loudly."""
    trace: Trace = "off"
    """OpenTelemetry spans (the `otel` extra): off, calls (model, tokens, outcome), or content (the messages too)."""


class RacingConfig(_Section):
    """How a step's candidates are scored on dev: a race stops losers early. By default as the preset has it."""

    method: str | None = None
    """full (everybody on everything, as most are published), askwell, successive-halving or capo-paired-t."""
    block: int | None = Field(default=None, ge=1)
    """Dev examples that are asked for, and judged, together (6)."""
    lookahead: int | None = Field(default=None, ge=0)
    """Calls asked for ahead of the results they are decided on (16); about the concurrency, or slots idle."""
    price: float | None = Field(default=None, ge=0)
    """askwell: score (0..1) that one full evaluation of everybody has to be worth (0.005); lower looks longer."""
    share: float | None = Field(default=None, gt=0, le=1)
    """successive-halving: part of the full evaluation to spend (0.3)."""
    alpha: float | None = Field(default=None, gt=0, lt=1)
    """capo-paired-t: level of its tests (0.2)."""
    survivors: int | None = Field(default=None, ge=1)
    """How many of a race's prompts get the whole dev split in the end (1)."""
    incumbents: int | None = Field(default=None, ge=0)
    """How many of the best prompts so far run along, at no cost (1)."""


class DemosConfig(_Section):
    """Which training examples a prompt shows as demonstrations."""

    choice: str = ""
    """none, random, per-class, nearest (to each question) or joint (searched with the instruction); the preset's own
    when empty: joint for askwell, none for the others."""
    count: int = Field(default=4, ge=1)
    """How many; of joint, at most."""
    order: str = "drawn"
    """drawn (nearest: the nearest last), reversed, shortest-first or longest-first."""
    seed: int = 0
    """Of the draw."""


class BudgetConfig(_Section):
    """Hard caps on a run's spending, both models together. It ends in order, with its best so far."""

    max_calls: int | None = Field(default=None, ge=1)
    """Answered calls; each sample of a request for several is one, answers taken from the log are none."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Prompt and completion tokens."""
    max_usd: float | None = Field(default=None, gt=0)
    """US dollars; needs known prices (the `prices` extra, or target.prices)."""
    max_minutes: float | None = Field(default=None, gt=0)
    """Minutes of this process."""


class Config(_Section):
    """Everything a run needs to know."""

    prompt: str = DEFAULT_PROMPT
    """The instruction to start from."""
    task: TaskConfig = TaskConfig()
    split: SplitConfig = SplitConfig()
    target: ModelConfig = ModelConfig()
    optimizer: ModelConfig = ModelConfig(model="editor")
    search: Mapping[str, Any] = Field(default_factory=dict[str, Any])
    """Who proposes prompts: a preset (`askwell presets`), and any of its settings to be changed:
    {preset = "gpo", candidates = 4}."""
    racing: RacingConfig = RacingConfig()
    policy: PolicyConfig = PolicyConfig()
    demos: DemosConfig = DemosConfig()
    run: RunConfig = RunConfig()
    budget: BudgetConfig = BudgetConfig()

    def identity(self) -> dict[str, object]:
        """Return the settings that decide what a run finds; a resumed run must have the same."""
        tree = self.model_dump(mode="json")
        del tree["policy"]  # of `askwell train` alone, which adds it
        del tree["budget"]  # a run may be given more, or less, when it is resumed
        for name, section in (("target", self.target), ("optimizer", self.optimizer), ("run", self.run)):
            for key in section.volatile:
                del tree[name][key]
        return tree


def read_config(path: Path | None, overrides: Mapping[str, Any], *, base: Mapping[str, Any] | None = None) -> Config:
    """Read a TOML file (if any) and lay flags over it. Raises `ConfigError` with the key, what was expected, and where.

    `overrides` maps dotted keys ("target.concurrency") to values; a value of None leaves the file's. `base` is a tree
    to start from where there is no file.
    """
    tree: dict[str, Any] = copy.deepcopy(dict(base or {})) if path is None else _read_toml(path)
    for key, value in overrides.items():
        if value is None:
            continue
        *sections, last = key.split(".")
        place = tree
        for section in sections:
            place = _subtable(place, section, path)
        place[last] = value
    return parse_config(tree, source="the flags" if path is None else str(path))


def parse_config(tree: Mapping[str, Any], *, source: str = "the config") -> Config:
    """Check a tree of settings. Raises `ConfigError` naming the key and the nearest known one."""
    if "gpo" in tree:
        raise ConfigError(f"in {source}: [gpo] is called [search] now, as presets need not be GPO; rename the section")
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(f"in {source}: " + "; ".join(_explain(problem) for problem in error.errors())) from error


def _subtable(tree: dict[str, Any], section: str, path: Path | None) -> dict[str, Any]:
    found: object = tree.setdefault(section, {})
    if not isinstance(found, dict):
        raise ConfigError(f"in {path}: {section} = {found!r} must be a table: [{section}]")
    return cast("dict[str, Any]", found)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"no config file {str(path)!r}; give the path of a TOML file, or flags alone") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the config file {str(path)!r}: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the config file {str(path)!r} is not valid TOML: {error}") from error


def _explain(problem: Mapping[str, Any]) -> str:
    place = [str(part) for part in problem["loc"]]
    key = ".".join(place)
    if problem["type"] == "extra_forbidden":
        section: Any = Config
        for part in place[:-1]:
            section = section.model_fields[part].annotation
        return f"unknown key {key!r}; {nearest(place[-1], section.model_fields)}"
    return f"{key} = {problem['input']!r}: {problem['msg'][0].lower()}{problem['msg'][1:]}"
