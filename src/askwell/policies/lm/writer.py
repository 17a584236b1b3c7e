"""A trained policy at work: prompts for queries, values of pairs, and the folder it lives in."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (torch, transformers and safetensors are typed in part only)
# ruff: noqa: N806 - axes in capitals

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file, save_file

from askwell.core.errors import ConfigError, DataError
from askwell.models.local import hide_progress_bars, load_checkpoint
from askwell.policies.lm.generate import Bans, GenerationSettings, Opening, generate
from askwell.policies.lm.model import PolicyModel, assemble, build
from askwell.policies.lm.reward_signals import SignalScale
from askwell.policies.lm.shared_prefix import Group, Suffix
from askwell.policies.lm.tokenization import Texts
from askwell.policies.protocols import Pair
from askwell.policies.settings import ModelSettings

FORMAT = 1
BATCH_ROWS = 64
BATCH_PAIRS = 256


class LanguageModelWriter:
    """The `Writer` that `LanguageModelTrainer` makes. Thread-safe for reading only one call at a time."""

    def __init__(self, model: PolicyModel, texts: Texts, *, scale: SignalScale, sampling: GenerationSettings) -> None:
        self.model = model
        self.texts = texts
        self.scale = scale
        self.sampling = sampling
        self._bans: Bans | None = None

    def write(self, queries: Sequence[str], *, samples: int = 0, seed: int = 0) -> list[list[str]]:
        openings = [self._opening(query, samples, seed) for query in queries]
        self.texts.tell_cuts()
        order = sorted(range(len(openings)), key=lambda place: len(openings[place].query))
        rows = max(1, BATCH_ROWS // max(1, samples))
        found: list[list[str]] = [[] for _ in queries]
        self.model.eval()
        for begin in range(0, len(order), rows):
            places = order[begin : begin + rows]
            written = generate(
                self.model, [openings[place] for place in places], sampling=self.sampling, bans=self._banned()
            )
            for place, prompts in zip(places, written, strict=True):
                found[place] = [self.texts.text(ids) for ids in prompts]
        return found

    @torch.inference_mode()
    def value(self, pairs: Sequence[Pair]) -> list[float]:
        found = [0.0] * len(pairs)
        for places, hidden_PD in self.last_hidden(pairs):
            for place, value in zip(places, self.model.values(hidden_PD).tolist(), strict=True):
                found[place] = self.scale.raw(value)
        return found

    def last_hidden(self, pairs: Sequence[Pair]) -> Iterator[tuple[list[int], torch.Tensor]]:
        """Yield hidden states at the last prompt token, which values are read from, batch by batch.

        Each batch is the indices of its pairs and their (P, D) states; pairs with one query are encoded together.
        """
        by_query: dict[str, list[int]] = {}
        for place, (query, _) in enumerate(pairs):
            by_query.setdefault(query, []).append(place)
        self.model.eval()
        for places in batched(list(by_query.values()), BATCH_PAIRS):
            groups = [self._judged([pairs[place] for place in group]) for group in places]
            laid = self.model.lay(groups, packed=True)
            yield [place for group in places for place in group], self.model.hidden(laid)[laid.last_P]

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if not self.model.settings.lora_rank:
            with hide_progress_bars():
                self.model.base.save_pretrained(folder / "base")
            self.texts.tokenizer.save_pretrained(folder / "base")
        tensors = {name: one.detach().contiguous().cpu() for name, one in _own(self.model).items()}
        save_file(tensors, folder / "policy.safetensors")
        body = {
            "format": FORMAT,
            "model": asdict(replace(self.model.settings, device="")),
            "scale": asdict(self.scale),
            "sampling": asdict(self.sampling),
        }
        (folder / "policy.json").write_text(json.dumps(body, indent=1), encoding="utf-8")

    def _opening(self, query: str, samples: int, seed: int) -> Opening:
        return Opening(
            query=self.texts.query(query),
            lead=self.texts.lead(self.scale.word(self.scale.aim)),
            condition=self.scale.aim,
            dice=tuple(f"{seed}/{draw}/{query}" for draw in range(samples)),
        )

    def _judged(self, pairs: Sequence[Pair]) -> Group:
        tails = tuple(
            Suffix(lead=self.texts.lead(), prompt=self.texts.prompt(prompt), condition=None) for _, prompt in pairs
        )
        return Group(query=self.texts.query(pairs[0][0]), tails=tails)

    def _banned(self) -> Bans:
        if self._bans is None:
            device = self.model.device
            self._bans = Bans(
                never=torch.tensor(self.texts.never, device=device, dtype=torch.long),
                first=torch.tensor(self.texts.never_first, device=device, dtype=torch.long),
            )
        return self._bans


def load_writer(folder: Path, *, device: str = "") -> LanguageModelWriter:
    """Read what `LanguageModelWriter.save` wrote; raises `DataError` for anything else."""
    try:
        body = json.loads((folder / "policy.json").read_text(encoding="utf-8"))
        tensors = load_file(folder / "policy.safetensors")
    except (OSError, ValueError) as error:
        raise DataError(f"no readable policy in {str(folder)!r}: {error}") from error
    if not isinstance(body, dict) or cast("dict[str, object]", body).get("format") != FORMAT:
        raise DataError(f"{str(folder / 'policy.json')!r} is not a policy of format {FORMAT}")
    settings = replace(ModelSettings(**body["model"]), device=device)
    model, tokenizer = _model(folder / "base", settings)
    _fill(model, tensors=tensors, folder=folder)
    scale = replace(SignalScale(**body["scale"]), edges=tuple(body["scale"]["edges"]))
    return LanguageModelWriter(
        model, Texts(tokenizer, settings), scale=scale, sampling=GenerationSettings(**body["sampling"])
    )


def copied(writer: LanguageModelWriter, *, scale: SignalScale) -> LanguageModelWriter:
    """A writer of its own with the same weights: training it leaves the first as it was."""
    texts = Texts(writer.texts.tokenizer, writer.texts.settings)
    return LanguageModelWriter(copy.deepcopy(writer.model), texts, scale=scale, sampling=writer.sampling)


def _model(base: Path, settings: ModelSettings) -> tuple[PolicyModel, Any]:
    if settings.lora_rank:
        return build(settings, seed=0)
    loaded, tokenizer = load_checkpoint(base, settings.device or None, "float32")
    return assemble(loaded, tokenizer, settings, seed=0), tokenizer


@torch.no_grad()
def _fill(model: PolicyModel, *, tensors: Mapping[str, torch.Tensor], folder: Path) -> None:
    own = _own(model)
    if set(own) != set(tensors):
        raise ConfigError(f"the weights in {str(folder)!r} are not those of its settings; save the policy again")
    for name, parameter in own.items():
        parameter.copy_(tensors[name])


def _own(model: PolicyModel) -> dict[str, torch.nn.Parameter]:
    """What the base's own files do not hold: condition, segments, value head, adapters."""
    return {name: one for name, one in model.named_parameters() if not name.startswith("base.") or ".lora_" in name}


def batched(groups: Sequence[list[int]], most: int) -> list[list[list[int]]]:
    """Put groups into batches of about `most` members, cutting those that are longer."""
    batches: list[list[list[int]]] = [[]]
    for group in groups:
        for begin in range(0, len(group), most):
            if sum(map(len, batches[-1])) >= most:
                batches.append([])
            batches[-1].append(group[begin : begin + most])
    return batches if batches[0] else []
