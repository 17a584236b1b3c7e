"""Racing: decide from a partly filled table of block scores which candidates to score further."""
