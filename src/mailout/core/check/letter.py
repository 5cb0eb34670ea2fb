"""A message as it would go on the wire, taken apart once for all rules."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.message import Message
from functools import cached_property
from typing import Any

from mailout.core.edition import Edition

_FOLD = re.compile(rb"\r\n(?=[ \t])")


@dataclass(frozen=True, slots=True)
class Expected:
    """What the site means this message to be."""

    recipient: str
    token: str
    language: str
    direction: str
    sender_domain: str
    id_domain: str
    host: str
    leave_url: str
    preferences_url: str
    list_id: str
    contact: str
    postal_address: str
    why: str
    now: datetime
    edition: str = Edition.FULL
    is_loopback: bool = False

    @property
    def has_html(self) -> bool:
        return self.edition != Edition.TEXT


@dataclass(frozen=True)
class Letter:
    """One recipient's message, its final bytes, and what it should be."""

    raw: bytes
    expected: Expected

    @cached_property
    def headers(self) -> list[tuple[str, str]]:
        """Names and unfolded values as they stand in the bytes, in their order."""
        head = _FOLD.sub(b"", self.raw.partition(b"\r\n\r\n")[0])
        fields = (line.partition(b":") for line in head.split(b"\r\n"))
        return [
            (name.decode("utf-8", "replace"), value.strip(b" ").decode("utf-8", "replace"))
            for name, _, value in fields
        ]

    def header(self, name: str) -> str:
        """The unfolded value of a header, as it stands in the bytes; empty if there is none."""
        return next((value for known, value in self.headers if known.lower() == name), "")

    @cached_property
    def message(self) -> Message:
        return message_from_bytes(self.raw)

    @cached_property
    def parts(self) -> list[Message]:
        """The parts that hold content."""
        return [part for part in self.message.walk() if not part.is_multipart()]

    @cached_property
    def text(self) -> str:
        """The text part, decoded; empty if there is none."""
        return self._part("text/plain")

    @cached_property
    def html(self) -> str:
        """The HTML part, decoded; empty if there is none."""
        return self._part("text/html")

    @cached_property
    def tree(self) -> Any:
        """The HTML part as a tree of elements (lxml), comments left out."""
        from lxml import html  # slow to import, and only checks need it
        from lxml.etree import ParserError

        try:
            document = html.document_fromstring(self.html)
        except ParserError:  # of nothing, of a line end alone
            document = html.document_fromstring("<html><body></body></html>")
        for comment in document.xpath("//comment()"):
            comment.drop_tag() if comment.getparent() is not None else None
        return document

    @cached_property
    def html_bytes(self) -> int:
        """How many bytes the HTML part takes in the message, encoded."""
        for part in self.parts:
            if part.get_content_type() == "text/html":
                return len(str(part.get_payload()).encode("utf-8", "surrogateescape"))
        return 0

    def _part(self, kind: str) -> str:
        for part in self.parts:
            if part.get_content_type() == kind:
                payload = part.get_payload(decode=True)
                if isinstance(payload, bytes):
                    return payload.decode("utf-8", "replace").replace("\r\n", "\n")
        return ""
