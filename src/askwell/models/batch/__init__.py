"""The providers' batch APIs: submit, poll and resume batches of requests."""
