r"""What of ours stands in a mail: tokens and Message-IDs, wherever they are.

| found | written as | comes back as |
|---|---|---|
| token | a run of exactly 32 hex digits | the 32 digits, small |
| leave token | `/u/` and 22 letters, digits, `-` or `_`, then none of them | the 22 |
| Message-ID | 40 hex digits, `@`, a domain; in angle brackets or not | `<digits@domain>`, small |

They are looked for in the bytes, whatever the mail's layout: fields, parts, a returned mail, a
notice in JSON or in a form. Undone are soft line breaks, base64, UTF-16, and what stands for `@`,
`+`, `<` and `=` beside them (`=40`, `%40`, `+40`, `\u0040`, `&#64;`). That a trace is there says
nothing yet: who asks must check a token's signature, and look a Message-ID up.

Standards: RFC 2045 6.7 and 6.8 (encodings), RFC 3461 4 (xtext), RFC 5322 3.6.4 (msg-id).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from mailout.core.inbound.charset import decode_body

MOST = 50
"""Tokens, and Message-IDs, at most: a report about one mail holds a few."""

_HEAD_BYTES = 192 * 1024
_TAIL_BYTES = 32 * 1024
_MOST_DECODED = 192 * 1024
_DEEPEST = 3  # base64 within base64
_TOKEN, _IDENTITY = 32, 40

_SHOWN = bytes(120 if byte in b"0123456789abcdefABCDEF" else 32 for byte in range(256))
_RUN = b"x" * _TOKEN
_ESCAPES = ((2, re.compile(rb"(?:[=%+]|\\x)\Z")), (4, re.compile(rb"\\u\Z")))
_DOMAIN = re.compile(
    rb"(?:@|[=%+]40|\\{1,4}u0040|&(?:#64|#x40|commat);)([a-z0-9.-]{1,253}+)(?!=\s)",
    re.I,
)
_SOFT_BREAK = re.compile(rb"=[ \t]{0,9}(?:\r?\n|(?:\\{1,4}r)?\\{1,4}n)", re.I)
_BASE64 = re.compile(
    rb"[A-Za-z0-9+/]{40,}+(?:(?:\r?\n|(?:\\{1,4}r)?\\{1,4}n)[ \t]?[A-Za-z0-9+/]++)*+={0,2}"
)
_LEAVE = re.compile(rb"/u/([A-Za-z0-9_-]{22})(?![A-Za-z0-9_-])")
_NEW_LINE = re.compile(rb"(?:\\{1,4}r)?\\{1,4}n")


@dataclass(frozen=True, slots=True)
class Traces:
    """What may be ours in a mail, each once, in the order in which it was found."""

    tokens: tuple[str, ...]
    message_ids: tuple[str, ...]
    leave_tokens: tuple[str, ...] = ()


def traces(raw: bytes) -> Traces:
    """The traces in the bytes of a mail or of a notice. Of long ones only the first 192 KB and the
    last 32 KB are looked at. It raises on nothing."""
    if len(raw) > _HEAD_BYTES + _TAIL_BYTES:
        raw = raw[:_HEAD_BYTES] + b"\n" + raw[-_TAIL_BYTES:]
    tokens: dict[str, None] = {}
    message_ids: dict[str, None] = {}
    leave_tokens: dict[str, None] = {}
    for view in views(raw):
        for found in islice(_LEAVE.finditer(view), MOST):
            leave_tokens[found[1].decode("ascii")] = None
        for start, end in _runs(view):
            _take(view, start, end, tokens, message_ids)
            if len(tokens) >= MOST and len(message_ids) >= MOST:
                break
    return Traces(tuple(tokens)[:MOST], tuple(message_ids)[:MOST], tuple(leave_tokens)[:MOST])


def views(raw: bytes) -> Iterator[bytes]:
    """The bytes, the same without soft line breaks, and what base64 in them holds: somewhere among
    these a text can be found that a mail holds, however it is encoded."""
    waiting = [(raw, 0)]
    budget = _MOST_DECODED
    while waiting:
        data, depth = waiting.pop(0)
        yield data
        if b"\0" in data:
            data = data.replace(b"\0", b"")  # UTF-16
            yield data
        joined = _SOFT_BREAK.sub(b"", data)
        if joined != data:
            yield joined
        if depth >= _DEEPEST:
            continue
        for block in _BASE64.finditer(data):
            decoded = decode_body(_NEW_LINE.sub(b"", block[0]), "base64")
            budget -= len(decoded)
            if budget < 0:
                return
            waiting.append((decoded, depth + 1))


def _runs(data: bytes) -> Iterator[tuple[int, int]]:
    """Where runs of 32 hex digits or more begin and end."""
    shown = data.translate(_SHOWN)
    start = shown.find(_RUN)
    while start >= 0:
        end = shown.find(b" ", start + _TOKEN)
        end = len(data) if end < 0 else end
        yield start, end
        start = shown.find(_RUN, end)


def _take(
    data: bytes, start: int, end: int, tokens: dict[str, None], message_ids: dict[str, None]
) -> None:
    """Put down what a run of hex digits may be: the first of them may be an escape's."""
    lengths = [(end - start, start)]
    before = data[max(0, start - 2) : start]
    lengths += [
        (end - start - skipped, start + skipped)
        for skipped, escape in _ESCAPES
        if escape.search(before)
    ]
    for length, begin in lengths:
        if length == _TOKEN and len(tokens) < MOST:
            tokens[data[begin:end].decode("ascii").lower()] = None
        elif length == _IDENTITY and len(message_ids) < MOST and (at := _DOMAIN.match(data, end)):
            identity = data[begin:end] + b"@" + at[1].rstrip(b".-")
            message_ids[f"<{identity.decode('ascii').lower()}>"] = None


def has_extension(recipient: str, return_path: str) -> bool:
    """Whether an envelope recipient is the return path with anything behind a `+`: what is no token
    of ours there was made up by somebody."""
    local = re.escape(return_path.strip().rpartition("@")[0].lower())
    pattern = rf'(?:^|[="<:+\s]){local}\+[^@\s<>]+@'
    return bool(local) and re.search(pattern, recipient[:1000].lower()) is not None


def return_tokens(recipient: str, return_path: str) -> tuple[str, ...]:
    """The tokens (32 small hex digits) that an envelope recipient may carry, likeliest first.

    `return_path` is the site's own, without a token: `bounces@example.org` is written to as
    `bounces+TOKEN@example.org`. Undone are a folded case, `-` for `+`, BATV, SRS and forwarding.
    The domain is not compared: forwarders have theirs, and the token is signed.
    """
    local = re.escape(return_path.strip().rpartition("@")[0].lower())
    if not local:
        return ()
    written = recipient[:1000].lower()
    found = re.findall(rf'(?:^|[="<:+\s]){local}[+-]([0-9a-f]{{{_TOKEN}}})(?![0-9a-z])', written)
    return tuple(dict.fromkeys(reversed(found)))
