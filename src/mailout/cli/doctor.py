"""`mailout doctor`: one line a check, with what to do about each that fails."""

from __future__ import annotations

import asyncio
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import click

from mailout.cli import doctor_bounce
from mailout.cli.console import JSON, Options, as_json, opened, say
from mailout.cli.publishing import default_language
from mailout.cli.sending import signers_of
from mailout.cli.webhooks import untold
from mailout.config.bounce_rules import read_rules
from mailout.config.site import find_root, read_site
from mailout.config.templates import read_templates
from mailout.config.webhooks import configured
from mailout.core.errors import MailoutError
from mailout.core.issue import IssuePlan
from mailout.core.language import EVERY_OTHER
from mailout.core.mailing_list import MailingList
from mailout.core.post import Post
from mailout.core.site import Relay, Site
from mailout.core.token import LEAVE_LENGTH
from mailout.publish import sources
from mailout.publish.compile import compile_issue
from mailout.smtp.session import submit_all
from mailout.store import restored, schema

_LONGEST_LINK = 70  # characters; longer header values get encoded by some programs
_PATIENCE = 5  # seconds for a relay or a page to answer


@dataclass(frozen=True, slots=True)
class _Check:
    """One thing looked at; `problem` is empty when it is in order."""

    name: str
    problem: str = ""
    fatal: bool = True


@click.command(name="doctor")
@click.option("--bounce", is_flag=True, help="Try whether a bounce comes back, too.")
@click.option(
    "--wait",
    type=click.IntRange(0, 3600),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="With --bounce: for how long.",
)
@JSON
@click.pass_context
def doctor_command(context: click.Context, bounce: bool, wait: int, as_json_: bool) -> None:
    """Check the site: its files, its store, its relay and its public pages. Changes nothing.

    Exit code 1 if anything would keep a send from working.

    With --bounce it sends one mail, made up as a bounce, through the relay to your own return path,
    and looks at all ways in, as `mailout inbound fetch` does, until that mail is in the store.

    \b
    Examples:
      mailout doctor
      mailout doctor --bounce --wait 120
    """
    options = context.find_object(Options) or Options()
    site = read_site(find_root(options.site))
    checks = list(_checks(site))
    if bounce:
        checks += [_Check(step.name, step.problem) for step in doctor_bounce.steps(site, wait)]
    if as_json_:
        as_json(
            [{"check": c.name, "ok": not c.problem, "problem": c.problem or None} for c in checks]
        )
    else:
        for check in checks:
            mark = "ok  " if not check.problem else ("FAIL" if check.fatal else "note")
            say(f"{mark}  {check.name}" + (f": {check.problem}" if check.problem else ""))
    sys.exit(1 if any(check.problem and check.fatal for check in checks) else 0)


def _checks(site: Site) -> Iterator[_Check]:
    # Without config.toml, lists and keys in order there is no site to check: read before.
    yield _Check(f"settings, lists ({', '.join(site.lists)}) and keys in {site.root}")
    language = default_language(site)
    for mailing_list in site.lists.values():
        yield _try(
            f"templates, for the list {mailing_list.id}", partial(_render, site, mailing_list)
        )
        if "Example Town" in mailing_list.settings.postal_address:
            yield _Check(
                "who you are",
                f"lists/{mailing_list.id}.toml has the starter's invented postal address still",
                fatal=False,
            )
    yield _try("posts", lambda: sources.read_posts(site.root, language))
    yield _try("issues", lambda: sources.read_issues(site.root, language))
    yield _try("rules for what comes back", lambda: read_rules(site.root))
    yield _try("store", lambda: _store(site))
    if problem := _unsettled(site):
        yield _Check("restored", problem)
    if not site.relays:
        yield _Check("relay", "config.toml has no [[relays]] table")
    for relay in site.relays:
        yield _try(
            f"relay {relay.label} opens a session (tls {relay.tls})", partial(_greet, site, relay)
        )
    if site.dkim:
        names = ", ".join(f"{one.selector} for {one.domain}" for one in site.dkim)
        yield _try(f"DKIM keys ({names})", lambda: signers_of(site))
    for webhook in configured(site.webhooks):
        problem = f"{webhook.missing} is not set here" if webhook.missing else untold(site, webhook)
        yield _Check(f"webhook {webhook.name}", problem, fatal=False)
    yield _Check("public pages", _pages(site), fatal=False)
    length = len(site.leave_url) + LEAVE_LENGTH
    if length > _LONGEST_LINK:
        yield _Check(
            "length of the links",
            f"an unsubscribe link has {length} characters; some mail programs break those over "
            f"{_LONGEST_LINK}: a shorter `url` in config.toml is safer",
            fatal=False,
        )
    if site.is_loopback:
        url = site.identity.url
        yield _Check(
            "address of the pages",
            f"{url} works on this machine only: readers' links would not",
            fatal=False,
        )


def _render(site: Site, mailing_list: MailingList) -> None:
    """Compiles a made-up post with every template of a mail. Raises: BadFile."""
    templates = read_templates(site.root)
    post = Post("sample", mailing_list.default_language, "A sample", "Some words.\n\n- a list")
    posts = {"sample": {post.language: post}}
    names = {name.split(".")[0] for name in templates if "/" not in name and ".html." in name}
    for name in sorted(names):
        fallback = {EVERY_OTHER: (post.language,)}
        plan = IssuePlan("sample", mailing_list.id, name, ("sample",), fallback=fallback)
        compile_issue(site, mailing_list, plan, posts, templates, datetime.now(UTC))


def _try(name: str, check: Callable[[], object]) -> _Check:
    try:
        check()
    except MailoutError as error:
        return _Check(name, str(error))
    return _Check(name)


def _store(site: Site) -> None:
    with opened(site) as store:
        schema.require_newest(store)


def _unsettled(site: Site) -> str:
    """What keeps a store that came out of a backup from sending; empty for any other, and for one
    that cannot be looked at: that is said already."""
    with suppress(MailoutError), opened(site) as store, store.reading() as tx:
        if made_at := restored.since(tx):
            return f"{restored.unsettled(made_at)}. {restored.TO_SETTLE}"
    return ""


def _greet(site: Site, relay: Relay) -> None:
    """Opens a session and ends it. Raises: RelayProblem."""
    asyncio.run(submit_all(relay, site.ehlo, _PATIENCE, []))


def _pages(site: Site) -> str:
    """What is wrong with the pages; empty if they answer."""
    url = f"{site.identity.url}/healthz"
    with suppress(urllib.error.HTTPError):
        try:
            with urllib.request.urlopen(url, timeout=_PATIENCE) as answer:  # noqa: S310 - http(s), checked
                return "" if answer.status == 200 else f"{url} answers {answer.status}"
        except urllib.error.HTTPError as error:
            return f"{url} answers {error.code}"
        except (TimeoutError, OSError):
            pass
    return f"nothing answers at {url}; start `mailout serve` before you send"
