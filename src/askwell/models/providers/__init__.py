"""Hosted models, one request and response format per file."""
