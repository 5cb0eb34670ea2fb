"""A real browser: Debian's Chromium, driven by Playwright, and windows of it that keep a log."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, Response, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
PHONE, DESKTOP = 390, 1280
_HEIGHT = {PHONE: 844, DESKTOP: 800}


def program() -> str | None:
    """Where the browser is; None if this machine has none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def launched(executable: str) -> Iterator[Browser]:
    """The browser, until the block's end.

    While it runs, this thread counts as one in which an event loop runs: no test may start
    another one meanwhile.
    """
    # The browser's own sandbox refuses the system's administrator.
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=as_root)
        yield browser
        browser.close()


@dataclass(frozen=True)
class Window:
    """A window without history or cookies, and what happened in it.

    `answers` are all responses, the page's own and those of its parts; `asked` are the
    addresses of all requests; `complaints` is what the console shows, with the address it is
    about: refusals by the Content-Security-Policy above all.
    """

    page: Page
    answers: list[Response] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def begin(self, language: str) -> None:
        """Nothing, once the log is empty and pages are asked for in the language."""
        for log in (self.answers, self.asked, self.complaints):
            log.clear()
        self.page.set_extra_http_headers({"Accept-Language": language})

    def look(self, width: int = PHONE, **media: Any) -> None:
        """Nothing, once the page is drawn that wide, in light colours unless `media` says else."""
        self.page.set_viewport_size({"width": width, "height": _HEIGHT.get(width, 800)})
        chosen = {"color_scheme": "light", "forced_colors": "none", "reduced_motion": "null"}
        self.page.emulate_media(**{**chosen, **media})


@contextmanager
def window(browser: Browser, *, scripts: bool = True, **options: Any) -> Iterator[Window]:
    """A new window, until the block's end; `options` are those of a Playwright context."""
    context = browser.new_context(java_script_enabled=scripts, **options)
    context.set_default_timeout(10_000)
    opened = Window(context.new_page())
    opened.page.on("request", lambda request: opened.asked.append(request.url))
    opened.page.on("response", lambda answer: opened.answers.append(answer))
    opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))

    def said(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            opened.complaints.append(f"{message.location.get('url', '')}: {message.text}")

    opened.page.on("console", said)
    opened.look()
    yield opened
    context.close()
