"""`mailout archive`: what was mailed, as static pages for everybody."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from mailout.cli.console import JSON, as_json, counted, note, opened, read_site, say
from mailout.config.templates import read_templates
from mailout.core.archive import FOLDER
from mailout.core.errors import MailoutError
from mailout.core.site import Site
from mailout.publish import archive
from mailout.publish.archive import Built
from mailout.store.engine import Store


@click.group(name="archive")
def archive_command() -> None:
    """Build the archive: pages of what was mailed, to serve and to copy."""


@archive_command.command("build")
@JSON
@click.pass_context
def build(context: click.Context, as_json_: bool) -> None:
    """Write build/archive/: a page for each issue and post that was mailed, in each language.

    Nothing of it is about a reader. `mailout serve` shows it at /archive; any web server can. Build
    again after each send: what did not change stays untouched.

    Example: mailout archive build
    """
    site = read_site(context)
    with opened(site) as store:
        built = build_archive(site, store)
    changes = built.changes
    if as_json_:
        as_json(
            {
                "folder": FOLDER,
                "url": site.archive_url,
                "languages": built.languages,
                "issues": built.issues,
                "posts": built.posts,
                "added": changes.added,
                "changed": changes.changed,
                "removed": changes.removed,
                "unchanged": changes.unchanged,
                "left_out": [{"what": one.what, "why": one.why} for one in built.left_out],
            }
        )
        return
    for one in built.left_out:
        say(f"left out: {one.what}: {one.why}")
    counts = [(built.issues, "issue"), (built.posts, "post"), (built.languages, "language")]
    issues, posts, languages = (counted(len(found), word) for found, word in counts)
    say(f"{FOLDER}/: {issues} and {posts} in {languages}")
    say(
        f"{counted(len(changes.added), 'file')} added, {len(changes.changed)} changed,"
        f" {len(changes.removed)} removed, {changes.unchanged} as they were"
    )
    say(f"Its address is {site.archive_url}/")


def build_archive(site: Site, store: Store) -> Built:
    """The archive, built anew. Raises: MailoutError if the site has none."""
    if not site.archive.enabled:
        raise MailoutError(
            "this site has no archive",
            where="config.toml",
            fix="Set `enabled = true` in [archive].",
        )
    return archive.build(site, store, read_templates(site.root), datetime.now(UTC))


def refresh(site: Site, store: Store) -> None:
    """Nothing, once what was mailed by now is in the archive, if there is one; a failure is told
    and stops nothing, since a link that leads nowhere yet is better than a mail that never comes.
    """
    if not site.archive.enabled:
        return
    try:
        build_archive(site, store)
    except MailoutError as error:
        note(f"The archive could not be built: {error}")
