"""Examples, splits, rendering and metrics: what is asked, and how a reply is scored."""
