"""Which of several processes this one is, by what started them: `torchrun`, `accelerate launch`, or MPI under it."""

from __future__ import annotations

import os
from dataclasses import dataclass

_SIZES = ("WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE")
_RANKS = ("RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "MV2_COMM_WORLD_RANK")
_LOCAL = ("LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "MV2_COMM_WORLD_LOCAL_RANK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """Where this process stands: `rank` among all `size`, `local` among those of its machine."""

    rank: int = 0
    size: int = 1
    local: int = 0


def ranks() -> Ranks:
    """Read the environment. Processes that have nowhere to meet (no MASTER_ADDR) are each alone."""
    size = _first(_SIZES, 1)
    if size == 1 or not os.environ.get("MASTER_ADDR"):
        return Ranks()
    return Ranks(rank=_first(_RANKS, 0), size=size, local=_first(_LOCAL, 0))


def _first(names: tuple[str, ...], otherwise: int) -> int:
    return next((int(os.environ[name]) for name in names if os.environ.get(name)), otherwise)
