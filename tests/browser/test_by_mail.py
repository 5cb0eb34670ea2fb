"""A reader's way as it is: each link is taken out of a mail that came over SMTP."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from unittest import mock

import pytest
from chromium import window
from harbour_site import Harbour
from playwright.sync_api import Browser, Page

from mailout.core.subscription import SubscriptionState
from mailout.smtp.catcher import Catcher
from mailout.store import people


class Mailbox:
    """The mails of one address, as the relay has them."""

    def __init__(self, catcher: Catcher, address: str) -> None:
        self.catcher, self.address = catcher, address

    def newest(self) -> EmailMessage:
        caught = [one for one in self.catcher.messages if self.address in one.recipients]
        return message_from_bytes(caught[-1].content, policy=policy.default)  # type: ignore[return-value]

    def link(self, page: str) -> str:
        """The one address below `page` in the newest mail's text."""
        body = self.newest().get_body(("plain",))
        assert body is not None
        (found,) = set(re.findall(rf"https?://[^\s<>]+/{page}/[A-Za-z0-9_-]+", body.get_content()))
        return str(found)


@pytest.fixture
def relay(served: Harbour) -> Iterator[Catcher]:
    with (
        Catcher() as catcher,
        mock.patch.dict(
            os.environ,
            {
                "MAILOUT_RELAY_URL": f"smtp+plain://127.0.0.1:{catcher.port}",
                "MAILOUT_STORE_URL": served.site.store.url,
                "MAILOUT_KEYS_FILE": str(Path(served.site.root) / "keys.toml"),
            },
        ),
    ):
        yield catcher


def command(served: Harbour, *words: str) -> None:
    """What a person runs at their shell, while the pages are served. In a process of its own: the
    browser's driver has an event loop in this thread."""
    line = [sys.executable, "-m", "mailout", "--site", str(served.site.root), *words]
    said = subprocess.run(line, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr


def heading(page: Page) -> str:
    return page.text_content("h1") or ""


@pytest.mark.parametrize("language", ["en", "ar"])
def test_the_whole_way_by_mail(
    browser: Browser, served: Harbour, relay: Catcher, language: str
) -> None:
    served.open_doors()
    address = served.stranger()
    mailbox = Mailbox(relay, address)
    with window(browser, locale=language) as one:
        page = one.page
        page.goto(f"{served.url}/join/bulletin")
        page.fill("#address", address)
        page.select_option("#language", language)
        with page.expect_navigation():
            page.click("main button")
        assert state(served, address) is None

        command_letters(served)
        assert mailbox.newest()["Auto-Submitted"] == "auto-generated"
        assert "List-Unsubscribe" not in mailbox.newest()
        page.goto(mailbox.link("j"))
        assert page.locator("html").get_attribute("lang") == language
        assert address not in page.content()
        press(page)
        assert state(served, address) is SubscriptionState.ACTIVE

        command_letters(served)
        welcome = mailbox.newest()
        assert welcome["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        page.goto(mailbox.link("p"))
        press(page, "form[action*='/p/'] button")
        command_letters(served)
        page.goto(mailbox.link("s"))
        press(page)
        assert page.locator("[name='bulletin.on']").is_checked()
        page.check("[name='bulletin.segment'][value=journalists]")
        page.select_option("[name='bulletin.frequency']", "urgent")
        page.select_option("[name='bulletin.frequency']", "")
        press(page, "form[action*='/s/save'] button")
        assert page.locator("[role=status]").is_visible()

        command(served, "send", "bulletin", "--segment", "bulletin/journalists", "--yes")
        bulletin = mailbox.newest()
        assert bulletin.get_body(("html",)) is not None, "the issue has come"
        page.goto(mailbox.link("u"))
        assert state(served, address) is SubscriptionState.ACTIVE
        press(page)
        assert state(served, address) is SubscriptionState.UNSUBSCRIBED
        press(page)
        assert state(served, address) is SubscriptionState.ACTIVE
        assert page.locator("html").get_attribute("lang") == language
        # The header's link is the page's.
        assert mailbox.link("u") in str(bulletin["List-Unsubscribe"])


def press(page: Page, button: str = "main button") -> None:
    with page.expect_navigation():
        page.click(button)


def command_letters(served: Harbour) -> None:
    command(served, "letters", "send")


def state(served: Harbour, address: str) -> SubscriptionState | None:
    with served.store.reading() as tx:
        found = people.find(tx, served.key(address))
    return found.memberships[0].state if found else None
