"""Replies of an SMTP server: read from bytes as they come, bounded, never raising on nonsense.

Standards: RFC 5321 4.2 (replies), RFC 2034 4 and RFC 3463 (enhanced codes).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_LINE = re.compile(rb"(\d{3})(?:([ -])(.*))?", re.S)
_CODES = {b"%d" % code: code for code in range(100, 1000)}
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s+|$)")
ROUND = re.compile(
    rb"250 (?:([245]\.\d{1,3}\.\d{1,3})(?: +|(?=\r)))?(|[!-~](?:[ -~]{0,478}[!-~])?)\r\n"
    rb"250 [^\r\n]*\r\n250 [^\r\n]*\r\n354 [^\r\n]*\r\n"
)
"""The replies of a round trip in which all went well: to a message's end, MAIL, RCPT and DATA.
Groups: the first one's enhanced code, if it has one, and its words as `Reply.split` has them."""
_MOST_BYTES = 64 * 1024  # of one reply, all its lines together
_MOST_TEXT = 500  # characters that are kept


class Nonsense(Exception):
    """What came is no SMTP reply, or one without end."""


class Reply(NamedTuple):
    """One reply: `code`, and its lines' words joined by blanks, decoded only when asked for."""

    code: int
    words: bytes

    @property
    def is_positive(self) -> bool:
        return 200 <= self.code <= 299

    @property
    def text(self) -> str:
        """The server's words, printable and bounded."""
        return _readable(self.words)

    def split(self) -> tuple[str, str]:
        """The enhanced status code (or empty) and the rest of the text."""
        text = self.text
        if text[1:2] != ".":
            return "", text
        match = _ENHANCED.match(text)
        return (match[1], text[match.end() :]) if match else ("", text)


class ReplyReader:
    """Takes bytes, gives whole replies."""

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[bytes] = []
        self._size = 0

    @property
    def is_empty(self) -> bool:
        """Whether it has given all that it got."""
        return not (self._rest or self._lines)

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Code and words of the replies that are complete with `data`, one by one: those before
        nonsense count.

        Raises: Nonsense.
        """
        lines = (self._rest + data if self._rest else data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            # Nearly every reply is one line; this is the hot path of a send.
            if line[3:4] == b" " and not self._lines and (code := _CODES.get(line[:3])):
                yield code, line[4:]
            elif (reply := self._line(line)) is not None:
                yield reply
        if len(self._rest) > _MOST_BYTES:
            raise Nonsense("a line without end")

    def _line(self, line: bytes) -> tuple[int, bytes] | None:
        match = _LINE.fullmatch(line.rstrip(b"\r"))
        if match is None:
            raise Nonsense(f"`{line[:60].decode('ascii', 'backslashreplace').strip()}`")
        code, dash, words = match.groups()
        self._size += len(line)
        if self._size > _MOST_BYTES:
            raise Nonsense("a reply without end")
        self._lines.append(words or b"")
        if dash == b"-":
            return None
        words = b" ".join(self._lines)
        self._lines = []
        self._size = 0
        return int(code), words


def _readable(raw: bytes) -> str:
    text = raw[: 4 * _MOST_TEXT].decode("utf-8", "replace").strip()
    # Servers' words go into logs and terminals: no control characters among them.
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text).strip()
    return text[:_MOST_TEXT]
