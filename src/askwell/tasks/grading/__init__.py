"""Extract the answer from a reply and compare it with the target, with one module per answer type."""
