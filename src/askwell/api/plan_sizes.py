"""How many calls and tokens each stage of a run takes: the usual case, and a bound that no run exceeds.

Known texts are rendered as they will be sent. Texts that a model is still to write are reckoned by the longest reply it
may give. Without the model's own tokenizer a token is usually four characters of English, or one of any other script;
it is never shorter than a byte in the byte-level vocabularies of today.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from askwell.core.protocols import Demand
from askwell.core.types import Example, Message, Prompt, Rollout, Split
from askwell.engine.jobs import OptimizeJob, TargetSide
from askwell.optimizers.gpo.metaprompt import PLACEHOLDER

RETOLD = 2
"""A text of n tokens of one model is at most so many times n tokens of another."""
META_BYTES = 8_000
"""Most that an optimizer's own wording adds to a request, in bytes."""
_USUAL_META_TOKENS = 250
_USUAL_PROMPT_TOKENS = 40  # an instruction of some thirty words
_USUAL_REPLY_SHARE = 0.25  # of max_tokens: most replies end well before
_USUAL_RACED_SHARE = 0.4  # of the dev cells that full evaluation would ask for
_MESSAGE_TOKENS, _USUAL_MESSAGE_TOKENS = 16, 4  # the chat template's marks around a message
_REQUEST_TOKENS = 64  # and around a request, with the system message that some templates put in by themselves


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Calls of one model in one stage, and their tokens in all."""

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


def stages(job: OptimizeJob) -> Iterator[Stage]:
    """Yield the stages of a run in order."""
    optimizer = job.make_optimizer(job.optimizer_model, _asks_nobody)
    demands = [optimizer.demand(step) for step in range(1, job.settings.steps + 1)]
    reckoner = _Reckoner.of(job, demands)
    first = reckoner.known_cells("dev")
    yield Stage(step=0, usual=(first[0], Sizes()), most=(first[1], Sizes()))
    scored = len(job.initial)
    for step, demand in enumerate(demands, 1):
        yield reckoner.step(step, demand, scored)
        scored += demand.proposals
    initial, winner = reckoner.known_cells("test", prompts=1), reckoner.new_cells("test", 1)
    yield Stage(step=None, usual=(initial[0].plus(winner[0]), Sizes()), most=(initial[1].plus(winner[1]), Sizes()))


def usual_tokens(messages: Sequence[Message]) -> float:
    """Estimate how many tokens a request has."""
    return sum(_usual(message.content) + _USUAL_MESSAGE_TOKENS for message in messages)


def most_tokens(messages: Sequence[Message]) -> int:
    """Return more tokens than a request can have: its UTF-8 bytes, and what a chat template adds."""
    return _REQUEST_TOKENS + sum(_most(message.content) + _MESSAGE_TOKENS for message in messages)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reckoner:
    job: OptimizeJob
    longest_text: int
    """Tokens, in either model's count, of the longest prompt that may come up."""
    usual_text: float
    copies: int
    """How often a request holds the instruction, at the most: demonstrations may repeat it."""
    longest_example: int
    """Tokens of the longest training example as rendered, with its answer."""
    usual_example: float
    demos: int

    @classmethod
    def of(cls, job: OptimizeJob, demands: Sequence[Demand]) -> _Reckoner:
        initial = [prompt.instruction for prompt in job.initial]
        written = RETOLD * max((demand.reply_tokens for demand in demands), default=0)
        shown = [_example_text(job.side, example) for example in job.side.task.splits.get("train", ())]
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
        dev_usual, dev_most = self.new_cells("dev", demand.proposals)
        train_usual, train_most = self._train_calls(demand.train_calls)
        usual, most = self._requests(demand, scored)
        return Stage(step=number, usual=(dev_usual.plus(train_usual), usual), most=(dev_most.plus(train_most), most))

    def known_cells(self, split: Split, *, prompts: int | None = None) -> tuple[Sizes, Sizes]:
        """Return the cells of the initial prompts, rendered as they will be sent."""
        wanted = list(self.job.initial)[:prompts]
        usual, most = Sizes(), Sizes()
        for prompt in wanted:
            asked = [self._render(prompt, example) for example in self._examples(split)]
            usual = usual.plus(self._usual_cells(len(asked), sum(map(usual_tokens, asked))))
            most = most.plus(self._most_cells(len(asked), sum(map(most_tokens, asked))))
        return usual, most

    def new_cells(self, split: Split, prompts: int) -> tuple[Sizes, Sizes]:
        """Return the cells of prompts nobody has written yet; the initial ones may come back, so no shorter."""
        asked = [self._render(Prompt(instruction=PLACEHOLDER), example) for example in self._examples(split)]
        copies = sum(map(_copies, asked))
        usual = sum(map(usual_tokens, asked)) + copies * self.usual_text
        most = sum(map(most_tokens, asked)) + copies * self.longest_text + len(asked) * self._longest_demos
        raced = self._raced_share if split == "dev" else 1.0
        return (
            self._usual_cells(raced * prompts * len(asked), raced * prompts * usual),
            self._most_cells(prompts * len(asked), prompts * most),
        )

    @property
    def _longest_prompt(self) -> int:
        """An instruction as often as a request repeats it, and demonstrations."""
        return self.copies * self.longest_text + self._longest_demos

    @property
    def _longest_demos(self) -> int:
        """Demonstrations that a prompt may bring: each may repeat the instruction, in messages of its own."""
        carried = max([self.demos, *(len(prompt.demos) for prompt in self.job.initial)])
        reply = self.job.side.sampling.max_tokens if self.demos else 0  # new ones may show the target's own replies
        return carried * (self.longest_text + self.longest_example + reply + 2 * _MESSAGE_TOKENS)

    @property
    def _raced_share(self) -> float:
        racing = self.job.racing
        return 1.0 if racing is None or racing.method == "full" else _USUAL_RACED_SHARE

    def _train_calls(self, count: int) -> tuple[Sizes, Sizes]:
        usual = self.usual_example + self.usual_text + _USUAL_MESSAGE_TOKENS
        most = self.longest_example + self._longest_prompt + 2 * _MESSAGE_TOKENS + _REQUEST_TOKENS
        return (
            self._usual_cells(count, count * usual, draws=1),
            self._most_cells(count, count * most, draws=1),
        )

    def _requests(self, demand: Demand, scored: int) -> tuple[Sizes, Sizes]:
        """Return the calls of the optimizer model in a step, when `scored` prompts are known."""
        calls = demand.optimizer_calls if demand.usual_calls is None else demand.usual_calls
        texts = min(demand.shown_texts, scored + 1)
        usual = _USUAL_META_TOKENS + texts * (self.usual_text + 12) + demand.shown_examples * (self.usual_example + 12)
        reply = self.job.side.sampling.max_tokens
        most = (
            _REQUEST_TOKENS
            + META_BYTES
            + (demand.shown_texts + demand.shown_examples) * (self._longest_prompt + _MESSAGE_TOKENS)
            + demand.shown_examples * (self.longest_example + RETOLD * reply)
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

    def _usual_cells(self, count: float, prompt_tokens: float, *, draws: int | None = None) -> Sizes:
        reply = _USUAL_REPLY_SHARE * self.job.side.sampling.max_tokens
        return self._drawn(Sizes(calls=count, prompt_tokens=prompt_tokens, completion_tokens=count * reply), draws)

    def _most_cells(self, count: int, prompt_tokens: float, *, draws: int | None = None) -> Sizes:
        reply = self.job.side.sampling.max_tokens
        return self._drawn(Sizes(calls=count, prompt_tokens=prompt_tokens, completion_tokens=count * reply), draws)

    def _drawn(self, sizes: Sizes, draws: int | None) -> Sizes:
        times = self.job.side.sampling.repeats if draws is None else draws
        return Sizes(
            calls=times * sizes.calls,
            prompt_tokens=times * sizes.prompt_tokens,
            completion_tokens=times * sizes.completion_tokens,
        )

    def _examples(self, split: Split) -> Sequence[Example]:
        return self.job.side.task.splits.get(split, ())

    def _render(self, prompt: Prompt, example: Example) -> Sequence[Message]:
        return self.job.side.task.render(prompt, example)


def _example_text(side: TargetSide, example: Example) -> str:
    """Spell a training example as an optimizer shows it, or as a demonstration does."""
    asked = "\n".join(message.content for message in side.task.render(Prompt(instruction=PLACEHOLDER), example))
    answers = example.target if isinstance(example.target, str) else "\n".join(example.target)
    return f"{asked}\n{answers}"


def _copies(messages: Sequence[Message]) -> int:
    return sum(message.content.count(PLACEHOLDER) for message in messages)


def _usual(text: str) -> float:
    ascii_chars = len(text.encode("ascii", "ignore"))
    return ascii_chars / 4 + (len(text) - ascii_chars)


def _most(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


async def _asks_nobody(prompt: Prompt, examples: Sequence[Example], *, step: int, **_: object) -> list[Rollout]:
    raise AssertionError(f"a plan asks no model, but {prompt!r} was tried on {len(examples)} examples in step {step}")
