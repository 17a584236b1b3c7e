"""Chat models: providers, local checkpoints, bundled models, and wrappers around them."""
