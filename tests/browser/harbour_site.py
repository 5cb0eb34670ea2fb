"""A site as readers meet it: an issue sent over SMTP, its archive built, its pages served.

Its texts are those of the goldens, in five languages; the people are made up here. The pages'
address is known before the site is read, since every mail of the issue leads to it.
"""

from __future__ import annotations

import email
import email.policy
import io
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from email.message import EmailMessage
from html import unescape
from itertools import count
from pathlib import Path
from unittest import mock

from sqlalchemy import select
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from mailout.cli.main import main
from mailout.config import keys
from mailout.config.site import read_site
from mailout.core.address import Address
from mailout.core.site import Site
from mailout.smtp.catcher import Catcher
from mailout.store.asked_tables import LETTER
from mailout.store.engine import Store, open_store
from mailout.web.app import make_app
from mailout.web.serving import serving
from newcomers import Newcomer, join
from places import REPOSITORY

LANGUAGES = ("en", "ru", "kk", "de", "ar")
ISSUE = "bulletin"

_JOINABLE = 'join = true\ndescription = "What happens in the port, from those who work there"\n'
_SEGMENTS = """
[descriptions]
ru = "Что происходит в порту, от тех, кто там работает"
kk = "Портта не болып жатқаны, сонда істейтіндерден"
de = "Was im Hafen geschieht, von denen, die dort arbeiten"
ar = "ما يجري في الميناء، على لسان من يعملون فيه"

[segments.readers]
rule = "everyone"

[segments.unions]
rule = "tag = unions"
choosable = true
[segments.unions.label]
en = "I am a trade unionist"
ru = "Я член профсоюза"
kk = "Мен кәсіподақ мүшесімін"
de = "Ich bin in einer Gewerkschaft"
ar = "أنا عضو في نقابة"

[segments.journalists]
rule = "tag = journalists"
choosable = true
[segments.journalists.label]
en = "I am a journalist"
ru = "Я журналист"
kk = "Мен журналистпін"
de = "Ich bin Journalistin oder Journalist"
ar = "أنا صحفي أو صحفية"
"""


class Door:
    """What is served: the app, once there is one, and pages of a test's own beside it.

    `asked` holds the path of every request and the purpose its browser gave for it.
    """

    def __init__(self) -> None:
        self.app: ASGIApp | None = None
        self.own: dict[str, str] = {}
        self.asked: list[tuple[str, str]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            purposes = [v.decode() for k, v in scope["headers"] if k == b"sec-purpose"]
            self.asked.append((scope["path"], "".join(purposes)))
            if (page := self.own.get(scope["path"])) is not None:
                await HTMLResponse(page)(scope, receive, send)
                return
        assert self.app is not None
        await self.app(scope, receive, send)


@dataclass(frozen=True)
class Harbour:
    """The site, served at `url`; `mails` are what its readers got."""

    url: str
    site: Site
    store: Store
    door: Door
    mails: list[EmailMessage]
    _numbers: Iterator[int] = field(default_factory=count)

    def open_doors(self, **pages: object) -> None:
        """Nothing, once the pages are served anew: what strangers have asked for is forgotten.

        `pages` are settings of `[pages]`.
        """
        site = replace(self.site, pages=replace(self.site.pages, **pages))  # type: ignore[arg-type]
        self.door.app = make_app(site, self.store)

    def newcomer(self, language: str = "en", list_id: str = "bulletin") -> Newcomer:
        """A reader nobody has met yet."""
        address = f"reader{next(self._numbers)}@example.org"
        return join(self.store, self.site, address, list_id=list_id, language=language)

    def stranger(self) -> str:
        """An address that nobody has."""
        return f"stranger{next(self._numbers)}@example.org"

    def key(self, address: str) -> str:
        return Address.parse(address).key(self.site.keys.address)

    def letter(self, address: str) -> str:
        """The token of the link in the newest letter to the address."""
        with self.store.reading() as tx:
            newest = select(LETTER.c.said).where(LETTER.c.address == address)
            said = tx.scalars(newest.order_by(LETTER.c.id.desc()).limit(1)).one()
        return str(said["token"])

    def links(self) -> list[str]:
        """Every address of our pages in the mails, from headers, text and HTML, each once."""
        found: dict[str, None] = {}
        for mail in self.mails:
            html = mail.get_body(("html",))
            text = mail.get_body(("plain",))
            assert html is not None and text is not None
            hrefs = re.findall(r'(?:href|src)="(http[^"]+)"', html.get_content())
            words = re.findall(r"https?://[^\s<>()]+", text.get_content())
            heads = re.findall(r"<(https?://[^>]+)>", str(mail["List-Unsubscribe"]))
            for link in (*map(unescape, hrefs), *words, *heads):
                if link.startswith(f"{self.url}/"):
                    found[link] = None
        return list(found)


@contextmanager
def harbour(folder: Path, store_url: str = "sqlite:///mailout.db") -> Iterator[Harbour]:
    """The site in `folder`, sent and served, until the block's end."""
    with ExitStack() as stack:
        door = Door()
        url = stack.enter_context(serving(door))
        _write_site(folder, url)
        catcher = stack.enter_context(Catcher())
        # What the person who runs the tests has set for their own site stays out.
        environment = {
            "MAILOUT_RELAY_URL": f"smtp+plain://127.0.0.1:{catcher.port}",
            "MAILOUT_STORE_URL": store_url,
            "MAILOUT_KEYS_FILE": str(folder / "keys.toml"),
        }
        with mock.patch.dict(os.environ, environment):
            _command(folder, "db", "upgrade")
            site = read_site(folder)
            store = open_store(site.store.url, folder)
            stack.callback(store.close)
            for language in LANGUAGES:
                join(store, site, f"{language}@example.org", language=language)
            _command(folder, "send", ISSUE, "--segment", "bulletin/readers", "--yes")
        caught = [_parsed(message.content) for message in catcher.messages]
        mails = [mail for mail in caught if mail["List-Unsubscribe"]]  # not the report
        assert len(mails) == len(LANGUAGES)
        served = Harbour(url, site, store, door, mails)
        served.open_doors()
        yield served


def _write_site(folder: Path, url: str) -> None:
    shutil.copytree(REPOSITORY / "tests" / "goldens" / "site", folder)
    config = folder / "config.toml"
    config.write_text(config.read_text("utf-8").replace("https://news.example.org", url), "utf-8")
    bulletin = folder / "lists" / "bulletin.toml"
    text = _JOINABLE + bulletin.read_text("utf-8") + _SEGMENTS
    bulletin.write_text(text, "utf-8")
    letters = text.replace("Harbour Bulletin", "Letters from the harbour")
    letters = letters.replace("bulletin.news.example.org", "letters.news.example.org")
    (folder / "lists" / "letters.toml").write_text(letters, "utf-8")
    keys.write_new(folder)


def _command(folder: Path, *words: str) -> None:
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        code = main(["--site", str(folder), *words])
    assert code == 0, said.getvalue()


def _parsed(content: bytes) -> EmailMessage:
    return email.message_from_bytes(content, EmailMessage, policy=email.policy.default)  # type: ignore[return-value]
