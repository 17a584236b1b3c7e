"""Prompt optimizers published by others: those that are no GPO preset, and other packages run on our engine."""
