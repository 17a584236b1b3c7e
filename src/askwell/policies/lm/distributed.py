"""Data-parallel training: the collectives of one fit, over `torch.distributed`.

Each rank takes its share of every global batch, and gradients are summed over the ranks, so that n ranks take the same
steps as one process. Without an initialised process group every method does nothing.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportAttributeAccessIssue=false, reportPossiblyUnboundVariable=false
# (torch is typed in part only)

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessGroup:
    """The rank of this process among `world_size` processes."""

    rank: int = 0
    world_size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and reports progress."""
        return self.rank == 0

    def all_reduce(self, values: Tensor) -> Tensor:
        """Sum over all ranks, in place."""
        if self.world_size > 1:
            dist.all_reduce(values)
        return values

    def all_reduce_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Replace each gradient by its sum over all ranks, in one exchange."""
        if self.world_size == 1:
            return
        trained = list(parameters)
        # A rank whose share of the batch is empty has no gradients, but must take part in the exchange.
        gradients = [torch.zeros_like(parameter) if parameter.grad is None else parameter.grad for parameter in trained]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        for parameter, part in zip(trained, flat.split([parameter.numel() for parameter in trained]), strict=True):
            parameter.grad = part.view_as(parameter)

    def all_gather(self, value: Tensor) -> list[Tensor]:
        """Return every rank's value, by rank."""
        if self.world_size == 1:
            return [value]
        values: list[Any] = [None] * self.world_size
        dist.all_gather_object(values, value)
        return values

    def broadcast(self, parameters: Iterable[Tensor]) -> None:
        """Copy rank 0's parameters to all ranks."""
        if self.world_size > 1:
            for parameter in parameters:
                dist.broadcast(parameter.data, src=0)


def process_group() -> ProcessGroup:
    """Return the initialised process group, or a group of one process if none is initialised."""
    if not (dist.is_available() and dist.is_initialized()):
        return ProcessGroup()
    return ProcessGroup(rank=dist.get_rank(), world_size=dist.get_world_size())


def init_process_group() -> ProcessGroup:
    """Join the ranks that the launcher started; on a machine with GPUs, each rank takes one."""
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        dist.init_process_group("cpu:gloo,cuda:nccl")  # both, because a fit may be set to train on the CPU
    else:
        dist.init_process_group("gloo")
    return process_group()
