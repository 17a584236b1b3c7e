"""Estimate the calls and tokens of each stage of a run: the usual case, and a bound that no run exceeds.

Known texts are rendered as they will be sent. A text that a model has yet to write counts as its longest reply. Without
the model's tokenizer, a token is usually four characters of English, or one of any other script; in byte-level
vocabularies it is never shorter than a byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from askwell.core.protocols import Demand
from askwell.core.types import Example, Message, Prompt, Rollout, Split
from askwell.engine.jobs import OptimizeJob, TargetSetup
from askwell.engine.preflight import CHECK
from askwell.optimizers.gpo.metaprompt import PLACEHOLDER

TOKENIZER_RATIO = 2
"""Most tokens that another model's tokenizer makes of one token of a model."""
META_BYTES = 8_000
"""Most bytes that an optimizer's own wording adds to a request."""
_USUAL_META_TOKENS = 250
_USUAL_PROMPT_TOKENS = 40  # an instruction of about thirty words
_USUAL_REPLY_SHARE, _USUAL_REPLY_TOKENS = 0.25, 16  # most replies are much shorter than max_tokens, if that is large
_HIGH_PROMPT_RATIO, _HIGH_REPLY_RATIO = 1.25, 2.0
_USUAL_RACED_SHARE = 0.4  # of the dev calls that full evaluation would make
_MESSAGE_TOKENS, _USUAL_MESSAGE_TOKENS = 16, 4  # the chat template's tokens around a message
_REQUEST_TOKENS = 64  # around a request: some templates insert a system message


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Calls of one model in one stage, and the sum of their tokens."""

    calls: float = 0
    prompt_tokens: float = 0
    completion_tokens: float = 0

    @property
    def tokens(self) -> float:
        return self.prompt_tokens + self.completion_tokens

    def plus(self, other: Sizes) -> Sizes:
        return Sizes(
            calls=self.calls + other.calls,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A part of a run: the first scoring (step 0), a step, or the final test (None). Target first, then optimizer."""

    step: int | None
    usual: tuple[Sizes, Sizes]
    most: tuple[Sizes, Sizes]

    @property
    def high(self) -> tuple[Sizes, Sizes]:
        """Hardly exceeded: no candidate is stopped early, prompts and replies are longer than usual."""
        target, optimizer = (_high_sizes(usual, most) for usual, most in zip(self.usual, self.most, strict=True))
        return target, optimizer


def stages(job: OptimizeJob) -> Iterator[Stage]:
    """Yield the stages of a run in order."""
    optimizer = job.make_optimizer(job.optimizer_model, _refuse_call)
    demands = [optimizer.demand(step) for step in range(1, job.settings.steps + 1)]
    estimator = _Estimator.of(job, demands)
    first = estimator.known_calls("dev")
    checks = [_check_sizes(job, role) for role in ("target", "optimizer")]
    yield Stage(
        step=0,
        usual=(first[0].plus(checks[0][0]), checks[1][0]),
        most=(first[1].plus(checks[0][1]), checks[1][1]),
    )
    scored = len(job.initial)
    for step, demand in enumerate(demands, 1):
        yield estimator.step(step, demand, scored)
        scored += demand.proposals
    initial, winner = estimator.known_calls("test", prompts=1), estimator.new_calls("test", 1)
    yield Stage(step=None, usual=(initial[0].plus(winner[0]), Sizes()), most=(initial[1].plus(winner[1]), Sizes()))


def _high_sizes(usual: Sizes, most: Sizes) -> Sizes:
    if not usual.calls:
        return most
    ratio = most.calls / usual.calls
    return Sizes(
        calls=most.calls,
        prompt_tokens=min(most.prompt_tokens, _HIGH_PROMPT_RATIO * ratio * usual.prompt_tokens),
        completion_tokens=min(most.completion_tokens, _HIGH_REPLY_RATIO * ratio * usual.completion_tokens),
    )


def _check_sizes(job: OptimizeJob, role: str) -> tuple[Sizes, Sizes]:
    """Return the usual and the largest check of a model; no calls if it is not checked."""
    if all(check.role != role for check in job.checks):
        return Sizes(), Sizes()
    messages = CHECK.messages
    return (
        Sizes(calls=1, prompt_tokens=usual_tokens(messages), completion_tokens=_USUAL_REPLY_TOKENS),
        Sizes(calls=1, prompt_tokens=most_tokens(messages), completion_tokens=CHECK.max_tokens),
    )


def usual_tokens(messages: Sequence[Message]) -> float:
    """Estimate the tokens of a request."""
    return sum(_usual(message.content) + _USUAL_MESSAGE_TOKENS for message in messages)


def most_tokens(messages: Sequence[Message]) -> int:
    """Return an upper bound of a request's tokens: its UTF-8 bytes, and what a chat template adds."""
    return _REQUEST_TOKENS + sum(_most(message.content) + _MESSAGE_TOKENS for message in messages)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Estimator:
    job: OptimizeJob
    longest_text: int
    """Tokens, in either model's tokenizer, of the longest prompt that is possible."""
    usual_text: float
    copies: int
    """Most times that a request repeats the instruction: demonstrations may repeat it."""
    longest_example: int
    """Tokens of the longest rendered training example, with its answer."""
    usual_example: float
    demos: int

    @classmethod
    def of(cls, job: OptimizeJob, demands: Sequence[Demand]) -> _Estimator:
        initial = [prompt.instruction for prompt in job.initial]
        written = TOKENIZER_RATIO * max((demand.reply_tokens for demand in demands), default=0)
        shown = [_example_text(job.target_setup, example) for example in job.target_setup.task.splits.get("train", ())]
        return cls(
            job=job,
            longest_text=max([written, *(_most(text) for text in initial)]),
            usual_text=max([_USUAL_PROMPT_TOKENS, *(_usual(text) for text in initial)]),
            copies=max((text.count(PLACEHOLDER) for text in shown), default=1),
            longest_example=max((_most(text) for text in shown), default=0),
            usual_example=sum(_usual(text) for text in shown) / max(1, len(shown)),
            demos=max((demand.demos for demand in demands), default=0),
        )

    def step(self, number: int, demand: Demand, scored: int) -> Stage:
        dev_usual, dev_most = self.new_calls("dev", demand.proposals)
        train_usual, train_most = self._train_calls(demand.train_calls)
        usual, most = self._requests(demand, scored)
        return Stage(step=number, usual=(dev_usual.plus(train_usual), usual), most=(dev_most.plus(train_most), most))

    def known_calls(self, split: Split, *, prompts: int | None = None) -> tuple[Sizes, Sizes]:
        """Return the calls of the initial prompts, rendered as they will be sent."""
        wanted = list(self.job.initial)[:prompts]
        usual, most = Sizes(), Sizes()
        for prompt in wanted:
            requests = [self._render(prompt, example) for example in self._examples(split)]
            usual = usual.plus(self._typical_calls(len(requests), sum(map(usual_tokens, requests))))
            most = most.plus(self._most_calls(len(requests), sum(map(most_tokens, requests))))
        return usual, most

    def new_calls(self, split: Split, prompts: int) -> tuple[Sizes, Sizes]:
        """Return the calls of prompts that are not written yet; they are at least as long as the initial ones."""
        requests = [self._render(Prompt(instruction=PLACEHOLDER), example) for example in self._examples(split)]
        copies = sum(map(_copies, requests))
        usual = sum(map(usual_tokens, requests)) + copies * self.usual_text
        most = sum(map(most_tokens, requests)) + copies * self.longest_text + len(requests) * self._longest_demos
        raced = self._raced_share if split == "dev" else 1.0
        return (
            self._typical_calls(raced * prompts * len(requests), raced * prompts * usual),
            self._most_calls(prompts * len(requests), prompts * most),
        )

    @property
    def _longest_prompt(self) -> int:
        """The instruction as often as a request repeats it, and demonstrations."""
        return self.copies * self.longest_text + self._longest_demos

    @property
    def _longest_demos(self) -> int:
        """Demonstrations of a prompt: each may repeat the instruction in messages of its own."""
        carried = max([self.demos, *(len(prompt.demos) for prompt in self.job.initial)])
        reply = (
            self.job.target_setup.sampling.max_tokens if self.demos else 0
        )  # new demonstrations may show the target's replies
        return carried * (self.longest_text + self.longest_example + reply + 2 * _MESSAGE_TOKENS)

    @property
    def _raced_share(self) -> float:
        racing = self.job.racing
        return 1.0 if racing is None or racing.method == "full" else _USUAL_RACED_SHARE

    def _train_calls(self, count: int) -> tuple[Sizes, Sizes]:
        usual = self.usual_example + self.usual_text + _USUAL_MESSAGE_TOKENS
        most = self.longest_example + self._longest_prompt + 2 * _MESSAGE_TOKENS + _REQUEST_TOKENS
        return (
            self._typical_calls(count, count * usual, repeats=1),
            self._most_calls(count, count * most, repeats=1),
        )

    def _requests(self, demand: Demand, scored: int) -> tuple[Sizes, Sizes]:
        """Return the calls of the optimizer model in a step, after `scored` prompts were scored."""
        calls = demand.optimizer_calls if demand.typical_calls is None else demand.typical_calls
        texts = min(demand.shown_texts, scored + 1)
        usual = _USUAL_META_TOKENS + texts * (self.usual_text + 12) + demand.shown_examples * (self.usual_example + 12)
        reply = self.job.target_setup.sampling.max_tokens
        most = (
            _REQUEST_TOKENS
            + META_BYTES
            + (demand.shown_texts + demand.shown_examples) * (self._longest_prompt + _MESSAGE_TOKENS)
            + demand.shown_examples * (self.longest_example + TOKENIZER_RATIO * reply)
        )
        return (
            Sizes(
                calls=calls,
                prompt_tokens=calls * usual,
                completion_tokens=calls * min(demand.reply_tokens, self.usual_text + 10),
            ),
            Sizes(
                calls=demand.optimizer_calls,
                prompt_tokens=demand.optimizer_calls * most,
                completion_tokens=demand.optimizer_calls * demand.reply_tokens,
            ),
        )

    def _typical_calls(self, count: float, prompt_tokens: float, *, repeats: int | None = None) -> Sizes:
        limit = self.job.target_setup.sampling.max_tokens
        reply = min(limit, _USUAL_REPLY_TOKENS + _USUAL_REPLY_SHARE * limit)
        return self._repeated(Sizes(calls=count, prompt_tokens=prompt_tokens, completion_tokens=count * reply), repeats)

    def _most_calls(self, count: int, prompt_tokens: float, *, repeats: int | None = None) -> Sizes:
        reply = self.job.target_setup.sampling.max_tokens
        return self._repeated(Sizes(calls=count, prompt_tokens=prompt_tokens, completion_tokens=count * reply), repeats)

    def _repeated(self, sizes: Sizes, repeats: int | None) -> Sizes:
        times = self.job.target_setup.sampling.repeats if repeats is None else repeats
        return Sizes(
            calls=times * sizes.calls,
            prompt_tokens=times * sizes.prompt_tokens,
            completion_tokens=times * sizes.completion_tokens,
        )

    def _examples(self, split: Split) -> Sequence[Example]:
        return self.job.target_setup.task.splits.get(split, ())

    def _render(self, prompt: Prompt, example: Example) -> Sequence[Message]:
        return self.job.target_setup.task.render(prompt, example)


def _example_text(target_setup: TargetSetup, example: Example) -> str:
    """Format a training example as an optimizer or a demonstration shows it."""
    question = "\n".join(
        message.content for message in target_setup.task.render(Prompt(instruction=PLACEHOLDER), example)
    )
    answers = example.target if isinstance(example.target, str) else "\n".join(example.target)
    return f"{question}\n{answers}"


def _copies(messages: Sequence[Message]) -> int:
    return sum(message.content.count(PLACEHOLDER) for message in messages)


def _usual(text: str) -> float:
    ascii_chars = len(text.encode("ascii", "ignore"))
    return ascii_chars / 4 + (len(text) - ascii_chars)


def _most(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


async def _refuse_call(prompt: Prompt, examples: Sequence[Example], *, step: int, **_: object) -> list[Rollout]:
    raise AssertionError(f"a plan calls no model, but {prompt!r} was tried on {len(examples)} examples in step {step}")
