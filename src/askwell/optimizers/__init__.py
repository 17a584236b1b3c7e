"""Algorithms that propose prompts: GPO, baselines, and the presets that select them by name."""
