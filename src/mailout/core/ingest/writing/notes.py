"""Notes of one conversion: where links belong, what was left out, what has to be said."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

_SCHEMES = frozenset(["http", "https", "mailto", "tel", "sms", "xmpp", "ftp"])
_BEGUN = re.compile(r"[a-zA-Z][a-zA-Z0-9\s+.-]*:")
_LONGEST = 60


@dataclass(slots=True)
class Notes:
    """What the writers of blocks and spans share.

    `warnings` keeps their order, each once. `left_out` are texts that were left out with a warning,
    or that need none. `more` says that a `<!--more-->` waits for the end of the block it stands in,
    `opened` that one is written.
    """

    base_url: str
    warnings: dict[str, None] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    more: bool = False
    opened: bool = False

    def warn(self, line: str) -> None:
        self.warnings[line] = None

    def leave_out(self, element: Any, what: str = "") -> None:
        """Nothing; the element's words will not be missed, and are named if `what` is given."""
        text = " ".join(str(word) for word in element.itertext())
        self.left_out.append(text)
        if what:
            shown = shortened(text)
            self.warn(f"{what} is left out: {shown}" if shown else f"{what} is left out")

    def target(self, address: str, words: str) -> str:
        """Where a link or picture leads, whole and fit for Markdown; empty if nowhere."""
        address = re.sub(r"[\t\n\r]", "", address).strip()
        if begun := _BEGUN.match(address):  # `java script:` hides behind white space
            address = re.sub(r"\s", "", begun[0]) + address[begun.end() :]
        if not address or address.startswith("#"):
            return ""
        try:
            whole = urljoin(self.base_url, address) if self.base_url else address
            scheme = urlsplit(whole).scheme.lower()
        except ValueError:
            self.warn(f"a broken address is left out: {shortened(address)}")
            return ""
        if scheme and scheme not in _SCHEMES:
            self.warn(f"a `{scheme}:` address is left out: {shortened(words) or 'without words'}")
            return ""
        if not scheme:
            self.warn(f"an address without its site stays as it is: {shortened(address)}")
        return _written(whole)


def shortened(text: str) -> str:
    """The text on one line, cut to what fits into a warning."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 2].rstrip() + ".."


def _written(address: str) -> str:
    """The address as the target of a Markdown link: no spaces, brackets in pairs."""
    for char, code in ((" ", "%20"), ("<", "%3C"), (">", "%3E"), ("\\", "%5C"), ("|", "%7C")):
        address = address.replace(char, code)
    address = re.sub(r"\s", lambda found: f"%{ord(found[0]):02X}", address)
    if not _pairs(address):
        address = address.replace("(", "%28").replace(")", "%29")
    return re.sub(r"&(?=#?\w+;)", "%26", address)


def _pairs(address: str) -> bool:
    depth = 0
    for char in address:
        depth += (char == "(") - (char == ")")
        if depth < 0:
            return False
    return depth == 0
