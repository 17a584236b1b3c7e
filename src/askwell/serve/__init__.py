"""An OpenAI-compatible endpoint that adds the prompt."""
