"""The mails of the goldens in a real browser: axe-core finds no fault, and nothing is too wide.

Standards: WCAG 2.2 AA.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from chromium import PHONE, Window, window
from mail_gallery import WIDTHS
from playwright.sync_api import Browser
from test_every_page import FAULTS, TOO_WIDE

from mailout.core.markup import to_html
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


LONG = """\
<https://archive.example.net/2026/11/24/reports/a-very-long-path-of-a-report/about-the-wages_of_dockers_in_five_ports.html?edition=second>

| Порт | Ответов | Зарплата | Задержки |
|---|---:|---:|---|
| Истпорт | 412 | 1940 € | часто |

| Gewerkschaftsvorsitzende | Hafenarbeiterversammlung | Streikkassenverwaltung |
|---|---|---|
| Streikpostenkette | Containerumschlagbetrieb | Lohnfortzahlungsgesetz |

`a_name_in_code_that_is_as_long_as_a_line_of_a_telephone_or_longer`
"""


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


@pytest.mark.parametrize("with_style", [True, False], ids=["with style", "without style"])
@pytest.mark.parametrize(
    "mail", ["bulletin/en", "bulletin/ar", "letter/en", "bulletin/en.low-data"]
)
def test_long_addresses_and_tables_fit_a_telephone(
    one: Window, mail: str, with_style: bool
) -> None:
    html = (GOLDENS / f"{mail}.html").read_text(encoding="utf-8")
    at = (
        html.index("<p>")
        if "low-data" in mail
        else re.search(r'class="[^"]* post [^>]*>', html).end()
    )  # type: ignore[union-attr]
    html = html[:at] + to_html(LONG) + html[at:]
    if not with_style:
        html = re.sub(r"(?s)<style\b.*?</style>", "", html)
    one.page.set_content(html)
    one.look(PHONE)
    assert one.page.evaluate("document.documentElement.scrollWidth") == PHONE


def test_a_table_of_short_words_keeps_them_whole() -> None:
    tables = re.findall(r"<table[^>]*>", to_html(LONG))
    assert tables == ['<table class="narrow">', "<table>"]
