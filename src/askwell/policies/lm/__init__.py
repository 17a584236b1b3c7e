"""The prompt generator: a language model that learns from logged pairs to write a prompt for a query."""
