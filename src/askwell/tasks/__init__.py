"""Tasks: examples, splits, rendering to chat messages, and metrics."""
