"""Entry: what feeds of all kinds share when an entry of theirs becomes a post."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from datetime import date as Date
from datetime import datetime
from email.utils import parsedate_to_datetime
from html import escape
from urllib.parse import urljoin

from mailout.core.ingest import plaintext, words

ENDS_OPEN = re.compile(
    r"(?:\[?(?:…|\.\.\.|&hellip;|&#8230;)\]?|(?:continue reading|read more|weiterlesen|mehr lesen"
    r"|читать далее|читать дальше|толығырақ)[^<>]{0,80}?(?:→|»|&raquo;|&rarr;)?)"
    r"\s*(?:</?[a-z][^<>]*>\s*)*\Z",
    re.I,
)
"""What a text ends with of which only the opening is there."""

# How WordPress says it in the languages of its feeds: before the title, and in the text's place.
_PROTECTED = re.compile(r"(?:protected|geschützt|passwortgeschützt|защищено)\s?:\s+", re.I)
_PROTECTED_NOTE = re.compile(
    r"no excerpt because this is a protected post|content is password[- ]protected"
    r"|textauszug.{0,20}geschützter beitrag|inhalt ist passwortgeschützt"
    r"|отрывка нет.{0,10}запись защищена|содержимое защищено паролем",
    re.I,
)
_PASSWORD_FORM = re.compile(r"post-password-form|action=postpass\b", re.I)
_LONGEST_NOTE = 60  # words

_DEFAULT = frozenset({"uncategorized", "uncategorised", "без рубрики"})


def as_html(text: str) -> str:
    """Plain text as HTML."""
    return plaintext.html(plaintext.paragraphs(text))


def attachment(address: str, title: str = "") -> str:
    """A link to a file that came with a post, named by its title or its own name."""
    name = words.plain(title) or address.partition("?")[0].rstrip("/").rpartition("/")[2] or address
    return f'\n<p><a href="{escape(address)}">{escape(name)}</a></p>'


def entry_name(number: int, title: str) -> str:
    """How reports name it: `entry 3 "Strike vote"`."""
    short = title if len(title) <= 60 else title[:58] + ".."
    return f"entry {number}" + (f' "{short}"' if short else "")


def hashed(title: str, date: Date | None, html: str) -> str:
    """An id for what has none: the same as long as it says the same."""
    said = f"{title}\0{date or ''}\0{html}"
    return "sha256:" + hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:32]


def openings_warned(openings: Sequence[str], count: int) -> list[str]:
    """What to say of entries of which only the opening came: once if it is most of them."""
    if openings and len(openings) * 2 > count:
        return [
            f"feed: only openings are in it ({len(openings)} of {count} posts); import the site's"
            " export, or each page, for whole texts"
        ]
    return [f"{what}: only its opening seems to be here" for what in openings]


def joined(base: str, link: str) -> str:
    try:
        return urljoin(base, link)
    except ValueError:  # such as a bracket that opens no IPv6 address
        return link


class Ids:
    """The ids that a source has used so far: two posts never share one."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def unused(self, *candidates: str) -> str:
        """The first of these ids that is new, used from now on; empty if none is."""
        found = next((one for one in candidates if one and one not in self._used), "")
        self._used.add(found)
        return found


def named(names: Iterable[str]) -> tuple[str, ...]:
    """The names of categories as words, each once; without the one that says there is none."""
    found = (words.plain(name) for name in names)
    return tuple(dict.fromkeys(name for name in found if name and name.lower() not in _DEFAULT))


def protected(title: str, html: str) -> str | None:
    """The title of a post that WordPress shows only to those with its password; else None.

    Its feed has a prefix before the title, and one sentence or a form in place of the text.
    """
    if _PASSWORD_FORM.search(html):
        return _PROTECTED.sub("", title)
    text = words.plain(html[:20_000])
    if len(text.split()) > _LONGEST_NOTE:
        return None
    if _PROTECTED.match(title) or _PROTECTED_NOTE.search(text):
        return _PROTECTED.sub("", title)
    return None


def language_of(code: str, feed_language: str, html: str) -> tuple[str, str]:
    """An entry's language by its own `code` or else its feed's, and a warning or nothing."""
    own, note = words.site_language(code)
    language = own or feed_language
    if words.fits(language, words.plain(html[:5000])):
        return language, note
    return "", f"said to be in `{language}`, its letters are not: no language"


def own_day(written: str) -> Date | None:
    """The day of a time as it was written (RFC 3339, RFC 5322), in the zone that stands there."""
    written = written.strip()
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            return parse(written).date()
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None


def scoped(own_id: str, link: str, home: str) -> str:
    """An entry's id, told apart from those of other feeds: a bare number (`101`) without a link is
    of the feed's home; an address or a `tag:` is its own."""
    if not own_id or link or ":" in own_id or not home:
        return own_id
    return f"{home} {own_id}"
