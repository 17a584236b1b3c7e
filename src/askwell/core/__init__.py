"""What every wing may use: values, shared protocols, errors, statistics, text and the event loop."""
