"""A training that can be killed: weights, optimizer, dice, best epoch, in one file that is replaced as a whole."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (torch and safetensors are typed in part only)

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from askwell.core.errors import ConfigError

FILE = "training.safetensors"
OPTIMIZER_PARTS = ("step", "exp_avg", "exp_avg_sq")


def fingerprint(parts: Sequence[object], model: nn.Module) -> str:
    """Digest of settings, data and starting weights: what makes a training the same training."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(repr(part).encode())
    for parameter in model.parameters():
        digest.update(parameter.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()


@dataclass(slots=True, kw_only=True)
class TrainingState:
    """What changes from epoch to epoch. Without a folder, nothing is written."""

    model: nn.Module
    optimizer: torch.optim.AdamW
    fingerprint: str
    folder: Path | None
    epoch: int = 0
    """Epochs done."""
    best_epoch: int = 0
    best_loss: float = math.inf
    best: dict[str, Tensor] = field(default_factory=dict[str, Tensor])

    def keep_best(self, loss: float) -> None:
        self.best_epoch, self.best_loss = self.epoch, loss
        self.best = {name: one.detach().clone() for name, one in self._trained().items()}

    @torch.no_grad()
    def restore_best(self) -> None:
        for name, one in self._trained().items():
            if name in self.best:
                one.copy_(self.best[name])

    def save(self, dice: Sequence[Tensor]) -> None:
        """Write everything, then put it in the old file's place. `dice`: of each process, by rank."""
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        tensors = {f"now/{name}": one.detach() for name, one in self._trained().items()}
        tensors |= {f"best/{name}": one for name, one in self.best.items()}
        for name, one in self._trained().items():
            tensors |= {f"{part}/{name}": self.optimizer.state[one][part] for part in OPTIMIZER_PARTS}
        tensors |= {f"dice/{rank}": one for rank, one in enumerate(dice)}
        about = {
            "fingerprint": self.fingerprint,
            "epoch": self.epoch,
            "best_epoch": self.best_epoch,
            "best_loss": self.best_loss,
        }
        part = self.folder / f"{FILE}.part"
        save_file({name: one.contiguous().cpu() for name, one in tensors.items()}, part, {"about": json.dumps(about)})
        part.replace(self.folder / FILE)

    @torch.no_grad()
    def resume(self, rank: int) -> None:
        """Go on from the folder's file if there is one; raises `ConfigError` where it is another training's.

        The dice are those of this rank; a process more than there were goes on with its own.
        """
        if self.folder is None or not (self.folder / FILE).exists():
            return
        device = str(next(self.model.parameters()).device)
        with safe_open(self.folder / FILE, framework="pt", device=device) as file:
            about = json.loads(file.metadata()["about"])
            if about["fingerprint"] != self.fingerprint:
                raise ConfigError(
                    f"{str(self.folder / FILE)!r} belongs to a training with other data, settings or seed; "
                    "remove it or give another folder"
                )
            self.epoch, self.best_epoch, self.best_loss = about["epoch"], about["best_epoch"], about["best_loss"]
            for name, one in self._trained().items():
                one.copy_(file.get_tensor(f"now/{name}"))
                self.optimizer.state[one] = {part: file.get_tensor(f"{part}/{name}") for part in OPTIMIZER_PARTS}
                self.optimizer.state[one]["step"] = self.optimizer.state[one]["step"].cpu()
                if self.best_epoch:
                    self.best[name] = file.get_tensor(f"best/{name}")
            if f"dice/{rank}" in file.keys():  # noqa: SIM118 - it is no mapping
                self._set_dice(file.get_tensor(f"dice/{rank}").cpu())

    def dice(self) -> Tensor:
        """State of the generator that dropout draws from: the device's own."""
        device = next(self.model.parameters()).device
        return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()

    def _set_dice(self, state: Tensor) -> None:
        device = next(self.model.parameters()).device
        if device.type == "cuda":
            torch.cuda.set_rng_state(state, device)
        else:
            torch.set_rng_state(state)

    def _trained(self) -> dict[str, nn.Parameter]:
        return {name: one for name, one in self.model.named_parameters() if one.requires_grad}
