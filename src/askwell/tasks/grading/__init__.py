"""Read the answer out of a reply and compare it with the target, one answer type at a time."""
