"""How fast a model answers here: alone, with others at the same time, and beside what the memory allows at most."""
