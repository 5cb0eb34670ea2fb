"""The mails of the goldens in a real browser: axe-core finds no fault, and nothing is too wide.

Standards: WCAG 2.2 AA.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from chromium import PHONE, Window, window
from mail_gallery import WIDTHS
from playwright.sync_api import Browser
from test_every_page import FAULTS, TOO_WIDE

from places import REPOSITORY

GOLDENS = REPOSITORY / "tests" / "goldens"
MAILS = (
    *(f"{issue}/{code}" for issue in ("bulletin", "appeal", "release", "letter") for code in ("en", "ar")),
    "bulletin/kk",
    "bulletin/ru.low-data",
)  # fmt: skip
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    "resultTypes": ["violations"],
}


@pytest.fixture(scope="module")
def one(browser: Browser) -> Iterator[Window]:
    with window(browser) as opened:
        yield opened


@pytest.mark.parametrize("mail", MAILS)
def test_a_mail_is_for_everybody(one: Window, mail: str) -> None:
    one.page.set_content((GOLDENS / f"{mail}.html").read_text(encoding="utf-8"))
    one.page.evaluate(AXE_SCRIPT)
    for width in WIDTHS.values():
        one.look(width)
        assert one.page.evaluate(TOO_WIDE) == []
    # Where a mail sets no ground, as the low-data edition, axe takes the browser's dark one for white.
    for scheme in ("light",) if "low-data" in mail else ("light", "dark"):
        one.look(PHONE, color_scheme=scheme)
        assert one.page.evaluate(FAULTS, RULES) == [], scheme
