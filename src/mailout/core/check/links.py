"""Rules about where links and pictures lead, and what they are called: B07-B12.

Standards: RFC 3986 (URLs), UTS #39 (mixed scripts), WCAG 2.2 (1.4.1, 2.4.4).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from mailout.core import css
from mailout.core.check.letter import Letter
from mailout.core.check.rule import Fault, Severity, rule

_SHORTENERS_TEXT = """
    bit.ly t.co tinyurl.com goo.gl is.gd vk.cc clck.ru ow.ly buff.ly rebrand.ly cutt.ly t.ly
    shorturl.at lnkd.in rb.gy tiny.cc u.to kurzelinks.de"""
_SHORTENERS = frozenset(_SHORTENERS_TEXT.split())
_FONTS = ("fonts.googleapis.com", "fonts.gstatic.com", "use.typekit.net", "fonts.bunny.net")
_UNRENDERED = re.compile(r"\{\{|\{%|%7B%7B|zqslot", re.I)
_STYLE = re.compile(r"<style\b.*?</style>", re.I | re.S)
_LOOKS_LIKE_URL = re.compile(r"^\s*(?:https?://|www\.)?([\w-]+(?:\.[\w-]+)+)(?:[/?#]\S*)?\s*$")
_EMPTY_WORDS_TEXT = """
    here click read more this link hier klicken mehr weiterlesen здесь тут сюда ссылка подробнее
    осында мұнда толығырақ هنا اضغط المزيد"""
_EMPTY_WORDS = frozenset(_EMPTY_WORDS_TEXT.split())
_APPS = frozenset({"mailto", "tel", "sms", "tg", "geo", "xmpp"})
# Endings that words with a dot in them hardly have: what ends so is meant as an address.
_ENDINGS_TEXT = """
    org com net info eu int de at ch fr it es pl nl be se no fi dk cz uk ie us ca au ru ua kz by kg
    uz tj ge am az tr gr ro hu bg rs br mx ar za in cn jp kr"""
_ENDINGS = frozenset(_ENDINGS_TEXT.split())
# Endings under which everybody may register: the name is one label longer there.
_TWO_PART_TEXT = """
    co.uk org.uk ac.uk gov.uk com.au org.au net.au com.tr org.tr com.br org.br com.ua org.ua
    org.kz com.kz co.za org.za co.nz org.nz com.cn org.cn co.jp or.jp com.mx org.mx"""
_TWO_PART = frozenset(_TWO_PART_TEXT.split())


@rule("B07", Severity.WARN, "nothing that tells who has opened the mail")
def trackers(letter: Letter) -> Iterator[Fault]:
    expected = letter.expected
    for picture in letter.tree.iter("img"):
        size = {picture.get("width"), picture.get("height")}
        style = (picture.get("style") or "").replace(" ", "").lower()
        if size & {"0", "1"} or "display:none" in style:
            yield Fault(f"a picture nobody sees: {picture.get('src')}", "Take it out.")
        if expected.token in (picture.get("src") or ""):
            yield Fault("a picture whose address tells the reader", severity=Severity.REFUSE)
    own = (expected.leave_url, expected.preferences_url)
    for link in _targets(letter):
        if expected.token in link and not link.startswith(own):
            yield Fault(f"a link of this reader's own: {link}", severity=Severity.REFUSE)
        if expected.recipient.lower() in link.lower() and not link.startswith("mailto:"):
            yield Fault("a link holds the reader's address", severity=Severity.REFUSE)


@rule("B08", Severity.REFUSE, "fonts, styles and pictures come from nowhere else")
def remote(letter: Letter) -> Iterator[Fault]:
    expected = letter.expected
    for host in _FONTS:
        if host in letter.html:
            yield Fault(f"a font from {host}: it learns who reads", "Name fonts people have.")
    styles = [*css.blocks(letter.html), *letter.tree.xpath("//@style")]
    for address in css.addresses("\n".join(styles)):
        if "://" in address or address.startswith("//"):
            yield Fault(f"a style fetches {address}", clue=address)
    for picture in letter.tree.iter("img"):
        host = urlsplit(picture.get("src") or "").hostname or ""
        if host and host != expected.host and not host.endswith(f".{expected.sender_domain}"):
            yield Fault(
                f"a picture from {host}, which learns who reads",
                "Put it on your own site.",
                picture.get("src") or "",
                Severity.WARN,
            )


@rule("B09", Severity.REFUSE, "links are whole, and lead to the web", eased=True)
def whole(letter: Letter) -> Iterator[Fault]:
    if match := _UNRENDERED.search(_STYLE.sub("", letter.html) + letter.text):
        yield Fault(f"`{match[0]}` was not filled in", clue=match[0], severity=Severity.REFUSE)
    for link in _targets(letter):
        parts = _split(link)
        host = (parts.hostname or "") if parts else ""
        if parts is None or not link.strip() or link.strip() == "#":
            yield Fault(f"a link that leads nowhere: `{link}`", clue=link)
        elif parts.scheme in _APPS:
            continue
        elif parts.scheme not in ("http", "https") or not host:
            yield Fault(f"a link that is not whole: {link}", "Write it with https://.", link)
        elif parts.username or parts.password:
            yield Fault(f"a link holds a password: {link}", clue=link)
        elif host == "localhost" or "." not in host or host.startswith("127."):
            yield Fault(
                f"links lead to {host}, which is on this machine only",
                "Set `url` in [site].",
                link,
            )


@rule("B10", Severity.REFUSE, "a link that shows an address leads there")
def look_alikes(letter: Letter) -> Iterator[Fault]:
    for anchor in letter.tree.iter("a"):
        shown = _LOOKS_LIKE_URL.match(anchor.text_content() or "")
        parts = _split(anchor.get("href") or "")
        if shown is None or parts is None or parts.scheme not in ("http", "https"):
            continue
        begins = (anchor.text_content() or "").strip().lower()
        if not begins.startswith(("http", "www.")) and shown[1].rpartition(".")[2] not in _ENDINGS:
            continue  # `report.pdf`, `Node.js`, `3.5`: a name, not an address
        if registrable(shown[1]) != registrable(parts.hostname or ""):
            yield Fault(
                f"a link shows {shown[1]} and leads to {parts.hostname}, as phishing does",
                "Show words, or the address itself.",
                anchor.get("href") or "",
            )


@rule("B11", Severity.WARN, "links say where they lead: no shorteners, no http")
def honest(letter: Letter) -> Iterator[Fault]:
    for link in _targets(letter):
        parts = _split(link)
        host = (parts.hostname or "").lower() if parts else ""
        if parts is None or parts.scheme not in ("http", "https") or not host:
            continue
        if host.removeprefix("www.") in _SHORTENERS:
            yield Fault(f"a link through a shortener: {link}", "Give the address itself.", link)
        elif _is_number(host) and not letter.expected.is_loopback:
            yield Fault(f"a link to a number: {link}", clue=link)
        elif _is_mixed(host):
            yield Fault(f"a host of letters from two scripts: {link}", clue=link)
        elif parts.scheme == "http" and not letter.expected.is_loopback:
            yield Fault(f"a link without encryption: {link}", "Try it with https://.", link)


@rule("B12", Severity.WARN, "the words of a link say what is there")
def names(letter: Letter) -> Iterator[Fault]:
    before = ""
    for anchor in letter.tree.iter("a"):
        link, shown = anchor.get("href") or "", (anchor.text_content() or "").strip()
        if not shown and not anchor.findall(".//img"):
            yield Fault(f"a link without words: {link}", clue=link)
        words = re.findall(r"\w+", shown.lower())
        if words and all(word in _EMPTY_WORDS for word in words):
            yield Fault(f"a link is called `{shown}`: {link}", "Say what is there.", link)
        if link and link == before and (anchor.getprevious() is not None):
            tail = (anchor.getprevious().tail or "").strip()
            if anchor.getprevious().tag == "a" and not tail:
                yield Fault(f"two links to {link} in a row", "Make them one.", link)
        before = link


def _targets(letter: Letter) -> list[str]:
    return [anchor.get("href") or "" for anchor in letter.tree.iter("a", "area")]


def _split(link: str) -> Any:
    try:
        return urlsplit(link.strip())
    except ValueError:
        return None


def registrable(host: str) -> str:
    """The part of a host that somebody registered, by a short list of endings."""
    with suppress(UnicodeError):  # else as it stands
        host = host.encode("idna").decode()
    labels = host.lower().removeprefix("www.").split(".")
    longer = 3 if ".".join(labels[-2:]) in _TWO_PART else 2
    return ".".join(labels[-longer:])


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_mixed(host: str) -> bool:
    """Whether a label has letters of more than one script (UTS #39, restricted to scripts)."""
    if "xn--" in host:
        try:
            host = host.encode().decode("idna")
        except UnicodeError:
            return True
    for label in host.split("."):
        scripts = {unicodedata.name(c, "?").split(" ")[0] for c in label if c.isalpha()}
        if len(scripts) > 1:
            return True
    return False
