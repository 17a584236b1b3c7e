"""GPO: an optimizer model improves one prompt for a task, step by step."""
