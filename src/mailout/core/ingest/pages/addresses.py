"""Mail addresses that a page hides from robots, put together again.

| hidden as | read |
|---|---|
| Cloudflare's `data-cfemail`, `/cdn-cgi/l/email-protection#` | each byte xor the first |
| `us [at] example [dot] org` | the words as signs |
| a script that writes an address in pieces | the pieces, joined |
| anything else in a script | lost, with a warning |
"""

from __future__ import annotations

import re
from html import escape, unescape

_ADDRESS = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]+\.)+[A-Za-z]{2,}", re.A)
_CLOUDFLARE = re.compile(
    r"<(a|span)\b[^<>]{0,500}?\bdata-cfemail=[\"']([0-9a-fA-F]+)[\"'][^<>]{0,500}>.{0,500}?</\1>",
    re.S | re.I,
)
_CLOUDFLARE_LINK = re.compile(
    r"(?<=[\"'])[^\"'<>\s]{0,300}/cdn-cgi/l/email-protection#([0-9a-fA-F]+)"
)
_SPELT = re.compile(
    r"(?<![\w.+-])(?P<name>[\w.+-]{1,64})\s{0,3}[\[({]\s{0,3}(?:at|ät|a|собака|арроба)\s{0,3}[\])}]\s{0,3}"
    r"(?P<host>[\w-]{1,63}(?:\s{0,3}(?:[\[({]\s{0,3}(?:dot|punkt|точка|\.)\s{0,3}[\])}]|\.)\s{0,3}"
    r"[\w-]{2,63}){1,6})",
    re.I,
)
_DOT = re.compile(r"\s*[\[({]\s*(?:dot|punkt|точка|\.)\s*[\])}]\s*", re.I)
_SCRIPT = re.compile(r"<script\b([^>]{0,500})>(.*?)(?:</script\s*>|\Z)", re.S | re.I)
_WRITES = re.compile(r"document\.write|innerHTML|insertAdjacent|mailto|\.href\s*=", re.I)
_LITERAL = re.compile(r"\"((?:[^\"\\\n]|\\.)*)\"|'((?:[^'\\\n]|\\.)*)'")
_HEX = re.compile(r"\\x([0-9a-fA-F]{2})|%([0-9a-fA-F]{2})|\\u00([0-9a-fA-F]{2})")
_PROTECTED = re.compile(r"protected from spam|geschützt vor spam|защищ[её]н от спам", re.I)


def revealed(html: str, warnings: list[str]) -> str:
    """The page with its hidden addresses in the open; one that is lost is told in `warnings`."""
    html = _CLOUDFLARE.sub(_cloudflare, html)
    html = _CLOUDFLARE_LINK.sub(lambda found: f"mailto:{_unmixed(found[1])}", html)
    lost = 0

    def scripted(found: re.Match[str]) -> str:
        nonlocal lost
        if "json" in found[1].lower():
            return found[0]
        shown = _written(found[2])
        lost += shown is None
        return found[0] if not shown else _link(shown)

    html = _SPELT.sub(_spelt, _SCRIPT.sub(scripted, html))
    lost += len(_PROTECTED.findall(html))
    if lost:
        warnings.append(f"{lost} mail address{'es' if lost > 1 else ''} hidden by a script: lost")
    return html


def _cloudflare(found: re.Match[str]) -> str:
    address = _unmixed(found[2])
    if found[1].lower() == "span":
        return escape(address)  # a link may stand around it
    return _link(address) if address else found[0]


def _unmixed(code: str) -> str:
    raw = bytes.fromhex(code[: len(code) // 2 * 2])
    return bytes(byte ^ raw[0] for byte in raw[1:]).decode("utf-8", "replace") if raw else ""


def _spelt(found: re.Match[str]) -> str:
    host = _DOT.sub(".", found["host"]).replace(" ", "")
    return f"{found['name']}@{host}" if "." in host else found[0]


def _written(script: str) -> str | None:
    """The address that a script writes; empty if it writes none, None if it cannot be told."""
    if not _WRITES.search(script):
        return ""
    pieces = ["".join(found) for found in _LITERAL.findall(script)]
    joined = unescape(_HEX.sub(lambda hexa: chr(int("".join(filter(None, hexa.groups())), 16)),
                               "".join(pieces)))  # fmt: skip
    address = _ADDRESS.search(joined.replace("mailto:", " "))
    if address:
        return address[0]
    return None if "mailto" in joined.lower() or "@" in joined else ""


def _link(address: str) -> str:
    return f'<a href="mailto:{escape(address)}">{escape(address)}</a>'
