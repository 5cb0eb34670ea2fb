"""`mailout dkim`: the keys that sign our mail, and their records in the DNS."""

from __future__ import annotations

import click

from mailout.cli.console import JSON, as_json, note, read_site, say
from mailout.core.errors import UsageError
from mailout.core.site import Site

_STRING = 255  # RFC 1035 3.3: a string of a TXT record is no longer


@click.group("dkim")
def dkim_command() -> None:
    """Make a key that signs your mail, or show its DNS record."""


@dkim_command.command("new")
@click.argument("selector")
@click.option("--domain", metavar="D", help="Who signs; else the domain of your first list's From.")
@click.option(
    "--kind",
    type=click.Choice(["rsa", "ed25519"]),
    default="rsa",
    show_default=True,
    help="Every receiver knows rsa; ed25519 is for a second key beside it.",
)
@click.pass_context
def new(context: click.Context, selector: str, domain: str | None, kind: str) -> None:
    """Make a key and print its DNS record and the settings for it.

    SELECTOR names the key among those of the domain, for example by the year. Publish the
    record first, wait until it is there, then add the settings.

    \b
    Example:
      mailout dkim new 2026a
    """
    from mailout.config import dkim
    from mailout.core.dkim import record_name

    site = read_site(context)
    domain = domain or _first_domain(site)
    path, record = dkim.write_new(
        site.root, domain, selector, "rsa" if kind == "rsa" else "ed25519"
    )
    note(f"Made {path.relative_to(site.root)}, readable by you alone and kept out of git.")
    note("Publish this in the DNS, as TXT:\n")
    say(record_name(domain, selector))
    say(in_strings(record))
    note("\nWhen it is there, put this into config.toml:\n")
    say(f'[[dkim]]\ndomain = "{domain}"\nselector = "{selector}"')


@dkim_command.command("show")
@JSON
@click.pass_context
def show(context: click.Context, as_json_: bool) -> None:
    """Show the DNS records of all keys in config.toml. Looks nothing up.

    \b
    Example:
      mailout dkim show
    """
    site = read_site(context)
    found = _records(site)
    if as_json_:
        as_json(found)
        return
    if not found:
        note("config.toml has no [[dkim]]: mails are not signed. `mailout dkim new` makes a key.")
    for entry in found:
        say(entry["name"])
        say(in_strings(entry["record"]))


def in_strings(record: str) -> str:
    """A TXT record as a zone file has it: in quotes, no string over 255 bytes."""
    return " ".join(f'"{record[at : at + _STRING]}"' for at in range(0, len(record), _STRING))


def _records(site: Site) -> list[dict[str, str]]:
    """What `show` tells of each key, in the order of config.toml. Raises: MailoutError."""
    if not site.dkim:
        return []
    from mailout.config import dkim
    from mailout.core.dkim import record_name

    return [
        {
            "domain": table.domain,
            "selector": table.selector,
            "key_file": table.path,
            "name": record_name(table.domain, table.selector),
            "record": dkim.public_record(site, table),
        }
        for table in site.dkim
    ]


def _first_domain(site: Site) -> str:
    """The domain of the first list's From address."""
    from mailout.core.message import Sender

    for mailing_list in site.lists.values():
        return Sender.parse(mailing_list.settings.sender).address.domain
    raise UsageError("the site has no list to take a domain from", fix="Name it with --domain.")
