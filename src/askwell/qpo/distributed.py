"""Several training processes as one: sums over them, by whatever started them (`torchrun`, `accelerate launch`).

Each process takes its share of every global batch and gradients are summed, so that n processes take the same steps
as one. In a process that was started alone everything here does nothing.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportAttributeAccessIssue=false, reportPossiblyUnboundVariable=false
# (torch is typed in part only)

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from askwell.qpo.ranks import ranks


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """Where this process stands among `size`."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes files and messages."""
        return self.rank == 0

    def total(self, values: Tensor) -> Tensor:
        """Sum over all processes."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def sum_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Replace each gradient by its sum over all processes, in one exchange."""
        if self.size == 1:
            return
        trained = list(parameters)
        gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in trained]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        for parameter, part in zip(trained, flat.split([one.numel() for one in trained]), strict=True):
            parameter.grad = part.view_as(parameter)

    def gathered(self, value: Tensor) -> list[Tensor]:
        """Return every process's value, by rank."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, value)
        return found

    def agree(self, parameters: Iterable[Tensor]) -> None:
        """Give all processes the first one's parameters."""
        if self.size > 1:
            for parameter in parameters:
                dist.broadcast(parameter.data, src=0)


def team() -> Team:
    """Join the processes this one was started with; a process started alone is a team of one."""
    place = ranks()
    if place.size == 1:
        return Team()
    if torch.cuda.is_available():
        torch.cuda.set_device(place.local)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo", rank=place.rank, world_size=place.size)
    return Team(rank=dist.get_rank(), size=dist.get_world_size())
