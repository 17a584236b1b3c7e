"""Models: anything that answers a chat request."""
