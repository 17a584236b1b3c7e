"""Read which option or label a reply chooses: the options of a question, mentions of letters, reviews of options."""
