"""`python -m mailout` is `mailout`."""

from mailout.cli.main import run

run()
