"""Backups: the whole of a site in one file, and the whole of a site out of it."""
