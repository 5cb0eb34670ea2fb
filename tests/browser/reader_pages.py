"""Every page that a reader may meet, and how to get there: what the tests and the gallery walk.

A new page is one more line of `PAGES`; looks, accessibility and requests are then tested.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import httpx
from chromium import Window
from harbour_site import ISSUE, Harbour
from playwright.sync_api import Page

from newcomers import TRUSTING_NOBODY, Newcomer


@dataclass(frozen=True)
class Visit:
    """A reader of a language in front of a window."""

    harbour: Harbour
    window: Window
    language: str

    @property
    def page(self) -> Page:
        return self.window.page

    def newcomer(self) -> Newcomer:
        return self.harbour.newcomer(self.language)

    def open(self, path: str) -> None:
        self.page.goto(f"{self.harbour.url}{path}")

    def press(self, button: str = "main button") -> None:
        """Nothing, once the page that the button leads to is there."""
        with self.page.expect_navigation():
            self.page.click(button)

    def allow_all(self) -> None:
        """Nothing, once the browser sends forms that it knows to be wrong."""
        self.page.evaluate("() => { for (const one of document.forms) one.noValidate = true; }")


@dataclass(frozen=True)
class ReaderPage:
    """A page, how a visit reaches it, and with which status it is answered.

    A page of the archive in all languages is looked at once: `per_language` is false.
    """

    name: str
    reach: Callable[[Visit], object]
    status: int = 200
    per_language: bool = True


def _home(visit: Visit) -> None:
    visit.open(f"/?lang={visit.language}")


def _neutral(visit: Visit) -> None:
    visit.open(f"/u/wrong?lang={visit.language}")


# --- leaving ------------------------------------------------------------------------------


def _leave(visit: Visit) -> None:
    visit.open(f"/u/{visit.newcomer().token}")


def _left(visit: Visit) -> None:
    _leave(visit)
    visit.press()


def _undone(visit: Visit) -> None:
    _left(visit)
    visit.press()


def _thanks(visit: Visit) -> None:
    _left(visit)
    visit.page.check("[name=reason][value='too many']")
    visit.press("form[action*='/u/reason'] button")


# --- joining ------------------------------------------------------------------------------


def _join(visit: Visit) -> None:
    visit.open("/join/bulletin")


def _join_wrong(visit: Visit) -> None:
    _join(visit)
    visit.allow_all()
    visit.page.fill("#address", "anna at example.org")
    visit.press()


def _asked(visit: Visit) -> str:
    """The address that has asked."""
    address = visit.harbour.stranger()
    _join(visit)
    visit.page.fill("#address", address)
    visit.press()
    return address


def _step(visit: Visit) -> None:
    _join(visit)
    visit.page.fill("#address", visit.harbour.stranger())
    # As a form on another site has none.
    visit.page.evaluate("() => { document.querySelector('[name=form]').value = ''; }")
    visit.press()


def _full(visit: Visit) -> None:
    visit.harbour.open_doors(sign_ups_per_hour=1)
    _asked(visit)
    _asked(visit)
    visit.harbour.open_doors()


def _confirm(visit: Visit) -> None:
    visit.open(f"/j/{visit.harbour.letter(_asked(visit))}")


def _joined(visit: Visit) -> None:
    _confirm(visit)
    visit.press()


# --- settings -----------------------------------------------------------------------------


def _preferences(visit: Visit) -> Newcomer:
    reader = visit.newcomer()
    visit.open(f"/p/{reader.token}")
    return reader


def _mailed(visit: Visit) -> Newcomer:
    reader = _preferences(visit)
    visit.press("form[action*='/p/'] button")
    return reader


def _find(visit: Visit) -> None:
    visit.open("/settings")


def _find_wrong(visit: Visit) -> None:
    _find(visit)
    visit.allow_all()
    visit.page.fill("#address", "anna at example.org")
    visit.press()


def _link(visit: Visit) -> None:
    reader = visit.newcomer()
    # As the button of `_mailed` does, in less time.
    asked = httpx.post(f"{visit.harbour.url}/p/{reader.token}", verify=TRUSTING_NOBODY)
    asked.raise_for_status()
    visit.open(f"/s/{visit.harbour.letter(reader.address)}")


def _settings(visit: Visit) -> None:
    _link(visit)
    visit.press()


def _saved(visit: Visit) -> None:
    _settings(visit)
    visit.page.check("[name='bulletin.segment'][value=unions]")
    visit.press("form[action*='/s/save'] button")


def _settings_wrong(visit: Visit) -> None:
    _settings(visit)
    visit.allow_all()
    visit.page.check("[name=paused]")
    visit.page.fill("#until", "2001-01-31")
    visit.press("form[action*='/s/save'] button")


def _asked_new(visit: Visit) -> str:
    """The address to change to."""
    address = visit.harbour.stranger()
    _settings(visit)
    visit.page.fill("#address", address)
    visit.press("form[action*='/s/address'] button")
    return address


def _address(visit: Visit) -> None:
    visit.open(f"/a/{visit.harbour.letter(_asked_new(visit))}")


def _moved(visit: Visit) -> None:
    _address(visit)
    visit.press()


def _data(visit: Visit) -> None:
    _settings(visit)
    visit.press("form[action*='/s/data'] button")


def _erase_unsure(visit: Visit) -> None:
    _settings(visit)
    visit.allow_all()
    visit.press("form[action*='/s/erase'] button")


def _erased(visit: Visit) -> None:
    _settings(visit)
    visit.page.check("[name=sure]")
    visit.press("form[action*='/s/erase'] button")


# --- what was mailed ----------------------------------------------------------------------


def _archive(path: str) -> Callable[[Visit], None]:
    return lambda visit: visit.open(f"/archive/{path.format(visit.language)}")


PAGES = [
    ReaderPage("home", _home),
    ReaderPage("neutral", _neutral, status=404),
    ReaderPage("leave", _leave),
    ReaderPage("left", _left),
    ReaderPage("undone", _undone),
    ReaderPage("thanks", _thanks),
    ReaderPage("join", _join),
    ReaderPage("join-wrong", _join_wrong, status=422),
    ReaderPage("asked", _asked),
    ReaderPage("step", _step),
    ReaderPage("full", _full, status=429),
    ReaderPage("confirm", _confirm),
    ReaderPage("joined", _joined),
    ReaderPage("preferences", _preferences),
    ReaderPage("mailed", _mailed),
    ReaderPage("find", _find),
    ReaderPage("find-wrong", _find_wrong, status=422),
    ReaderPage("link", _link),
    ReaderPage("settings", _settings),
    ReaderPage("saved", _saved),
    ReaderPage("settings-wrong", _settings_wrong, status=422),
    ReaderPage("asked-new", _asked_new),
    ReaderPage("address", _address),
    ReaderPage("moved", _moved),
    ReaderPage("data", _data),
    ReaderPage("erase-unsure", _erase_unsure, status=422),
    ReaderPage("erased", _erased),
    ReaderPage("archive-start", _archive(""), per_language=False),
    ReaderPage("archive-issues", _archive("{}/")),
    ReaderPage("archive-issue", _archive(f"{{}}/issues/{ISSUE}.html")),
    ReaderPage("archive-post", _archive("{}/posts/2026-11-26-custody.html")),
    ReaderPage("archive-act", _archive("act/2026-11-26-custody.html"), per_language=False),
]
