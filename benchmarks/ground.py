"""What the benchmarks stand on: a site with many people, an issue of a given size, a sink."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from mailout.config.site import read_site
from mailout.config.starter import copy_site
from mailout.core.address import Address
from mailout.core.consent import Consent, ConsentAction
from mailout.core.issue import Variant
from mailout.core.site import Relay, Site, StoreSettings
from mailout.core.slot import Slot
from mailout.core.subscription import SubscriptionState
from mailout.core.token import leave_token
from mailout.publish.sheet import why_you_get_this
from mailout.store import consents, issues, roster, schema
from mailout.store.engine import Store, open_store
from mailout.store.issues import Issue

NOW = datetime.now(UTC)
_CHUNK = 5000


def make_site(folder: Path, people: int, store_url: str = "sqlite:///mailout.db") -> Site:
    """A site whose list `bulletin` has so many invented people, all trade unionists."""
    shutil.rmtree(folder, ignore_errors=True)
    copy_site(folder)
    site = replace(read_site(folder), store=StoreSettings(url=store_url))
    store = open_store(site.store.url, site.root)
    if not schema.current(store):
        schema.upgrade(store)
    for begin in range(0, people, _CHUNK):
        _add(store, site, range(begin, min(begin + _CHUNK, people)))
    if not store.is_sqlite:
        # As PostgreSQL does by itself within a minute of so many new rows.
        with store.engine.begin() as connection:
            connection.exec_driver_sql("ANALYZE")
    store.close()
    return site


def _add(store: Store, site: Site, numbers: range) -> None:
    newcomers = []
    for number in numbers:
        address = Address.parse(f"person{number}@p{number % 97}.example.org")
        key = address.key(site.keys.address)
        newcomers.append(
            roster.NewPerson(address.text, key, address.domain, f"Person {number}", "en", "DE")
        )
    with store.writing() as tx:
        ids = roster.add_people(tx, newcomers, NOW)
        roster.add_tags(tx, {one: ["unions"] for one in ids.values()})
        roster.add_subscriptions(
            tx,
            "bulletin",
            [
                roster.NewSubscription(
                    one, SubscriptionState.ACTIVE, leave_token(secrets.token_bytes(16))
                )
                for one in ids.values()
            ],
            NOW,
        )
        evidence = [
            Consent(
                "bulletin",
                ids[one.address_key],
                one.address_key,
                ConsentAction.IMPORTED,
                NOW,
                "on paper",
            )
            for one in newcomers
        ]
        consents.append(tx, evidence)


def make_issue(store: Store, site: Site, name: str, size: int) -> Issue:
    """An issue whose whole message has about `size` bytes, a third text, the rest HTML; fit to
    be sent, as `mailout check` says."""
    sentence = "The strike goes on, and so does the bulletin about it. "
    settings = site.lists["bulletin"].settings
    links = (
        f"Leave: {site.leave_url}{Slot.TOKEN.mark}\nChoose: {site.identity.url}/p/{Slot.TOKEN.mark}"
    )
    last = f"{why_you_get_this(site.lists['bulletin'], 'en')}\n{settings.postal_address}\n"
    body = sentence * max(1, (size // 3 - 250) // len(sentence))
    filled = "\n".join(textwrap.wrap(body, 72))
    text = (
        f"{Slot.GREETING.mark}\n\nThe bulletin\n\n{filled}\n\n{links}\n{last}{settings.contact}\n"
    )
    html = _DOCUMENT.format(
        greeting=Slot.GREETING.mark,
        body=sentence * max(1, (size * 2 // 3 - 1800) // len(sentence)),
        leave=f"{site.leave_url}{Slot.TOKEN.mark}",
        choose=f"{site.identity.url}/p/{Slot.TOKEN.mark}",
        last=last.replace("\n", "<br>\n"),
        contact=settings.contact,
    )
    variant = Variant("en", "The bulletin", html, text)
    with store.writing() as tx:
        issue = issues.save_compiled(tx, name, "bulletin", ["post"], (variant,), NOW)
        issues.approve(tx, issue, NOW)
    return issue


_DOCUMENT = """<!DOCTYPE html>
<html lang="en" dir="ltr"><head><meta charset="utf-8"><meta name="viewport" content="width=1">
<title>The bulletin</title></head><body><div lang="en" dir="ltr"><p>{greeting}</p>
<h1>The bulletin</h1><p>{body}</p><p><a href="{leave}">Leave</a></p>
<p><a href="{choose}">Choose</a></p><p>{last}{contact}</p></div></body></html>
"""


@contextmanager
def smtp_sink(port: int) -> Iterator[int]:
    """Postfix's sink on loopback: takes everything, keeps nothing."""
    # Only root may, and must, have it become somebody else.
    user = ["-u", "postfix"] if os.geteuid() == 0 else []
    command = ["smtp-sink", *user, "-c", f"127.0.0.1:{port}", "1000"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        yield port
    finally:
        process.terminate()
        process.wait()


def toward(site: Site, port: int, connections: int = 10) -> Site:
    relay = Relay(host="127.0.0.1", port=port, tls="none", connections=connections)
    return replace(site, relays=(relay,))
