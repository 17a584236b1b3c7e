"""The bundled models: `pocket`, a small real language model, and `editor`, a rewriter of prompts."""

from __future__ import annotations

from pathlib import Path

CHECKPOINT = Path(__file__).parent / "checkpoint"
"""Folder of the bundled model `pocket`, in the format of transformers."""

MAX_REPLY_TOKENS = 48
"""The reply limit every published figure was measured with."""
