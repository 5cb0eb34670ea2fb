"""What follows links without a person: scanners, prefetching browsers, robots that run scripts.

None of them changes anything: the store is byte for byte as before.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from urllib.parse import urldefrag, urlsplit

import httpx
import pytest
from chromium import Window, launched, window
from harbour_site import Harbour, harbour
from playwright.sync_api import Error
from reader_pages import PAGES, Visit

from mailout.store.engine import Store
from newcomers import dump

IN_LETTERS = ("confirm", "link", "address")
"""Pages whose links are mailed to one person, and work once."""

ASKING = [
    {},
    {"Sec-Purpose": "prefetch"},
    {"Sec-Purpose": "prefetch;prerender", "Purpose": "prefetch"},
    {"X-Moz": "prefetch", "X-Purpose": "preview"},
    {"User-Agent": "scanner", "Accept": "*/*", "Range": "bytes=0-99"},
]

HINTS = """<!DOCTYPE html><title>A mail, as a program that looks ahead shows it</title><body>
<script>
const links = {links};
for (const href of links) {{
  for (const rel of ["prefetch", "preload"]) {{
    const hint = document.createElement("link");
    Object.assign(hint, {{rel, href, as: rel === "preload" ? "fetch" : ""}});
    document.head.append(hint);
  }}
  const word = document.createElement("a"), picture = new Image(), frame = document.createElement("iframe");
  Object.assign(word, {{href, textContent: href}});
  picture.src = frame.src = href;
  document.body.append(word, picture, frame);
}}
const rules = document.createElement("script");
rules.type = "speculationrules";
rules.textContent = JSON.stringify({{
  prefetch: [{{urls: links, eagerness: "immediate"}}], prerender: [{{urls: links, eagerness: "immediate"}}],
}});
document.head.append(rules);
Promise.allSettled(links.flatMap(link => [fetch(link), fetch(link, {{method: "HEAD"}})]))
  .then(() => document.body.dataset.done = "yes");
</script>"""
"""Every way in which a page can have links fetched that nobody follows."""


TOUCHED = """() => [...document.querySelectorAll('a, button, input, select')].map(one => {
  one.focus();
  const box = one.getBoundingClientRect();
  return [box.left + box.width / 2, box.top + scrollY + box.height / 2];
}).filter(([x, y]) => y < innerHeight)"""
"""Where the mouse goes, once all that can be pressed was focused: to what is seen first."""


@pytest.fixture(params=["sqlite", "postgresql"])
def sent(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Harbour]:
    """A site of its own, on either database."""
    if request.param == "sqlite":
        with harbour(tmp_path / "site") as site:
            yield site
        return
    server = request.getfixturevalue("postgresql")
    name = server.create(template="mailout_template")
    with harbour(tmp_path / "site", server.url(name)) as site:
        yield site
    server.drop(name)


def test_following_every_link_leaves_the_store_byte_identical(
    chromium_program: str, sent: Harbour
) -> None:
    with launched(chromium_program) as browser:  # once the site is sent: see there
        with window(browser) as one:
            links = [*sent.links(), *in_letters(sent, one)]
        links = list(dict.fromkeys(urldefrag(link).url for link in links))
        paths = {urlsplit(link).path for link in links}
        assert {path.split("/")[1] for path in paths} == {"u", "p", "archive", "j", "s", "a"}
        # The others may be in the browser's cache by then.
        tokens = {path for path in paths if not path.startswith("/archive/")}
        before = dump(sent.store), file_hash(sent.store)

        with httpx.Client(timeout=30, follow_redirects=True) as client:
            for link, method, headers in product(links, ("GET", "HEAD"), ASKING):
                assert client.request(method, link, headers=headers).status_code == 200, link
        assert (dump(sent.store), file_hash(sent.store)) == before

        with window(browser) as one:
            for link in links:
                look_around(one, link)
        assert (dump(sent.store), file_hash(sent.store)) == before

        sent.door.own["/hints"] = HINTS.format(links=json.dumps(links))
        sent.door.asked.clear()
        with window(browser) as one:
            one.page.goto(f"{sent.url}/hints")
            one.page.wait_for_selector("[data-done]")
            for _ in range(100):
                ahead = {path for path, purpose in sent.door.asked if "prefetch" in purpose}
                if tokens <= ahead:
                    break
                one.page.wait_for_timeout(100)
        assert tokens - ahead == set()
        assert (dump(sent.store), file_hash(sent.store)) == before


def in_letters(sent: Harbour, one: Window) -> list[str]:
    """The links of letters to somebody who has asked for each of them."""
    links = []
    for page in PAGES:
        if page.name in IN_LETTERS:
            page.reach(Visit(sent, one, "en"))
            links.append(one.page.url)
    return links


def look_around(one: Window, link: str) -> None:
    """Nothing, once a robot has opened the link, let its scripts run and touched everything."""
    try:
        one.page.goto(link)
    except Error as error:  # a file for the calendar
        assert "Download is starting" in str(error)
        return
    places = one.page.evaluate(TOUCHED)
    one.page.evaluate("scrollTo(0, 0)")
    for x, y in places:
        one.page.mouse.move(x, y)
    one.page.wait_for_load_state("load")


def file_hash(store: Store) -> str:
    """What the file of a store holds, as a hash; empty where there is none."""
    if not store.is_sqlite:
        return ""
    with store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return hashlib.sha256(Path(str(store.engine.url.database)).read_bytes()).hexdigest()
