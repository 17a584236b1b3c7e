"""One cell of a run, whole: the request as it was sent, the reply, the score and why.

The log holds no rendered requests (a million of them would be its bulk); they are made again from the prompt, the
example and the run's settings, and the digest in the log tells whether that is what was sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, cast

from askwell import columns, views
from askwell.errors import ConfigError, StoreError, nearest
from askwell.evaluation import Sampling
from askwell.models.base import request_key
from askwell.models.providers import provider_of
from askwell.records import Body, completion_of, prompt_id, score_of
from askwell.store import RunStore
from askwell.tasks.base import Render
from askwell.tasks.demos import Demos
from askwell.tasks.render import Placed
from askwell.types import Completion, Event, Example, Prompt, Request, Score, Split


@dataclass(frozen=True, slots=True, kw_only=True)
class CellView:
    """One (prompt, example, draw) on one split."""

    step: int
    split: Split
    draw: int
    prompt: Prompt
    example: Example
    request: Request
    is_exact: bool | None
    """Whether the digest of this request is that in the log; None where the log does not tell the model's full name."""
    completion: Completion
    score: Score | None
    seconds: float
    cached: bool

    @property
    def place(self) -> str:
        """The value of `--call` that shows this one."""
        return f"{prompt_id(self.prompt)}:{self.example.id}" + (f":{self.draw}" if self.draw else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """How a run put its questions."""

    render: Render
    sampling: Sampling
    target: str


def find(store: RunStore, place: str) -> list[CellView]:
    """Return the cells at a place: PROMPT:EXAMPLE or PROMPT:EXAMPLE:DRAW, each answered time and split.

    PROMPT is an id (or how it begins), "initial" or "best". Raises `ConfigError` naming the nearest one.
    """
    prompts, examples = _prompts(store), _examples(store)
    name, _, rest = place.partition(":")
    prompt = _prompt_named(name, prompts, store)
    example, draw = _example_named(rest, examples)
    wanted = {"prompt": prompt_id(prompt), "example": example} | ({} if draw is None else {"draw": draw})
    found = list(_views(store, prompts, examples, wanted))
    if not found:
        raise ConfigError(f"no call {place!r}: this prompt was not tried on this example; --calls lists the calls")
    return found


def worst(store: RunStore) -> Iterator[CellView]:
    """Yield the cells of the best prompt, missing ones first, then by score ascending."""
    prompts = _prompts(store)
    best = _prompt_named("best", prompts, store)
    found = [view for view in _views(store, prompts, _examples(store), {"prompt": prompt_id(best)}) if not view.cached]
    answered = {(view.split, view.place) for view in found if view.score is not None}
    kept = [view for view in found if view.score is not None or (view.split, view.place) not in answered]
    return iter(sorted(kept, key=lambda view: -1.0 if view.score is None else view.score.value))


def render_of(store: RunStore) -> Render:
    """Return how a run puts prompt and question together. Raises `StoreError` where its log does not say."""
    return _asked(store).render


def _views(
    store: RunStore, prompts: Mapping[str, Prompt], examples: Mapping[str, Example], wanted: Mapping[str, object]
) -> Iterator[CellView]:
    asked = _asked(store)
    for event in store.events(kinds=["rollout"]):
        body = event.body
        if any(body.get(name, 0) != value for name, value in wanted.items()):
            continue
        prompt, example = prompts[cast("str", body["prompt"])], examples[cast("str", body["example"])]
        draw = cast("int", body.get("draw", 0))
        request = Request(
            messages=asked.render(prompt, example),
            temperature=asked.sampling.temperature,
            max_tokens=asked.sampling.max_tokens,
            seed=asked.sampling.seed,
            draw=draw,
        )
        yield CellView(
            step=cast("int", body["step"]),
            split=cast("Split", body["split"]),
            draw=draw,
            prompt=prompt,
            example=example,
            request=request,
            is_exact=_is_exact(event, asked.target, request),
            completion=completion_of(cast("Body", body["completion"])),
            score=score_of(body["score"]),
            seconds=event.seconds,
            cached=bool(body.get("cached")),
        )


def _is_exact(event: Event, target: str, request: Request) -> bool | None:
    """A checkpoint's name in the log holds a fingerprint of its files, which its name in the settings does not."""
    same = event.key == request_key(target, request)
    is_known = event.key and (provider_of(target) is not None or "#" in target or ":" not in target)
    return same if same or (is_known and target != "pocket") else None


def _asked(store: RunStore) -> _Asked:
    config = cast("Mapping[str, Any]", views.header(store.events(kinds=["run"]))["config"])
    if "task" not in config:
        raise StoreError("this run's settings do not say how its questions were put; it was made by other means")
    task, target = config["task"], config["target"]
    render, name = Placed(placement=task["placement"], labels=task["labels"]), target["model"]
    sampling = Sampling(**{one.name: target[one.name] for one in fields(Sampling)})
    if config.get("demos"):
        train = views.examples(store.events(kinds=["example"])).get("train", ())
        return _Asked(render=Demos(**config["demos"]).around(render, train), sampling=sampling, target=name)
    return _Asked(render=render, sampling=sampling, target=name)


def _prompts(store: RunStore) -> dict[str, Prompt]:
    return views.prompts(store.events(kinds=["prompt"]))


def _examples(store: RunStore) -> dict[str, Example]:
    by_split = views.examples(store.events(kinds=["example"]))
    return {example.id: example for members in by_split.values() for example in members}


def _prompt_named(name: str, prompts: Mapping[str, Prompt], store: RunStore) -> Prompt:
    if name in {"initial", "best"}:
        history = columns.read(store).trajectory
        if not len(history):
            raise ConfigError("the run has not scored its first prompt yet; look again later")
        final = views.result(store.events(kinds=["result"]))
        if final:
            return prompts[cast("str", final[name])]
        return history.candidates[0].prompt if name == "initial" else history.best.prompt
    found = [prompt for known, prompt in prompts.items() if name and known.startswith(name)]
    if len(found) != 1:
        few = "several prompts begin" if found else "no prompt begins"
        raise ConfigError(f"{few} with {name!r}; {nearest(name, ['initial', 'best', *_some(prompts)])}")
    return found[0]


def _example_named(rest: str, examples: Mapping[str, Example]) -> tuple[str, int | None]:
    if rest in examples:
        return rest, None
    name, _, draw = rest.rpartition(":")
    if name in examples and draw.isdecimal():
        return name, int(draw)
    raise ConfigError(f"no example {rest!r}; {nearest(rest, _some(examples))}")


def _some(names: Iterable[str], most: int = 12) -> list[str]:
    return [name for name, _ in zip(names, range(most), strict=False)]
