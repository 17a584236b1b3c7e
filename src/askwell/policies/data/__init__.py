"""Offline data: logged outcomes of (query, prompt) pairs, read, merged and turned into tables."""
