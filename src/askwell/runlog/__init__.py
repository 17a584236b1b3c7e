"""The append-only run log: storage, codec, fold, transfer."""
