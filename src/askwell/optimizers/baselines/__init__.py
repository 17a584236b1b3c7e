"""Published prompt optimizers that are not GPO presets, and optimizers of other packages on askwell's engine."""
