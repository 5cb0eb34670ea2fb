"""What is shown before anything is sent, and the count to be typed: for `send` and `digest`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from mailout.cli import console
from mailout.cli.console import note
from mailout.cli.reports import leaving_out
from mailout.core.errors import MailoutError, UsageError
from mailout.core.issue import Variant
from mailout.store.audiences import Audience


def show_audience(name: str, whom: str, variants: Sequence[Variant], audience: Audience) -> None:
    """What is about to happen, on standard error: standard output is for the result."""
    note(f"\n{name} to {whom}")
    for language, subject in {variant.language: variant.subject for variant in variants}.items():
        note(f"  {language}: {subject}")
    readers = ", ".join(
        f"{n} {code or '(none)'}" for code, n in sorted(audience.by_language.items())
    )
    note(f"To {audience.total} people ({readers or 'nobody'}).")
    if audience.left_out:
        note(f"Left out: {leaving_out(audience.left_out)}.")


def ask_for_count(total: int, to: str = "send", otherwise: str = "nothing was sent") -> None:
    """Nothing, once a person has typed the count. Raises: MailoutError, or UsageError if nobody is
    there."""
    if not console.at_terminal():
        raise UsageError("nobody is there to type the count", fix="Add --yes in scripts.")
    typed = click.prompt(f"Type {total} to {to}", err=True, default="", show_default=False)
    if typed.strip() != str(total):
        raise MailoutError(f"`{typed}` is not {total}: {otherwise}")
