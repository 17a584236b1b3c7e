"""Muon for the blocks' matrices, AdamW for embeddings and norms: fewer tokens to the same loss than AdamW alone.

Source of Muon: Keller Jordan's reference (momentum, then five Newton-Schulz steps towards an orthogonal update). Here
matrices of one size are orthogonalized in one batched product, and the parts of fused projections separately.
"""
# ruff: noqa: N803 - tensor names carry their axes

from __future__ import annotations

import torch
from model import PocketLM
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_STEPS = 5
MOMENTUM = 0.95
MATRIX_DECAY = 0.1
NORM_SHARE = 0.2
"""Learning rate of norms relative to the embedding's."""


def orthogonalize(gradients_NRC: Tensor) -> Tensor:
    """Return approximately the nearest semi-orthogonal matrices (singular values near 1)."""
    first, second, third = COEFFICIENTS
    tall = gradients_NRC.shape[1] > gradients_NRC.shape[2]
    update = gradients_NRC.mT if tall else gradients_NRC
    update = update / (update.norm(dim=(1, 2), keepdim=True) + 1e-7)
    update = update.bfloat16()
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = update @ update.mT
        update = first * update + (second * gram + third * gram @ gram) @ update
    return (update.mT if tall else update).float()


class Muon:
    """Both optimizers behind one `step`; learning rates are scaled together by a schedule."""

    def __init__(self, model: PocketLM, *, matrix_lr: float, other_lr: float) -> None:
        self.matrix_lr, self.other_lr = matrix_lr, other_lr
        width = model.shape.width
        squares: list[Tensor] = []
        oblongs: list[tuple[Tensor, bool]] = []
        for block in model.blocks:
            squares += [*block.qkv.weight.detach().split(width), block.out.weight.detach()]  # type: ignore[union-attr]
            oblongs += [(part, False) for part in block.gate_up.weight.detach().chunk(2)]  # type: ignore[union-attr]
            oblongs.append((block.down.weight.detach(), True))  # type: ignore[union-attr]
        self.squares, self.oblongs = squares, oblongs
        self.model = model
        self.square_momentum = torch.zeros(len(squares), width, width)
        self.oblong_momentum = torch.zeros(len(oblongs), model.shape.hidden, width)
        norms = [weight for weight in model.parameters() if weight.ndim == 1]
        groups = [{"params": [model.embedding.weight], "share": 1.0}, {"params": norms, "share": NORM_SHARE}]
        self.adam = torch.optim.AdamW(groups, lr=other_lr, betas=(0.9, 0.95), weight_decay=0.0, fused=True)

    @torch.no_grad()
    def step(self, scale: float) -> None:
        """Apply one update at `scale` times the peak learning rates, and clear the gradients."""
        for group in self.adam.param_groups:
            group["lr"] = self.other_lr * scale * group["share"]
        self.adam.step()
        width = self.model.shape.width
        square_gradients: list[Tensor] = []
        oblong_gradients: list[Tensor] = []
        for block in self.model.blocks:
            square_gradients += [*block.qkv.weight.grad.split(width), block.out.weight.grad]  # type: ignore[union-attr]
            oblong_gradients += [*block.gate_up.weight.grad.chunk(2), block.down.weight.grad.mT]  # type: ignore[union-attr]
        rate = self.matrix_lr * scale
        update = self._update(self.square_momentum, torch.stack(square_gradients))
        for weight, change in zip(self.squares, update, strict=True):
            weight.mul_(1 - rate * MATRIX_DECAY).sub_(change, alpha=rate)
        update = self._update(self.oblong_momentum, torch.stack(oblong_gradients))
        stretch = (self.model.shape.hidden / width) ** 0.5
        for (weight, turned), change in zip(self.oblongs, update, strict=True):
            alpha = rate if turned else rate * stretch
            weight.mul_(1 - rate * MATRIX_DECAY).sub_(change.mT if turned else change, alpha=alpha)
        for weight in self.model.parameters():
            weight.grad = None

    def _update(self, momentum: Tensor, gradients: Tensor) -> Tensor:
        momentum.lerp_(gradients, 1 - MOMENTUM)
        return orthogonalize(gradients.lerp(momentum, MOMENTUM))

    def state(self) -> dict[str, object]:
        """Return the state that a resumed run needs."""
        return {"square": self.square_momentum, "oblong": self.oblong_momentum, "adam": self.adam.state_dict()}

    def restore(self, state: dict[str, object]) -> None:
        """Restore a saved state."""
        self.square_momentum.copy_(state["square"])  # type: ignore[arg-type]
        self.oblong_momentum.copy_(state["oblong"])  # type: ignore[arg-type]
        self.adam.load_state_dict(state["adam"])  # type: ignore[arg-type]
