"""`mailout serve`: the public pages, until Ctrl-C."""

from __future__ import annotations

from collections.abc import Mapping

import click

from mailout.cli.console import note, opened, read_site, say


@click.command("serve")
@click.option("--host", metavar="HOST", help="Where to listen; else `host` of [pages].")
@click.option(
    "--port", metavar="PORT", type=click.IntRange(0, 65535), help="Else `port` of [pages]."
)
@click.option("--metrics", metavar="HOST:PORT", help="Show Prometheus metrics there.")
@click.pass_context
def serve_command(
    context: click.Context, host: str | None, port: int | None, metrics: str | None
) -> None:
    """Serve the public pages: the lists, and leaving one by the link in each mail.

    A web server in front of it speaks https and forwards to it; the links in mails begin
    with `url` of [site]. It keeps no log of who asks for what. Beside them it mails letters, such
    as confirmations (`post_letters` of [pages]), and tidies the store. Ctrl-C ends it.

    \b
    Example:
      mailout serve --port 8080
    """
    from mailout.cli.upkeep import beside
    from mailout.web.app import make_app
    from mailout.web.serving import listen, serve, url_of

    site = read_site(context)
    with opened(site) as store:
        app = make_app(site, store)
        if metrics:
            from mailout.cli.metrics import serve as serve_metrics

            serve_metrics(metrics, store)
            note(f"Metrics are at http://{metrics}/metrics")
        listening = listen(
            host if host is not None else site.pages.host,
            port if port is not None else site.pages.port,
        )
        say(f"Serving the pages of {site.identity.name} at {url_of(listening)}")
        note(f"Mails link to {site.identity.url}. Ctrl-C ends it.")
        with beside(site, store, _tell, post=site.pages.post_letters):
            serve(app, listening)
    note("Stopped.")


def _tell(what: str, fields: Mapping[str, object]) -> None:
    """Says what is wrong with the letters; that some were mailed is no news to anybody."""
    if what == "trouble":
        note(str(fields["why"]))
