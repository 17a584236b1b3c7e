"""Find what a reply says to the user: without thinking, tokens and invented turns, and its structured answer."""
