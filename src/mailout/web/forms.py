"""What a form or a mail program sends, read within bounds.

Standards: RFC 8058 3.1 (either encoding), RFC 7578 (multipart/form-data).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from urllib.parse import parse_qsl

import anyio
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

MAX_BODY = 64 * 1024
"""Bytes of a POST. A one-click has 26, the largest form of ours some 4,000."""

_THROWN_AWAY = 1024 * 1024
"""Bytes beyond what is taken that are read all the same: a web server before us that is still
sending when the answer comes may break it off."""

_BODY_SECONDS = 20.0
_MAX_FIELDS = 200

Fields = dict[str, list[str]]
"""The values of each field, in the order in which they came."""


async def read(request: Request) -> Fields:
    """The text fields of the body; none for a body of another kind, or one that is broken:
    a leave is a leave without them. Raises: HTTPException 413, 408."""
    body = await whole(request)
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _multipart(request, body)
    try:
        return _gathered(parse_qsl(body.decode("utf-8"), max_num_fields=_MAX_FIELDS))
    except ValueError:
        return {}


async def _multipart(request: Request, body: bytes) -> Fields:
    async def all_of_it() -> AsyncGenerator[bytes, None]:
        yield body

    try:
        parser = MultiPartParser(request.headers, all_of_it(), max_files=0, max_fields=_MAX_FIELDS)
        form = await parser.parse()
    except (MultiPartException, ValueError, KeyError):
        return {}
    return _gathered([(k, value) for k, value in form.multi_items() if isinstance(value, str)])


def _gathered(pairs: list[tuple[str, str]]) -> Fields:
    fields: Fields = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return fields


def first(fields: Fields, name: str) -> str:
    """The first value of a field; empty if there is none."""
    return next(iter(fields.get(name, ())), "")


async def whole(request: Request, most: int = MAX_BODY) -> bytes:
    """The body, of `most` bytes. Raises: HTTPException 413, 408."""
    chunks, size = [], 0
    with anyio.move_on_after(_BODY_SECONDS):
        async for chunk in request.stream():
            size += len(chunk)
            if size <= most:
                chunks.append(chunk)
            elif size > most + _THROWN_AWAY:
                break
        if size > most:
            raise HTTPException(413)
        return b"".join(chunks)
    raise HTTPException(408)
