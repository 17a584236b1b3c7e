"""Whatever answers a chat request: providers, local weights, bundled models, and wrappers around them."""
