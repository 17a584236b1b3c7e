"""The state of a training that can be killed: weights, optimizer, generators and best epoch, in one file."""

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
    """Return a digest of settings, data and starting weights: equal digests, equal trainings."""
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
        """Copy the present weights as those of the best epoch."""
        self.best_epoch, self.best_loss = self.epoch, loss
        self.best = {name: parameter.detach().clone() for name, parameter in self._trained().items()}

    @torch.no_grad()
    def restore_best(self) -> None:
        """Set the weights to those of the best epoch."""
        for name, parameter in self._trained().items():
            if name in self.best:
                parameter.copy_(self.best[name])

    def save(self, rng_states: Sequence[Tensor]) -> None:
        """Write all state to a new file, then replace the old file by it. `rng_states`: one per process, by rank."""
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        trained = self._trained()
        tensors = {f"now/{name}": parameter.detach() for name, parameter in trained.items()}
        tensors |= {f"best/{name}": weights for name, weights in self.best.items()}
        for name, parameter in trained.items():
            tensors |= {f"{part}/{name}": self.optimizer.state[parameter][part] for part in OPTIMIZER_PARTS}
        tensors |= {f"rng_state/{rank}": rng_state for rank, rng_state in enumerate(rng_states)}
        about = {
            "fingerprint": self.fingerprint,
            "epoch": self.epoch,
            "best_epoch": self.best_epoch,
            "best_loss": self.best_loss,
        }
        part = self.folder / f"{FILE}.part"
        contiguous = {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}
        save_file(contiguous, part, {"about": json.dumps(about)})
        part.replace(self.folder / FILE)

    @torch.no_grad()
    def resume(self, rank: int) -> None:
        """Read the folder's file, if there is one. Raises `ConfigError` if it belongs to another training.

        The generator's state is that of this rank; a rank that the file does not know keeps its own.
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
            for name, parameter in self._trained().items():
                parameter.copy_(file.get_tensor(f"now/{name}"))
                state = {part: file.get_tensor(f"{part}/{name}") for part in OPTIMIZER_PARTS}
                state["step"] = state["step"].cpu()  # AdamW keeps its step counter on the CPU, whatever the device
                self.optimizer.state[parameter] = state
                if self.best_epoch:
                    self.best[name] = file.get_tensor(f"best/{name}")
            if f"rng_state/{rank}" in file.keys():  # noqa: SIM118 - it is no mapping
                self._set_rng_state(file.get_tensor(f"rng_state/{rank}").cpu())

    def rng_state(self) -> Tensor:
        """Return the state of the generator that dropout draws from: the device's own."""
        device = next(self.model.parameters()).device
        return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()

    def _set_rng_state(self, state: Tensor) -> None:
        device = next(self.model.parameters()).device
        if device.type == "cuda":
            torch.cuda.set_rng_state(state, device)
        else:
            torch.set_rng_state(state)

    def _trained(self) -> dict[str, nn.Parameter]:
        return {name: parameter for name, parameter in self.model.named_parameters() if parameter.requires_grad}
