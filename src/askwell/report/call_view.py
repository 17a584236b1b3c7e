"""Show one call of a run in full: the request as it was sent, the reply, the score and its reason.

The log holds no rendered requests, because a million of them would be most of its size. They are rebuilt from the
prompt, the example and the run's settings; the digest in the log shows whether the rebuilt request is the sent one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from statistics import fmean
from typing import Any, cast

from askwell.core.errors import ConfigError, StoreError, nearest
from askwell.core.protocols import Render
from askwell.core.types import Completion, Event, Example, Prompt, Request, Score, Split
from askwell.engine.evaluator import Sampling
from askwell.models.providers.registry import find_provider
from askwell.models.request_key import request_key
from askwell.runlog.bodies import OPTIMIZATION_RESULT, REQUEST_SETTINGS
from askwell.runlog.codec import Body, decode_completion, decode_score, prompt_id
from askwell.runlog.fold import examples_by_id, fold, read_examples, read_header, read_prompts, read_result
from askwell.runlog.folders import is_evaluation
from askwell.runlog.reading import check_shape, located, read_events
from askwell.runlog.store import RunStore
from askwell.tasks.demos import decode_demos
from askwell.tasks.render import ChatRender


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutView:
    """One call: a prompt, an example and a sample index on one split."""

    step: int
    split: Split
    sample_index: int
    prompt: Prompt
    example: Example
    request: Request
    is_exact: bool | None
    """Whether the digest of this request equals the one in the log; None if the log lacks the model's full name."""
    completion: Completion
    score: Score | None
    seconds: float
    cached: bool

    @property
    def call_id(self) -> str:
        """The value of `--call` that shows this call."""
        return f"{prompt_id(self.prompt)}:{self.example.id}" + (f":{self.sample_index}" if self.sample_index else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class _RequestSettings:
    """How a run rendered and sampled its requests."""

    render: Render
    sampling: Sampling
    target: str


def find_calls(store: RunStore, call_id: str, *, with_test: bool = False) -> list[RolloutView]:
    """Return the calls with this id, on every split: PROMPT:EXAMPLE or PROMPT:EXAMPLE:SAMPLE.

    PROMPT is an id or its first characters, "initial" or "best". Raises `ConfigError` with the nearest name, and for an
    example of the test split without `with_test`.
    """
    prompts, examples = read_prompts(store), _shown_examples(store, call_id, with_test=with_test)
    name, _, rest = call_id.partition(":")
    prompt = _find_prompt(name, prompts, store)
    example, sample_index = _find_example(rest, examples)
    wanted = {"prompt": prompt_id(prompt), "example": example} | (
        {} if sample_index is None else {"sample_index": sample_index}
    )
    is_shown = with_test or not holds_test_out(store)
    calls = [view for view in _views(store, prompts, examples, wanted) if is_shown or view.split != "test"]
    if not calls:
        raise ConfigError(f"no call {call_id!r}: this prompt was not tried on this example; --calls lists the calls")
    return calls


def worst_calls(store: RunStore, *, with_test: bool = False) -> list[RolloutView]:
    """Return the calls of the best prompt, missing ones first, then by score ascending.

    Calls on the test split are left out without `with_test`: whoever reads them would tune prompts to them. Of an
    evaluation, which holds nothing out and chooses no prompt, the calls of all prompts are returned.
    """
    prompts = read_prompts(store)
    chooses = holds_test_out(store)
    wanted = {"prompt": prompt_id(_find_prompt("best", prompts, store))} if chooses else {}
    calls = [
        view
        for view in _views(store, prompts, examples_by_id(read_examples(store)), wanted)
        if not view.cached and (with_test or not chooses or view.split != "test")
    ]
    answered = {(view.split, view.call_id) for view in calls if view.score is not None}
    kept = [view for view in calls if view.score is not None or (view.split, view.call_id) not in answered]
    return sorted(kept, key=lambda view: -1.0 if view.score is None else view.score.value)


def holds_test_out(store: RunStore) -> bool:
    """Return whether the run's test split is held out; an evaluation has all its examples there, to be read."""
    return not is_evaluation(read_header(store))


def read_render(store: RunStore) -> Render:
    """Return how a run renders prompt and question. Raises `StoreError` if its log does not say."""
    return _read_request_settings(store).render


def _views(
    store: RunStore, prompts: Mapping[str, Prompt], examples: Mapping[str, Example], wanted: Mapping[str, object]
) -> Iterator[RolloutView]:
    settings = _read_request_settings(store)
    for event in read_events(store, kinds=["rollout"]):
        body = event.body
        if any(body.get(name, 0) != value for name, value in wanted.items()):
            continue
        with located(store, event.position):
            prompt, example = prompts[cast("str", body["prompt"])], examples[cast("str", body["example"])]
        sample_index = cast("int", body.get("sample_index", 0))
        request = Request(
            messages=settings.render(prompt, example),
            temperature=settings.sampling.temperature,
            max_tokens=settings.sampling.max_tokens,
            seed=settings.sampling.seed,
            sample_index=sample_index,
        )
        yield RolloutView(
            step=cast("int", body["step"]),
            split=cast("Split", body["split"]),
            sample_index=sample_index,
            prompt=prompt,
            example=example,
            request=request,
            is_exact=_is_request_exact(event, settings.target, request),
            completion=decode_completion(cast("Body", body["completion"])),
            score=decode_score(body["score"]),
            seconds=event.seconds,
            cached=bool(body.get("cached")),
        )


def _is_request_exact(event: Event, target: str, request: Request) -> bool | None:
    """Return whether the request is the logged one; None if that cannot be known.

    The key is made with a checkpoint's full name, which has a fingerprint of its files; the settings lack it.
    """
    same = event.key == request_key(target, request)
    is_known = event.key and (find_provider(target) is not None or "#" in target or ":" not in target)
    return same if same or (is_known and target != "pocket") else None


def _read_request_settings(store: RunStore) -> _RequestSettings:
    config = cast("Body", read_header(store)["config"])
    if "task" not in config:
        raise StoreError(
            "this run's settings do not say how its requests were rendered: neither the API nor a command made it"
        )
    with located(store, 0):
        check_shape(config, REQUEST_SETTINGS)
    task, target = cast("Mapping[str, Any]", config["task"]), cast("Mapping[str, Any]", config["target"])
    render = ChatRender(placement=task["placement"], labels=task["labels"])
    sampling = Sampling(**{field.name: target[field.name] for field in fields(Sampling)})
    train = read_examples(store).get("train", ())
    return _RequestSettings(render=decode_demos(config).wrap(render, train), sampling=sampling, target=target["model"])


def _shown_examples(store: RunStore, call_id: str, *, with_test: bool) -> Mapping[str, Example]:
    """Return the examples whose calls may be shown. Raises `ConfigError` if the call is one of the others."""
    splits = read_examples(store)
    if with_test or not holds_test_out(store):
        return examples_by_id(splits)
    shown = examples_by_id({split: members for split, members in splits.items() if split != "test"})
    rest = call_id.partition(":")[2]
    for example in splits.get("test", ()):
        if example.id not in shown and (rest == example.id or rest.rpartition(":")[0] == example.id):
            raise ConfigError(
                f"the example {example.id!r} is in the test split: whoever reads its calls would tune prompts to them; "
                "to show them nevertheless, add --test"
            )
    return shown


def _find_prompt(name: str, prompts: Mapping[str, Prompt], store: RunStore) -> Prompt:
    if name in {"initial", "best"}:
        if is_evaluation(read_header(store)):
            return _find_evaluated(name, prompts, store)
        history = fold(store).trajectory
        if not len(history):
            raise ConfigError("the run has not scored its first prompt yet; look again later")
        final = read_result(store, OPTIMIZATION_RESULT)
        if final:
            return prompts[cast("str", final[name])]
        return history.candidates[0].prompt if name == "initial" else history.best.prompt
    matching = [prompt for identifier, prompt in prompts.items() if name and identifier.startswith(name)]
    if len(matching) != 1:
        problem = "several prompts begin" if matching else "no prompt begins"
        raise ConfigError(f"{problem} with {name!r}; {nearest(name, ['initial', 'best', *_first_names(prompts)])}")
    return matching[0]


def _find_evaluated(name: str, prompts: Mapping[str, Prompt], store: RunStore) -> Prompt:
    """Return an evaluation's first prompt, or the one with the highest score; of equals, the first."""
    scores = fold(store).scores.get("test", {})
    scored = [identifier for identifier in prompts if scores.get(identifier)]
    if not scored:
        raise ConfigError("the evaluation has scored no prompt yet; look again later")
    first = scored[0]
    return prompts[first if name == "initial" else max(scored, key=lambda one: fmean(scores[one].values()))]


def _find_example(rest: str, examples: Mapping[str, Example]) -> tuple[str, int | None]:
    if rest in examples:
        return rest, None
    name, _, sample_index = rest.rpartition(":")
    if name in examples and sample_index.isdecimal():
        return name, int(sample_index)
    raise ConfigError(f"no example {rest!r}; {nearest(rest, _first_names(examples))}")


def _first_names(names: Iterable[str], most: int = 12) -> list[str]:
    return [name for name, _ in zip(names, range(most), strict=False)]
