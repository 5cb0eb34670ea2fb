"""`mailout preview` and `mailout test`: an issue seen by its makers before its readers."""

from __future__ import annotations

import asyncio
import webbrowser
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING

import click

from mailout.catalogue import is_country
from mailout.cli.console import note, opened, read_again, read_site, say
from mailout.cli.editions import STANDARD
from mailout.cli.issues import known_issue
from mailout.cli.publishing import compiled_unless_out, is_stale
from mailout.cli.sending import signers_of
from mailout.core import edition
from mailout.core.address import Address, BadAddress
from mailout.core.delivery import Verdict
from mailout.core.errors import MailoutError, UsageError, nearest
from mailout.core.site import Site
from mailout.publish import build, pictures, viewing
from mailout.send.proof import send_proofs
from mailout.store import issues, people
from mailout.store.engine import Store
from mailout.store.issues import Issue

if TYPE_CHECKING:
    from mailout.web.preview import Seen


@click.command(name="preview")
@click.argument("issue")
@click.option("--port", type=int, default=0, help="Where to serve; any free port if left out.")
@click.option("--open/--no-open", "open_", default=True, help="Open the browser.")
@click.pass_context
def preview_command(context: click.Context, issue: str, port: int, open_: bool) -> None:
    """Look at ISSUE in the browser: each language, wide and narrow, light and dark, as text.

    An issue that was not sent is compiled anew whenever a file changes, and the page follows.
    It can be seen by the eyes of any subscriber. Serves this machine only, until Ctrl-C.

    Example: mailout preview 2026-11-20-bulletin
    """
    from mailout.web.preview import make_preview
    from mailout.web.serving import listen, serve, url_of

    site = read_site(context)
    with opened(site) as store:
        look = _Look(site, store, issue)
        look("")
        with listen("127.0.0.1", port) as listening:
            url = url_of(listening)
            say(f"Preview of {issue}: {url} (Ctrl-C ends it)")
            if open_:
                webbrowser.open(url)
            app = make_preview(
                issue,
                look,
                lambda: viewing.stamp(site.root),
                site.root / pictures.FOLDER,
                site.archive_url,
            )
            serve(app, listening)


@dataclass(slots=True)
class _Look:
    """Shows the issue by anybody's eyes; compiles it anew when its files have changed."""

    site: Site
    store: Store
    name: str
    _lock: Lock = field(default_factory=Lock)
    _stamp: str = ""
    _found: Issue | None = None

    def __call__(self, reader: str) -> Seen:
        from mailout.web.preview import Seen, Sheet

        with self._lock:  # the page asks for several parts at once
            found = self._compiled()
        with self.store.reading() as tx:
            variants = issues.variants(tx, found.id)
            person = people.find(tx, _key(self.site, reader)) if reader else None
        if reader and person is None:
            raise UsageError(f"nobody has the address `{reader}`")
        mailing_list = self.site.list_named(found.list_id)
        if person and found.list_id not in {one.list_id for one in person.memberships}:
            raise UsageError(f"{person.address} is not on the list `{found.list_id}`")
        seen = viewing.letters(self.site, mailing_list, variants, person, datetime.now(UTC))
        usual = edition.standard({variant.edition for variant in variants})
        sheets = [
            Sheet(
                one.variant.language,
                one.variant.subject,
                one.html,
                one.text,
                one.source,
                "" if one.variant.edition == usual else one.variant.edition,
            )
            for one in seen
        ]
        theirs = viewing.variant_for(mailing_list, variants, person)
        first = next(
            sheet
            for sheet, variant in zip(sheets, variants, strict=True)
            if (variant.language, variant.edition) == theirs
        )
        return Seen(sheets, first.name)

    def _compiled(self) -> Issue:
        """The issue, compiled anew if a file has changed since."""
        stamp = viewing.stamp(self.site.root)
        if self._found is None or stamp != self._stamp:
            self._found = None  # what cannot be compiled is tried again
            self.site = read_again(self.site)
            self._found = compiled_unless_out(self.site, self.store, self.name)
            self._stamp = stamp
        return self._found


def _key(site: Site, text: str) -> str:
    try:
        return Address.parse(text).key(site.keys.address)
    except BadAddress as error:
        raise UsageError(f"`{text}`: {error}") from None


@click.command(name="test")
@click.argument("issue")
@click.option("--to", "to", required=True, metavar="ADDRESS", help="Who gets the proof.")
@click.option("--language", "-l", multiple=True, help="Only this language; may stand repeatedly.")
@click.option(
    "--edition", "editions", multiple=True, help="Such as low-data; repeatedly for several."
)
@click.option("--country", default="", help="As readers in this country get it.")
@click.pass_context
def test_command(
    context: click.Context,
    issue: str,
    to: str,
    language: tuple[str, ...],
    editions: tuple[str, ...],
    country: str,
) -> None:
    """Mail a proof of a compiled ISSUE to one address: a mail for each language.

    It is no delivery: nothing is recorded, and its links lead nowhere.

    Example: mailout test 2026-11-20-bulletin --to me@example.org -l ru
    """
    site = read_site(context)
    try:
        address = Address.parse(to)
    except BadAddress as error:
        raise UsageError(f"`{to}`: {error}", where="--to") from None
    with opened(site) as store:
        found = known_issue(store, issue)
        with store.reading() as tx:
            variants = issues.variants(tx, found.id)
        mailing_list = site.list_named(found.list_id)
        if found.sent_at is None and is_stale(site, store, mailing_list, found):
            note("Files were changed since it was compiled: this is a proof of what was compiled.")
    known = list(dict.fromkeys(variant.language for variant in variants))
    built = {variant.edition for variant in variants}
    country = country.strip().upper()
    if country and not is_country(country):
        raise UsageError(f"`{country}` is not a country code", where="--country")
    blocked = country in mailing_list.settings.blocked_in
    usual = edition.for_reader("", blocked=blocked, built=built)
    asked = [usual if one == STANDARD else one for one in editions] or [usual]
    for one in asked:
        if one not in built:
            names = {STANDARD, *built}
            raise UsageError(f"the issue has no `{one}` edition", fix=nearest(one, names))
    for code in language:
        if code not in known:
            raise UsageError(f"the issue has no `{code}`", fix=nearest(code, known))
    chosen = [
        variant.in_country(country)
        for variant in variants
        if variant.edition in asked and (not language or variant.language in language)
    ]
    readers = [build.sample_reader(variant.language, address) for variant in chosen]
    now = datetime.now(UTC)
    outcomes = asyncio.run(
        send_proofs(site, mailing_list, chosen, readers, found.id, now, signers_of(site))
    )
    refused = 0
    for variant, outcome in zip(chosen, outcomes, strict=True):
        say(f"{variant.language} {variant.edition}: {outcome.verdict.value} ({outcome.reply})")
        refused += outcome.verdict is not Verdict.ACCEPTED
    if refused:
        raise MailoutError(f"{refused} of {len(chosen)} proofs were not taken")
