"""`mailout inbound webhooks`: which providers' notices are taken, and the address for each."""

from __future__ import annotations

import click

from mailout.cli.console import JSON, as_json, note, read_site, say, table
from mailout.config.webhooks import Webhook, configured
from mailout.core.site import Site

_REPLACING = {
    "ses": "X-Delivery",
    "postmark": "X-PM-Metadata-delivery",
    "brevo": "X-Mailin-custom",
    "mailjet": "X-MJ-CustomID",
}
"""Providers that put a return path and a Message-ID of their own on a mail, and a name under which
each hands back a header of ours."""


@click.command("webhooks")
@JSON
@click.pass_context
def webhooks_command(context: click.Context, as_json_: bool) -> None:
    """Say which mail providers' notices are taken, and print the address to paste in there.

    A secret in an address is shown as the variable that holds it.

    Example: mailout inbound webhooks
    """
    site = read_site(context)
    found = configured(site.webhooks)
    if as_json_:
        as_json(
            [
                {"provider": one.name, "url": address(site, one), "missing": one.missing or None}
                for one in found
            ]
        )
        return
    if not found:
        say("No provider's notices are taken: config.toml has no [webhooks.NAME] table.")
        return
    table(
        ["provider", "address", "state"],
        [(one.name, address(site, one), _state(one)) for one in found],
    )
    for one in found:
        if said := untold(site, one):
            note(said)
    if site.is_loopback:
        note("No provider reaches these addresses: `url` in config.toml is this machine.")


def address(site: Site, webhook: Webhook) -> str:
    """Where the provider is to send its notices; a password in it is shown as its variable."""
    scheme, _, rest = site.identity.url.partition("://")
    login = f"{webhook.login}@" if webhook.login else ""
    return f"{scheme}://{login}{rest}/hooks/{webhook.name}"


def untold(site: Site, webhook: Webhook) -> str:
    """What the provider could not say for want of a token header; empty if nothing."""
    wanted = _REPLACING.get(webhook.name)
    if wanted is None or site.sending.token_header:
        return ""
    return (
        f"{webhook.name} replaces the return path: its notices cannot say which mail they are "
        f'about. Write `token_header = "{wanted}"` under [sending].'
    )


def _state(webhook: Webhook) -> str:
    return f"{webhook.missing} is not set" if webhook.missing else "ready"
