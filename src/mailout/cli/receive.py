"""`mailout receive`: takes one mail from a mail server, on standard input."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from mailout.cli.console import opened, read_site
from mailout.core.errors import MailoutError, TryLater

NO_MAIL = 65
"""EX_DATAERR of sysexits.h: nothing came, and nothing will if it is tried again."""


class _Patient(click.Command):
    """A command whose words may be wrong: somebody will mend them, so no mail may bounce for it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            raise TryLater(error.format_message(), where="mailout receive") from None

    def invoke(self, ctx: click.Context) -> Any:
        with _kept_for_later():
            return super().invoke(ctx)


@click.command("receive", cls=_Patient)
@click.option(
    "--recipient", default="", metavar="ADDRESS", help="Whom the mail server delivers to."
)
@click.option("--sender", default="", metavar="ADDRESS", help="The sender of the envelope.")
@click.pass_context
def receive_command(context: click.Context, recipient: str, sender: str) -> None:
    """Take one mail from a mail server, on standard input.

    Without --recipient and --sender the variables are asked that Postfix, Exim, OpenSMTPD and qmail
    set. Exit codes are those of sysexits.h: 0 once the mail is kept, 65 if there was none, 75 for
    everything else, so that the mail server tries again.

    \b
    Example:
      mailout --site /srv/bulletin receive --recipient bounces+TOKEN@news.example.org < mail
    """
    from mailout.inbox import pipe
    from mailout.receive.intake import keeper

    site = read_site(context)
    most = site.inbound.max_bytes
    raw = pipe.read(sys.stdin.buffer, most)
    if not raw.strip():
        click.echo("mailout: there is no mail on standard input", err=True)
        context.exit(NO_MAIL)
    with opened(site) as store:
        keeper(store, most)([pipe.arrival(raw, os.environ, recipient, sender)])


@contextmanager
def _kept_for_later() -> Iterator[None]:
    """Whatever is wrong with the site, the store or the program, a person can mend it: until then
    the mail server has the mail. Raises: TryLater."""
    try:
        yield
    except TryLater:
        raise
    except MailoutError as error:
        raise TryLater(error.what, where=error.where, fix=error.fix) from None
    except (click.exceptions.Exit, click.Abort):
        raise
    except OSError as error:
        raise TryLater(error.strerror or str(error), where=str(error.filename or "")) from None
    except Exception as error:
        # Its words might quote the mail, and a mail server's log is read by many.
        frame = traceback.extract_tb(error.__traceback__)[-1]
        raise TryLater(f"{type(error).__name__} at {frame.filename}:{frame.lineno}") from None
