"""Code that every wing may import: values, shared protocols, errors, statistics, text and the event loop."""
