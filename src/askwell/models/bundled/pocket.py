"""The bundled checkpoint as a model: answers, and log-probabilities of given answers."""

from __future__ import annotations

from askwell.models.bundled import CHECKPOINT
from askwell.models.local import LocalModel


def pocket_model(*, batch_size: int = 64) -> LocalModel:
    """Return the bundled model. Needs the `local` extra; runs on the CPU, where it is fastest."""
    return LocalModel(str(CHECKPOINT), batch_size=batch_size, device="cpu", name="pocket")
