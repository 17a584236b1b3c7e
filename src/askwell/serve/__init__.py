"""Serving: any model of askwell behind an OpenAI-compatible endpoint."""
