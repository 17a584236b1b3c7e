"""Evaluate policies on logged outcomes, without a paid call: headroom, off-policy estimates, comparisons."""
