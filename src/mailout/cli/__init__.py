"""The command line: each command parses its words, calls a trip, and prints what came of it."""
