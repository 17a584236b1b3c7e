"""The HTTP client of all providers: endpoints, connections, JSON."""
