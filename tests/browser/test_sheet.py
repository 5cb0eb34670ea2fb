"""The sheet of paper to sign up on, as a printer gets it."""

from __future__ import annotations

import re

import pytest
from chromium import window
from harbour_site import LANGUAGES
from playwright.sync_api import Browser

from mailout import catalogue
from mailout.config.templates import read_templates
from mailout.core import language as languages
from mailout.core.render import Templates
from mailout.core.site import Site

LONG = "Hafenarbeiterinnensolidaritätsnachrichtenrundbriefabonnementsverwaltung"
WORDING = f"I want to get {LONG}."
PAPER = 688
"""CSS pixels between the margins of A4."""


def sheet(site: Site, code: str, rows: int) -> str:
    return Templates(read_templates(site.root), catalogue.words(code)).render(
        "pages/sheet.html.j2",
        {
            "language": code,
            "dir": languages.direction(code),
            "site": {"name": LONG},
            "list": {"name": LONG, "description": LONG, "contact": "us@news.example.org"},
            "wording": WORDING,
            "code": "7KXF-2M9Q",
            "rows": rows,
        },
    )


@pytest.mark.parametrize("code", LANGUAGES)
def test_it_fits_on_one_sheet_of_paper(browser: Browser, site: Site, code: str) -> None:
    with window(browser) as one:
        page = one.page
        page.set_viewport_size({"width": PAPER, "height": 1000})
        page.emulate_media(media="print")
        page.set_content(sheet(site, code, 14))
        assert page.evaluate("document.documentElement.scrollWidth") == PAPER
        widths = page.evaluate(
            "[...document.querySelector('tbody tr').cells].map(it => it.clientWidth)"
        )
        assert widths[1] == max(widths) > PAPER * 0.4, "an address is the longest thing to write"
        start = "right" if code == "ar" else "left"
        edges = page.evaluate(
            f"[...document.querySelectorAll('h1, tbody td:first-child')].map(it => it.getBoundingClientRect().{start})"
        )
        assert max(edges) - min(edges) <= 1
        assert _pages(page.pdf(prefer_css_page_size=True)) == 1


def test_no_line_stands_without_the_words_and_the_code(browser: Browser, site: Site) -> None:
    """Heads and feet of a table are printed on each of its pages."""
    with window(browser) as one:
        one.page.set_content(sheet(site, "en", 40))
        assert WORDING in (one.page.text_content("thead") or "")
        assert "7KXF-2M9Q" in (one.page.text_content("tfoot") or "")
        assert _pages(one.page.pdf(prefer_css_page_size=True)) > 1


def _pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", pdf))
