"""Optimizer steps of a training, on batches that are computed in passes which fit into memory."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (torch is typed in part only)

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from askwell.policies.lm.batches import TrainingPair, split_passes
from askwell.policies.lm.distributed import ProcessGroup
from askwell.policies.lm.losses import sum_losses, value_weight
from askwell.policies.lm.writer import LanguageModelWriter
from askwell.policies.settings import TrainSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerSteps:
    """Takes a training's optimizer steps."""

    writer: LanguageModelWriter
    settings: TrainSettings
    ranks: ProcessGroup
    optimizer: torch.optim.Optimizer
    trained: Sequence[torch.nn.Parameter]
    """The parameters that the optimizer changes."""

    def take(self, batch: Sequence[list[TrainingPair]]) -> Tensor:
        """Take one optimizer step on a global batch, of which this process computes its share; return its sums.

        A share of several passes is computed without gradients first: the means' denominators and the value's λ are
        those of the whole batch, and each pass's gradients need them.
        """
        passes = self._passes(batch)
        if len(passes) > 1:
            with torch.no_grad():
                sums = self._sum_passes(passes)
        else:
            sums = self._sum_passes(passes)
        totals = self.ranks.all_reduce(sums.detach().clone())
        self.optimizer.zero_grad()
        for part in passes:
            self._add_gradients(sums if len(passes) == 1 else self._sum_passes([part]), totals)
        self.ranks.all_reduce_gradients(self.trained)
        torch.nn.utils.clip_grad_norm_(self.trained, self.settings.clip)
        self.optimizer.step()
        return totals

    def _add_gradients(self, sums: Tensor, totals: Tensor) -> None:
        """Add the gradients of some of a batch's pairs; all passes of all ranks together give the batch's."""
        wording, weight, squares, valued = sums[0], totals[1], sums[2], totals[3]
        mse = totals[2] / valued.clamp(min=1)
        value_loss = value_weight(float(mse), self.settings) * squares / valued.clamp(min=1)
        loss = wording / weight.clamp(min=1e-9) + value_loss
        if loss.requires_grad:
            loss.backward()

    def sum_share(self, batch: Sequence[list[TrainingPair]]) -> Tensor:
        """Return the sums of `sum_losses` over this rank's chunks of a global batch."""
        return self._sum_passes(self._passes(batch))

    def _passes(self, batch: Sequence[list[TrainingPair]]) -> list[list[list[TrainingPair]]]:
        """Return this rank's chunks of a global batch, in passes that fit into memory."""
        return split_passes(batch[self.ranks.rank :: self.ranks.world_size], self.settings)

    def _sum_passes(self, passes: Sequence[Sequence[Sequence[TrainingPair]]]) -> Tensor:
        sums = torch.zeros(4, device=self.writer.model.device)
        for part in passes:
            sums = sums + sum_losses(self.writer, part, self.settings)
        return sums
