"""Draws the mails of docs/gallery/: those of tests/goldens, as one reader gets them.

The file's name tells what it is: issue, language, width, colours, and what differs from the
usual. Each is cut at the foot where the mail is long.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from chromium import Window

from mailout.catalogue import greeting
from mailout.config import keys
from mailout.config.site import read_site
from mailout.config.templates import read_templates
from mailout.core.edition import Edition
from mailout.core.issue import Variant
from mailout.core.site import Site
from mailout.core.slot import Slot
from mailout.publish import sources
from mailout.publish.compile import compile_issue
from places import REPOSITORY

FOLDER = REPOSITORY / "docs" / "gallery"
MAILS = (
    "bulletin-en-phone-light",
    "bulletin-en-phone-dark",
    "bulletin-en-desktop-light",
    "bulletin-ru-desktop-light-without-style",
    "bulletin-kk-phone-light",
    "bulletin-ar-phone-light",
    "bulletin-de-phone-light-low-data",
    "appeal-en-phone-light",
    "appeal-ar-phone-light",
    "appeal-ru-desktop-dark",
    "release-de-desktop-light",
    "release-kk-phone-dark",
    "release-ar-phone-light",
    "letter-en-desktop-light",
    "letter-ru-phone-dark",
    "letter-ar-phone-light",
)
WIDTHS = {"phone": 390, "desktop": 800}
LONGEST = 1700
"""CSS pixels of height."""
_NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
_NAMES = {"en": "Anna", "ru": "Анна", "kk": "Айгүл", "de": "Anna", "ar": "ليلى"}
_STYLE = re.compile(r"<style\b.*?</style>", re.DOTALL)


def draw(scratch: Path, one: Window) -> dict[Path, bytes]:
    """Each picture as a PNG of all colours, by the path where it belongs."""
    root = scratch / "goldens"
    shutil.copytree(REPOSITORY / "tests" / "goldens" / "site", root)
    keys.write_new(root)
    site = read_site(root)
    issues = {name.split("-")[0] for name in MAILS}
    variants = {issue: _variants(site, issue) for issue in sorted(issues)}
    return {FOLDER / f"{name}.png": _photograph(one, variants, name) for name in MAILS}


def _photograph(one: Window, variants: Mapping[str, Sequence[Variant]], name: str) -> bytes:
    issue, language, width, scheme, *rest = name.split("-", 4)
    low_data = rest == ["low-data"]
    html = _as_read(
        next(
            one
            for one in variants[issue]
            if one.language == language and (one.edition == Edition.LOW_DATA) == low_data
        )
    )
    one.look(WIDTHS[width], color_scheme=scheme)
    one.page.set_content(_STYLE.sub("", html) if rest == ["without-style"] else html)
    height = one.page.evaluate("document.documentElement.scrollHeight")
    clip = {"x": 0, "y": 0, "width": WIDTHS[width], "height": min(height, LONGEST)}
    return one.page.screenshot(full_page=True, clip=clip, animations="disabled")


def _variants(site: Site, issue: str) -> Sequence[Variant]:
    return compile_issue(
        site,
        site.lists["bulletin"],
        sources.read_issue(site.root, issue, "en"),
        sources.read_posts(site.root, "en"),
        read_templates(REPOSITORY),
        _NOW,
        [Edition.LOW_DATA] if issue == "bulletin" else (),
    ).variants


def _as_read(variant: Variant) -> str:
    """The HTML of a reader whose name is known, and whose country is not."""
    hello = escape(greeting(_NAMES[variant.language], variant.language))
    html = variant.in_country("").html.replace(Slot.GREETING.mark, hello)
    return html.replace(Slot.TOKEN.mark, "A" * 22)
