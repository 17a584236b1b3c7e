"""The run log: an append-only list of events, how it is stored, encoded, folded and exchanged with other tools."""
