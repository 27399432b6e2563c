"""`longreach benchmark`: time and memory of one update against the length of the sequence, for every method."""
