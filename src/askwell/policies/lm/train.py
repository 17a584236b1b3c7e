"""Train the language model of a QPO policy: one file, top to bottom.

    trainer = LanguageModelTrainer(TrainSettings(), ModelSettings(base="gpt2"))
    writer = trainer.fit(train, dev, seed=0)
    writer.write(["How many apples are there in all?"])

Deviations from the paper (arXiv 2408.10504); all but 1, 2, 3 and 8 can be set back (`QPO_TRAINING` of `settings.py`):

 1. The condition stands after the query, not before it: only so can a query be shared by its prompts (`packed.py`).
 2. The value is read at the last prompt token with the condition hidden; the paper predicts the reward from its own
    position, which sees it. So in every epoch a share of the pairs (`hidden_share`) has its condition replaced by a
    learnt "unknown": these teach the value, the others aiming. All of them teach the wording.
 3. A query and its prompt are tokenized apart, with a line break after the query.
 4. Failures are kept. The signal is the reward against the query's other prompts, standardised, not the reward.
 5. Dev queries decide which epoch is kept and when to stop; the paper takes the last epoch.
 6. Batches are whole queries with their prompts, about `batch_pairs` pairs.
 7. Shorter and milder: 20 epochs (8 in later loops, at 3e-4), gradients clipped at 1, writing aims at the ninth decile.
 8. Segment embeddings start at 0 and the condition at the size of a token's embedding, so that the base is not jolted.

Departures of the *released code* that are not followed: queries cut to 40 tokens; padding attended to in generation and
the first prompt token predicted from a pad; no stop at end-of-text; only rows above a minimum reward; no held-out
selection; 100 test queries. Each has a test of its name (tests/policies/test_released_code.py).

Objectives: `reward-conditioned` (the paper: cross-entropy of prompt and end, plus λ·MSE of the value);
`filtered-cloning` (the best share of the pairs, no condition); `advantage-weighted` (exp(signal / temperature), no
condition); `dpo` (clone the best share, then learn from preferences: `preference.py`; conditions are tokens there). The
value head is trained the same way under all of them.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (torch is typed in part only)
# ruff: noqa: N806 - axes in capitals

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from askwell.core.errors import ConfigError
from askwell.core.types import Experience
from askwell.policies.lm.distributed import process_group
from askwell.policies.lm.dpo import Preferences, prefer
from askwell.policies.lm.generate import GenerationSettings
from askwell.policies.lm.model import build
from askwell.policies.lm.reward_signals import SignalScale, check_disjoint_queries, scale_of, with_signal
from askwell.policies.lm.shared_prefix import Group, Suffix
from askwell.policies.lm.tokenization import Texts
from askwell.policies.lm.training_state import TrainingState, fingerprint
from askwell.policies.lm.writer import LanguageModelWriter, copied
from askwell.policies.protocols import Writer
from askwell.policies.settings import ModelSettings, Signal, TrainSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """Means over a data set: what one epoch saw."""

    wording: float
    """Cross-entropy a token, in nats, prompts and their ends."""
    value: float
    """Mean squared error of the value, in squared units of the standardised signal."""
    total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """One line of the training's history."""

    number: int
    learning_rate: float
    train: Losses
    dev: Losses | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One logged pair, tokenized."""

    query: tuple[int, ...]
    prompt: tuple[int, ...]
    signal: float
    """Standardised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """A sample as one epoch shows it."""

    sample: Sample
    hidden: bool
    weight: float


def silent(epoch: Epoch) -> None:
    """Say nothing of an epoch."""
    del epoch


@dataclass(frozen=True, slots=True)
class LanguageModelTrainer:
    """The `Trainer` of this package. `checkpoints`: a folder to resume from after a kill, one for each training."""

    settings: TrainSettings = field(default_factory=TrainSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    sampling: GenerationSettings = field(default_factory=GenerationSettings)
    checkpoints: Path | None = None
    on_epoch: Callable[[Epoch], None] = silent
    preferences: Preferences = field(default_factory=Preferences)
    """For the objective `dpo`."""

    def fit(
        self,
        train: Sequence[Experience],
        dev: Sequence[Experience],
        *,
        start: Writer | None = None,
        seed: int = 0,
    ) -> LanguageModelWriter:
        if self.settings.objective == "dpo":
            return self._preferring(train, dev, start, seed)
        check_disjoint_queries(train, dev)
        if start is not None and not isinstance(start, LanguageModelWriter):
            raise ConfigError(f"start is a {type(start).__name__}; expected a writer this trainer made, or None")
        writer = self._fresh(train, seed) if start is None else self._continued(start, train)
        samples = [_samples(data, self.settings.signal, writer.scale, writer.texts) for data in (train, dev)]
        writer.texts.tell_cuts()
        return _Training(self, writer, samples[0], samples[1], is_later=start is not None, seed=seed).run()

    def _preferring(
        self, train: Sequence[Experience], dev: Sequence[Experience], start: Writer | None, seed: int
    ) -> LanguageModelWriter:
        if process_group().world_size > 1:
            raise ConfigError("objective='dpo' trains in one process: start it alone, or take another objective")
        if self.model.lora_rank:
            raise ConfigError("objective='dpo' trains the whole model: set lora_rank=0, or take another objective")
        cloning = replace(
            self,
            settings=replace(self.settings, objective="filtered-cloning"),
            model=replace(self.model, conditioning="tokens"),
        )
        writer = cloning.fit(train, dev, start=start, seed=seed)
        return prefer(writer, train, self.preferences, signal=self.settings.signal, seed=seed)

    def _fresh(self, train: Sequence[Experience], seed: int) -> LanguageModelWriter:
        model, tokenizer = build(self.model, seed=seed)
        return LanguageModelWriter(
            model, Texts(tokenizer, self.model), scale=self._scale(train), sampling=self.sampling
        )

    def _continued(self, start: LanguageModelWriter, train: Sequence[Experience]) -> LanguageModelWriter:
        """Keep the earlier unit, so that values of two loops compare; aim at what is best now."""
        values = [start.scale.standard(value) for _, value in with_signal(train, self.settings.signal)]
        now = scale_of(values, aim=self._aim(), standardise=False)
        return copied(start, scale=replace(start.scale, aim=now.aim, edges=now.edges))

    def _scale(self, train: Sequence[Experience]) -> SignalScale:
        values = [value for _, value in with_signal(train, self.settings.signal)]
        return scale_of(values, aim=self._aim(), standardise=self.settings.standardise)

    def _aim(self) -> float | None:
        return self.settings.aim if self.settings.objective == "reward-conditioned" else None


class _Training:
    """One training, from the first epoch or from where a killed one stopped."""

    def __init__(
        self,
        trainer: LanguageModelTrainer,
        writer: LanguageModelWriter,
        train: Sequence[Sample],
        dev: Sequence[Sample],
        *,
        is_later: bool,
        seed: int,
    ) -> None:
        self.trainer, self.settings, self.writer = trainer, trainer.settings, writer
        self.model, self.ranks, self.seed = writer.model, process_group(), seed
        self.train, self.dev = by_query(train), by_query(dev)
        self.first_rate = self.settings.later_learning_rate if is_later else self.settings.learning_rate
        self.epochs = self.settings.later_epochs if is_later else self.settings.epochs
        self.trained = [one for one in self.model.parameters() if one.requires_grad]
        self.ranks.broadcast(self.trained)
        self.optimizer = torch.optim.AdamW(
            self.trained, lr=self.first_rate, weight_decay=self.settings.weight_decay, betas=(0.9, 0.999)
        )
        everything = [self.settings, trainer.model, writer.scale, seed, is_later, list(train), list(dev)]
        self.state = TrainingState(
            model=self.model,
            optimizer=self.optimizer,
            fingerprint=fingerprint(everything, self.model) if trainer.checkpoints else "",
            folder=trainer.checkpoints,
        )
        self.bar = math.inf if not self.settings.kept_share else _quantile(train, 1 - self.settings.kept_share)

    def run(self) -> LanguageModelWriter:
        with torch.random.fork_rng():
            torch.manual_seed(self.seed + 7919 * self.ranks.rank)  # dropout; a resumed training restores the state
            self.state.resume(self.ranks.rank)
            while self.state.epoch < self.epochs and not self._is_over():
                self._one_epoch()
        self.state.restore_best()
        self.model.eval()
        return self.writer

    def _is_over(self) -> bool:
        return bool(self.settings.patience) and self.state.epoch - self.state.best_epoch > self.settings.patience

    def _one_epoch(self) -> None:
        number = self.state.epoch
        rate = self.first_rate * self.settings.decay ** (number // self.settings.decay_every)
        for options in self.optimizer.param_groups:
            options["lr"] = rate
        self.model.train()
        sums = torch.zeros(4, device=self.model.device)
        for batch in batches(self.train, self._lesson, self.settings, seed=self.seed, epoch=number):
            sums += self._step(batch)
        decides = bool(self.settings.patience) or number == self.epochs - 1
        train, dev = self._losses(sums), self._dev_losses() if self.dev and decides else None
        self.state.epoch += 1
        if (
            dev is None
            or not self.settings.patience
            or dev.total < self.state.best_loss * (1 - self.settings.least_gain)
        ):
            self.state.keep_best(math.inf if dev is None else dev.total)
        dice = self.ranks.all_gather(self.state.dice())
        if self.ranks.is_main:
            self.state.save(dice)
            self.trainer.on_epoch(Epoch(number=number, learning_rate=rate, train=train, dev=dev))

    def _step(self, batch: Sequence[Sequence[Lesson]]) -> Tensor:
        """One optimizer step on a global batch, of which this process takes its share; returns the sums behind it."""
        sums = self._sums(batch[self.ranks.rank :: self.ranks.world_size])
        totals = self.ranks.all_reduce(sums.detach().clone())
        wording, weight, squares, judged = sums[0], totals[1], sums[2], totals[3]
        mse = totals[2] / judged.clamp(min=1)
        loss = wording / weight.clamp(min=1e-9) + self._value_weight(float(mse)) * squares / judged.clamp(min=1)
        self.optimizer.zero_grad()
        if loss.requires_grad:
            loss.backward()
        self.ranks.all_reduce_gradients(self.trained)
        torch.nn.utils.clip_grad_norm_(self.trained, self.settings.clip)
        self.optimizer.step()
        return totals

    def _sums(self, lessons: Sequence[Sequence[Lesson]]) -> Tensor:
        """Summed weighted cross-entropy, summed weight, summed squared value errors, and their number."""
        if self.settings.packed:
            lessons = _merged(lessons)
        flat = [lesson for chunk in lessons for lesson in chunk]
        if not flat:
            return torch.zeros(4, device=self.model.device)
        laid = self.model.lay([self._group(chunk) for chunk in lessons], packed=self.settings.packed)
        device = self.model.device
        weight_P = torch.tensor([lesson.weight for lesson in flat], device=device)
        signal_P = torch.tensor([lesson.sample.signal for lesson in flat], device=device)
        hidden_P = torch.tensor([lesson.hidden for lesson in flat], device=device)
        use_bf16 = self.settings.bf16 and device.type == "cuda"
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=use_bf16):
            hidden_MD = self.model.hidden(laid)
            logits_MV = self.model.logits(hidden_MD)
        wording_M = cross_entropy(logits_MV.float(), laid.labels_M, reduction="none")
        weight_M = weight_P[laid.tail_M]
        squares_P = (self.model.values(hidden_MD[laid.last_P]) - signal_P).square() * hidden_P
        return torch.stack([(wording_M * weight_M).sum(), weight_M.sum(), squares_P.sum(), hidden_P.sum().float()])

    def _group(self, chunk: Sequence[Lesson]) -> Group:
        texts, scale = self.writer.texts, self.writer.scale
        return Group(
            query=chunk[0].sample.query,
            tails=tuple(
                Suffix(
                    lead=texts.lead("" if one.hidden else scale.word(one.sample.signal)),
                    prompt=one.sample.prompt,
                    condition=None if one.hidden else one.sample.signal,
                )
                for one in chunk
            ),
        )

    def _lesson(self, sample: Sample, hidden: bool) -> Lesson:
        objective = self.settings.objective
        if objective == "reward-conditioned":
            return Lesson(sample=sample, hidden=hidden, weight=1.0)
        if objective == "filtered-cloning":
            return Lesson(sample=sample, hidden=True, weight=float(sample.signal >= self.bar))
        weight = min(20.0, math.exp(min(3.0, sample.signal / self.settings.weight_temperature)))
        return Lesson(sample=sample, hidden=True, weight=weight)

    @torch.no_grad()
    def _dev_losses(self) -> Losses:
        """Wording with the condition known, value with it hidden."""
        self.model.eval()
        known = self.settings.objective == "reward-conditioned"
        sums = torch.zeros(4, device=self.model.device)
        for hidden in (False, True) if known else (True,):
            chunks = [[self._lesson(one, hidden) for one in group] for group in self.dev]
            for batch in _filled(chunks, 2 * self.settings.batch_pairs):
                found = self._sums(batch[self.ranks.rank :: self.ranks.world_size])
                if known and hidden:
                    found[:2] = 0.0
                sums += found
        return self._losses(self.ranks.all_reduce(sums))

    def _losses(self, sums: Tensor) -> Losses:
        wording, weight, squares, judged = sums.tolist()
        wording, value = wording / max(weight, 1e-9), squares / max(judged, 1.0)
        return Losses(wording=wording, value=value, total=wording + self._value_weight(value) * value)

    def _value_weight(self, mse: float) -> float:
        """λ, by the paper's rule unless set."""
        if self.settings.value_weight is not None:
            return self.settings.value_weight
        return 0.5 if mse < 10 else 0.1


def _samples(data: Sequence[Experience], signal: Signal, scale: SignalScale, texts: Texts) -> list[Sample]:
    queries = {query: texts.query(query) for query in dict.fromkeys(one.query for one in data)}
    prompts = {prompt: texts.prompt(prompt) for prompt in dict.fromkeys(one.prompt for one in data)}
    return [
        Sample(query=queries[one.query], prompt=prompts[one.prompt], signal=scale.standard(value))
        for one, value in (with_signal(data, signal) if data else [])
    ]


def batches(
    groups: Sequence[Sequence[Sample]],
    teach: Callable[[Sample, bool], Lesson],
    settings: TrainSettings,
    *,
    seed: int,
    epoch: int,
) -> Iterator[list[list[Lesson]]]:
    """Global batches of an epoch: chunks of one query each, about `batch_pairs` pairs; the same in every process."""
    rng = random.Random(f"{seed}/{epoch}")
    chunks: list[list[Lesson]] = []
    for group in groups:
        lessons = [teach(one, rng.random() < settings.hidden_share) for one in group]
        rng.shuffle(lessons)
        most = settings.most_shared
        chunks += [lessons[begin : begin + most] for begin in range(0, len(lessons), most)]
    rng.shuffle(chunks)
    yield from _filled(chunks, settings.batch_pairs)


def by_query(samples: Sequence[Sample]) -> list[list[Sample]]:
    """Groups of samples on one query, in order of first appearance."""
    groups: dict[tuple[int, ...], list[Sample]] = {}
    for sample in samples:
        groups.setdefault(sample.query, []).append(sample)
    return list(groups.values())


def _filled(chunks: Sequence[list[Lesson]], pairs: int) -> Iterator[list[list[Lesson]]]:
    """Put chunks together until a batch holds `pairs` pairs."""
    batch: list[list[Lesson]] = []
    for chunk in chunks:
        batch.append(chunk)
        if sum(map(len, batch)) >= pairs:
            yield batch
            batch = []
    if batch:
        yield batch


def _merged(chunks: Sequence[Sequence[Lesson]]) -> list[list[Lesson]]:
    """Put the chunks of one query together, so that a batch encodes it once however its pairs were drawn."""
    groups: dict[tuple[int, ...], list[Lesson]] = {}
    for chunk in chunks:
        groups.setdefault(chunk[0].sample.query, []).extend(chunk)
    return list(groups.values())


def _quantile(samples: Sequence[Sample], share: float) -> float:
    ordered = sorted(sample.signal for sample in samples)
    return ordered[round(share * (len(ordered) - 1))]
