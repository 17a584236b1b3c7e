"""Records of data files and Python lists: decoding, delimiters, the text of a cell, lists of options."""
