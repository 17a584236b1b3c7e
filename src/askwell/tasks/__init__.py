"""Tasks: data, where the prompt goes, and how an answer is judged."""
