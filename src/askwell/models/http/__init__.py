"""The HTTP client under all providers: endpoints, connections, JSON."""
