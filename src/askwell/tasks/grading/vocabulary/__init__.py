"""Words that point to an answer or state one, in many languages."""
