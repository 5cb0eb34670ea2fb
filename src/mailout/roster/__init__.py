"""The roster: how people come in, are looked at, go out in files, and are forgotten."""
