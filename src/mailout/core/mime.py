"""Body parts with slots: encoded once, filled per person, valid to the byte.

Quoted-printable and base64 both encode the fixed text ahead of time. A slot in
quoted-printable stands between two soft line breaks. A slot in base64 takes up to two
bytes of its neighbours, so that every piece is a multiple of three bytes long: each fixed
piece is therefore kept in up to three forms, and one is picked by the length of the value.
Both are 7-bit and begin no line with a dot, so no server needs 8BITMIME and the wire
needs no dot-stuffing.

Standards: RFC 2045 6.7 (quoted-printable), 6.8 (base64), RFC 5321 4.5.2 (dots).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailout.core.slot import PATTERN

_QP_WIDTH = 75  # 76 less the `=` of a soft line break
_SOFT_BREAK = b"=\r\n"
_SAFE = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_, "
_LINE_BYTES = 57  # bytes that fill a base64 line of 76 characters


@dataclass(frozen=True, slots=True)
class QuotedPrintable:
    """A part as encoded pieces, with an empty one wherever a slot is; `slots` says where."""

    pieces: tuple[bytes, ...]
    slots: tuple[tuple[int, str], ...]
    transfer_encoding = "quoted-printable"

    def fill(self, values: Mapping[str, str]) -> bytes:
        """The encoded part with each slot's value in its place."""
        out = list(self.pieces)
        for at, name in self.slots:
            out[at] = between_soft_breaks(values[name])
        return b"".join(out)


@dataclass(frozen=True, slots=True)
class Base64:
    """A part as fixed pieces, and the slots between them.

    A piece behind a slot is kept in three forms: `forms[k]` has the first `k` bytes apart
    (they go to the slot's line), the rest encoded, and what is left over at its end.
    """

    head: tuple[bytes, bytes]
    tails: tuple[tuple[tuple[bytes, bytes, bytes], ...], ...]
    slots: tuple[str, ...]
    transfer_encoding = "base64"

    def fill(self, values: Mapping[str, str]) -> bytes:
        """The encoded part with each slot's value in its place."""
        encoded, carry = self.head
        out = [encoded]
        for slot, forms in zip(self.slots, self.tails, strict=True):
            value = carry + values[slot].encode()
            first, encoded, rest = forms[-len(value) % 3]
            # A piece too short to fill the slot's line up is carried on to the next slot.
            filled, left = _split_tail(value + first)
            out.append(filled)
            out.append(encoded)
            carry = left + rest
        out.append(_base64_lines(carry))
        return b"".join(out)


Part = QuotedPrintable | Base64


def prepare(text: str) -> Part:
    """The part for `text` with slots in it, in the encoding that makes it smaller."""
    pieces = PATTERN.split(text)
    fixed = [_canonical(piece) for piece in pieces[0::2]]
    slots = tuple(pieces[1::2])
    size = sum(map(len, fixed))
    quoted = [quoted_printable(piece) for piece in fixed]
    if sum(map(len, quoted)) <= size * 4 / 3:
        return _quoted_printable(quoted, slots)
    return Base64(_split_tail(fixed[0]), tuple(_forms(piece) for piece in fixed[1:]), slots)


def _quoted_printable(quoted: Sequence[bytes], slots: Sequence[str]) -> QuotedPrintable:
    pieces = [quoted[0]]
    for piece in quoted[1:]:
        pieces += [b"", piece]
    return QuotedPrintable(
        tuple(pieces), tuple((2 * number + 1, name) for number, name in enumerate(slots))
    )


def between_soft_breaks(value: str) -> bytes:
    """A slot's value in quoted-printable, on encoded lines of its own."""
    raw = value.encode()
    # Nearly every token and greeting stands for itself; a blank before a soft break may.
    if len(raw) > _QP_WIDTH or raw.translate(None, _SAFE):
        raw = quoted_printable(raw)
    return _SOFT_BREAK + raw + _SOFT_BREAK


def quoted_printable(raw: bytes) -> bytes:
    """`raw` (lines ended by CRLF) in quoted-printable; no line begins with a dot.

    A last line without CRLF may end in an encoded blank, so that it can be joined to more.
    """
    lines = raw.split(b"\r\n")
    return b"\r\n".join(_quoted_line(line) for line in lines)


def _quoted_line(line: bytes) -> bytes:
    text = binascii.b2a_qp(line, quotetabs=False, istext=False).replace(b"=\n", b"")
    # b2a_qp breaks lines where it likes: join them and break anew, at a width we choose.
    if text.endswith((b" ", b"\t")):
        text = text[:-1] + b"=%02X" % text[-1]
    rows: list[bytes] = []
    while len(text) > _QP_WIDTH or text.startswith(b"."):
        if text.startswith(b"."):
            text = b"=2E" + text[1:]
            continue
        end = _QP_WIDTH
        escape = text.rfind(b"=", end - 2, end)
        if escape != -1:
            end = escape
        rows.append(text[:end])
        text = text[end:]
    rows.append(text)
    return _SOFT_BREAK.join(rows)


def _canonical(piece: str) -> bytes:
    return piece.replace("\r\n", "\n").replace("\n", "\r\n").encode()


def _forms(piece: bytes) -> tuple[tuple[bytes, bytes, bytes], ...]:
    return tuple((piece[:k], *_split_tail(piece[k:])) for k in range(3))


def _split_tail(piece: bytes) -> tuple[bytes, bytes]:
    """The piece encoded as far as whole groups of three go, and the bytes left over."""
    whole = len(piece) - len(piece) % 3
    return _base64_lines(piece[:whole]), piece[whole:]


def _base64_lines(raw: bytes) -> bytes:
    lines: Sequence[bytes] = [
        base64.b64encode(raw[at : at + _LINE_BYTES]) for at in range(0, len(raw), _LINE_BYTES)
    ]
    return b"".join(line + b"\r\n" for line in lines)
