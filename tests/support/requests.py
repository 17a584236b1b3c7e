"""Requests in one line, for tests."""

from __future__ import annotations

from askwell.testing.requests import make_request as ask

__all__ = ["ask"]
