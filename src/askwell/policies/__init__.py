"""One prompt per query: learn from logged outcomes which prompt to send, loop by loop."""
