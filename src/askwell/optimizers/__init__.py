"""Algorithms that propose prompts: GPO, baselines, and the presets that name them."""
