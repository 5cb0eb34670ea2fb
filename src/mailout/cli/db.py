"""`mailout db`: the version of the store."""

from __future__ import annotations

import click

from mailout.cli.console import JSON, as_json, at_terminal, note, opened, read_site, say


@click.group("db")
def db_command() -> None:
    """Upgrade the store, or show its version."""


@db_command.command("upgrade")
@click.option("--yes", is_flag=True, help="Do not ask whether there is a copy.")
@click.pass_context
def upgrade(context: click.Context, yes: bool) -> None:
    """Bring the store to this program's version. Make a copy of it first.

    Stop `mailout serve` and every sending before, and start them again afterwards.

    \b
    Example:
      cp mailout.db mailout.db.before && mailout db upgrade
    """
    from mailout.store import schema

    site = read_site(context)
    with opened(site, any_version=True) as store:
        before, wanted = schema.current(store), schema.newest()
        if before == wanted:
            say(f"The store has version {wanted} already.")
            return
        if before:
            note("Make a copy of the store first; there is no way back but the copy.")
            if at_terminal() and not yes:
                click.confirm("Is there a copy?", abort=True, err=True)
        schema.upgrade(store)
        say(f"Upgraded the store from {before or 'no tables'} to {schema.current(store)}.")


@db_command.command("current")
@JSON
@click.pass_context
def current(context: click.Context, as_json_: bool) -> None:
    """Show the store's version and the one that this mailout needs.

    \b
    Example:
      mailout db current
    """
    from mailout.store import schema

    site = read_site(context)
    with opened(site, any_version=True) as store:
        found, wanted = schema.current(store), schema.newest()
    if as_json_:
        as_json({"current": found or None, "newest": wanted})
        return
    state = "up to date" if found == wanted else f"this mailout needs {wanted}"
    say(f"{found or 'no tables yet'} ({state})")
