"""Select among logged prompts for each query: features, scorers and the fallback threshold."""
