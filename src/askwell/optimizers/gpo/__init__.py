"""GPO: one prompt for a task, improved step by step by an optimizer model."""
