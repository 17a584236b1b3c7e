"""The progress of a run or a training while it is made, for a person at a terminal."""
