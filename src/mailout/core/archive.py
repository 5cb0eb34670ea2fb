"""The archive's addresses: which page has which path, and how pages link to each other.

| path | is |
|---|---|
| `index.html` | the choice of languages |
| `LANG/index.html`, `LANG/feed.atom` | the issues of a language, and its feed |
| `LANG/issues/NAME.html`, `LANG/posts/KEY.html` | an issue, a post |
| `LANG/events/KEY.ics` | what a post announces, for a calendar |
| `act/KEY.html` | what a post asks its readers to do, in every language |
| `pictures/NAME` | a picture of a post, called by the hash of its file |
| `style.css`, `SHA256SUMS` | the looks of all pages; checksums of all files |

Mails link to these pages for as long as they exist, so a path never changes its meaning. Links
between the pages are relative: a copy works in any folder, on a stick too.

Standards: RFC 3986 (addresses), RFC 3987 3.1 (other scripts in them), CSP Level 3.
"""

from __future__ import annotations

import hashlib
import unicodedata
from urllib.parse import quote

POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'"
"""What a page of the archive may load: its own style and pictures. It stands in the page itself,
too, for copies that others serve."""

HEADER_POLICY = f"{POLICY}; frame-ancestors 'none'"  # which has no effect inside a page

FOLDER = "build/archive"
"""Where the archive is built, below the site's folder."""

START = "index.html"
STYLE = "style.css"
SUMS = "SHA256SUMS"
PICTURES = "pictures/"

_LONGEST = 60  # characters of a file name that is not simply the key; 4 bytes each fit any disk
_LONGEST_KEY = 180  # bytes


def file_name(key: str) -> str:
    """A post's key as a file's name without its ending, the same on every system.

    Letters of all scripts are kept. A key with anything else in it (a slash, a blank) gets a
    few digits of its hash, so that two keys never share a page.
    """
    key = unicodedata.normalize("NFC", key)
    name = "".join(char if _is_plain(char) else "-" for char in key).lstrip(".-")
    if name == key and name and len(name.encode()) <= _LONGEST_KEY:
        return name
    digits = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{name[:_LONGEST]}-{digits}".lstrip("-")


def _is_plain(char: str) -> bool:
    """Whether it is a letter, mark or number of any script, or one of `-_.`."""
    return char in "-_." or unicodedata.category(char)[0] in "LMN"


def index_path(language: str) -> str:
    return f"{language}/{START}"


def feed_path(language: str) -> str:
    return f"{language}/feed.atom"


def issue_path(language: str, name: str) -> str:
    return f"{language}/issues/{file_name(name)}.html"


def post_path(language: str, key: str) -> str:
    return f"{language}/posts/{file_name(key)}.html"


def event_path(language: str, key: str) -> str:
    return f"{language}/events/{file_name(key)}.ics"


def act_path(key: str) -> str:
    return f"act/{file_name(key)}.html"


def picture_path(name: str) -> str:
    return f"{PICTURES}{name}"


def url(base: str, path: str) -> str:
    """The address of a path below `base` (`Site.archive_url`); empty if there is no archive."""
    return f"{base}/{quote(path)}" if base else ""


def issue_url(base: str, language: str, name: str) -> str:
    """The address of an issue in a language; empty if `base` is."""
    return url(base, issue_path(language, name))


def post_url(base: str, language: str, key: str) -> str:
    """The address of a post in a language; empty if `base` is."""
    return url(base, post_path(language, key))


def event_url(base: str, language: str, key: str) -> str:
    """The address of what a post announces, for a calendar; empty if `base` is."""
    return url(base, event_path(language, key))


def picture_url(base: str, name: str) -> str:
    """The address of a picture; empty if `base` is."""
    return url(base, picture_path(name))


def act_url(base: str, key: str) -> str:
    """The address of what a post asks its readers to do, in every language; empty if `base` is."""
    return url(base, act_path(key))


def link(page: str, target: str) -> str:
    """The relative link from one path of the archive to another."""
    return "../" * page.count("/") + quote(target)
