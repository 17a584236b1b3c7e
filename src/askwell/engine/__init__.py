"""Run (prompt, example) pairs on the target model under a budget, race prompts, and run the optimization loop."""
