"""Offline data: read logged outcomes of (query, prompt) pairs, merge them, and turn them into tables."""
