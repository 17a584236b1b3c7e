"""OpenAI-compatible endpoints: one over any model, and a proxy that inserts a policy's prompt."""
