"""Read the number that a reply gives as its answer, and compare it exactly with the target."""
