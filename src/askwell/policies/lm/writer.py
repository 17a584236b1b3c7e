"""A trained prompt generator: prompts for queries, values of pairs, and its folder on disk."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (torch, transformers and safetensors are typed in part only)
# ruff: noqa: N806 - axes in capitals

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from pydantic import TypeAdapter
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from askwell.core.errors import DataError, ModelError
from askwell.core.files import write_whole
from askwell.models.local import hide_progress_bars, load_checkpoint
from askwell.policies.lm.generate import BannedTokens, GenerationSettings, PromptContext, generate_prompts
from askwell.policies.lm.model import PolicyModel, assemble_model, build_policy_model
from askwell.policies.lm.reward_signals import SignalScale
from askwell.policies.lm.shared_prefix import QueryGroup, Suffix
from askwell.policies.lm.tokenization import PolicyTokenizer
from askwell.policies.policy_file import (
    FILE,
    WRITER,
    check_policy_file,
    read_policy_file,
    refuse_links,
    refuses_broken_state,
)
from askwell.policies.protocols import Pair
from askwell.policies.settings import ModelSettings

_Settings = TypeVar("_Settings")

FORMAT = 2
"""Of the folder; 2 renamed `aim` to `target`."""
BATCH_ROWS = 64
"""Prompts generated at a time."""
BATCH_PAIRS = 256
"""Pairs valued at a time."""


class LanguageModelWriter:
    """The `PromptWriter` that `LanguageModelTrainer` makes. Not thread-safe: one call at a time."""

    def __init__(
        self, model: PolicyModel, tokenizer: PolicyTokenizer, *, scale: SignalScale, sampling: GenerationSettings
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.scale = scale
        self.sampling = sampling
        self._banned: BannedTokens | None = None

    def write(self, queries: Sequence[str], *, samples: int = 0, seed: int = 0) -> list[list[str]]:
        contexts = [self._context(query, samples, seed) for query in queries]
        self.tokenizer.warn_truncated()
        order = sorted(range(len(contexts)), key=lambda index: len(contexts[index].query))  # little padding per batch
        rows = max(1, BATCH_ROWS // max(1, samples))
        prompts: list[list[str]] = [[] for _ in queries]
        self.model.eval()
        for begin in range(0, len(order), rows):
            indices = order[begin : begin + rows]
            generated = generate_prompts(
                self.model, [contexts[index] for index in indices], sampling=self.sampling, banned=self._banned_tokens()
            )
            for index, samples_ids in zip(indices, generated, strict=True):
                prompts[index] = [self.tokenizer.decode(ids) for ids in samples_ids]
        return prompts

    @torch.inference_mode()
    def value(self, pairs: Sequence[Pair]) -> list[float]:
        values = [0.0] * len(pairs)
        for indices, hidden_PD in self.last_hidden(pairs):
            for index, value in zip(indices, self.model.values(hidden_PD).tolist(), strict=True):
                values[index] = self.scale.to_raw(value)
        return values

    def last_hidden(self, pairs: Sequence[Pair]) -> Iterator[tuple[list[int], torch.Tensor]]:
        """Yield hidden states at the last prompt token, which the value head reads, batch by batch.

        Each batch is the indices of its pairs and their (P, D) states; pairs of the same query are encoded together.
        """
        by_query: dict[str, list[int]] = {}
        for index, (query, _) in enumerate(pairs):
            by_query.setdefault(query, []).append(index)
        self.model.eval()
        for chunks in batch_indices(list(by_query.values()), BATCH_PAIRS):
            groups = [self._group([pairs[index] for index in chunk]) for chunk in chunks]
            batch = self.model.collate(groups, packed=True)
            yield [index for chunk in chunks for index in chunk], self.model.hidden(batch)[batch.last_P]

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if not self.model.settings.lora_rank:
            with hide_progress_bars():
                self.model.base.save_pretrained(folder / "base")
            self.tokenizer.base.save_pretrained(folder / "base")
        tensors = {name: weights.detach().contiguous().cpu() for name, weights in _added_parameters(self.model).items()}
        save_file(tensors, folder / "policy.safetensors")
        body = {
            "format": FORMAT,
            "model": asdict(replace(self.model.settings, device="")),
            "scale": asdict(self.scale),
            "sampling": asdict(self.sampling),
        }
        write_whole(folder / "policy.json", json.dumps(body, indent=1).encode())

    def _context(self, query: str, samples: int, seed: int) -> PromptContext:
        return PromptContext(
            query=self.tokenizer.encode_query(query),
            condition_tokens=self.tokenizer.encode_condition(self.scale.to_word(self.scale.target)),
            condition=self.scale.target,
            sample_seeds=tuple(f"{seed}/{number}/{query}" for number in range(samples)),
        )

    def _group(self, pairs: Sequence[Pair]) -> QueryGroup:
        """Return pairs of the same query as a group, with the condition unknown."""
        tokenizer = self.tokenizer
        suffixes = tuple(
            Suffix(
                condition_tokens=tokenizer.encode_condition(), prompt=tokenizer.encode_prompt(prompt), condition=None
            )
            for _, prompt in pairs
        )
        return QueryGroup(query=tokenizer.encode_query(pairs[0][0]), suffixes=suffixes)

    def _banned_tokens(self) -> BannedTokens:
        if self._banned is None:
            device = self.model.device
            self._banned = BannedTokens(
                never=torch.tensor(self.tokenizer.banned, device=device, dtype=torch.long),
                first=torch.tensor(self.tokenizer.banned_first, device=device, dtype=torch.long),
            )
        return self._banned


def load_writer(folder: Path, *, device: str = "") -> LanguageModelWriter:
    """Read what `LanguageModelWriter.save` wrote; raises `DataError` for anything else.

    Nothing is downloaded: the base of a policy with adapters must be on this machine already.
    """
    body = read_policy_file(folder)
    if body.get("format") != FORMAT:
        raise DataError(f"{str(folder / FILE)!r} is not a policy of format {FORMAT}")
    check_policy_file(body, WRITER, folder)
    refuse_links(folder)
    with refuses_broken_state(folder, RuntimeError, SafetensorError, ModelError):
        settings = replace(_decode(ModelSettings, body["model"]), device=device)
        scale, sampling = _decode(SignalScale, body["scale"]), _decode(GenerationSettings, body["sampling"])
        tensors = load_file(folder / "policy.safetensors")
        model, tokenizer = _load_model(folder / "base", settings)
        _copy_weights(model, tensors=tensors, folder=folder)
    return LanguageModelWriter(model, PolicyTokenizer(tokenizer, settings), scale=scale, sampling=sampling)


def _decode(kind: type[_Settings], values: object) -> _Settings:
    """Build settings from a policy's file. Raises `ValueError` for an unknown field or a value of another type."""
    field_names = {field.name for field in fields(cast("Any", kind))}
    unknown = sorted(set(cast("dict[str, object]", values)) - field_names)
    if unknown:
        raise ValueError(f"{kind.__name__} has no field {unknown[0]!r}")
    return TypeAdapter(kind).validate_python(values)


def copy_writer(writer: LanguageModelWriter, *, scale: SignalScale) -> LanguageModelWriter:
    """Return a copy that can be trained without changing the original."""
    tokenizer = PolicyTokenizer(writer.tokenizer.base, writer.tokenizer.settings)
    return LanguageModelWriter(copy.deepcopy(writer.model), tokenizer, scale=scale, sampling=writer.sampling)


def _load_model(base: Path, settings: ModelSettings) -> tuple[PolicyModel, Any]:
    if settings.lora_rank:
        return build_policy_model(settings, seed=0, local_only=True)
    loaded, tokenizer = load_checkpoint(base, settings.device or None, "float32", local_only=True)
    return assemble_model(loaded, tokenizer, settings, seed=0), tokenizer


@torch.no_grad()
def _copy_weights(model: PolicyModel, *, tensors: Mapping[str, torch.Tensor], folder: Path) -> None:
    parameters = _added_parameters(model)
    if set(parameters) != set(tensors):
        raise DataError(f"the weights in {str(folder)!r} are not those of its settings; save the policy again")
    for name, parameter in parameters.items():
        parameter.copy_(tensors[name])


def _added_parameters(model: PolicyModel) -> dict[str, torch.nn.Parameter]:
    """Return the parameters that the base's files do not hold: condition, segments, value head, adapters."""
    return {
        name: parameter
        for name, parameter in model.named_parameters()
        if not name.startswith("base.") or ".lora_" in name
    }


def batch_indices(groups: Sequence[list[int]], most: int) -> list[list[list[int]]]:
    """Split groups into chunks of at most `most` indices, and the chunks into batches of about `most` indices."""
    batches: list[list[list[int]]] = [[]]
    for group in groups:
        for begin in range(0, len(group), most):
            if sum(map(len, batches[-1])) >= most:
                batches.append([])
            batches[-1].append(group[begin : begin + most])
    return batches if batches[0] else []
