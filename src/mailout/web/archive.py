"""The archive as `mailout archive build` wrote it, served from `build/archive/`.

| request | answer |
|---|---|
| GET, HEAD /archive/PATH | the file; 304 if the browser has it as it is |
| GET, HEAD /archive, or a folder without its slash | 308 to it with one: links are relative |
| GET, HEAD of a folder | its `index.html` |
| anything else | the neutral page |

Only kinds of files that an archive has are served, and none that a name with a dot hides.

Standards: RFC 9110 13 (ETag, Last-Modified), RFC 9111 5.2 (Cache-Control), CSP Level 3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from mailout.core.archive import HEADER_POLICY, START, SUMS
from mailout.core.site import Site

_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".atom": "application/atom+xml; charset=utf-8",
    ".ics": "text/calendar; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
}
_FRESH = "public, max-age=300"  # a build is seen within five minutes


class Folder:
    """A folder that was asked for without the slash at its end."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of the archive, read."""

    kind: str
    content: bytes
    changed: datetime

    @property
    def tag(self) -> str:
        return f'"{hashlib.sha256(self.content).hexdigest()[:24]}"'


def look(folder: Path, path: str) -> File | Folder | None:
    """What stands at the path below the archive's folder; None for all that is not for everybody.

    `path` is decoded already; it ends in a slash where a folder is asked for.
    """
    parts = path.split("/")
    asked = parts[:-1] if parts[-1] == "" else parts
    if any(not part or part.startswith(".") or "\\" in part or "\0" in part for part in asked):
        return None
    try:
        top = folder.resolve(strict=True)
        found = top.joinpath(*parts).resolve(strict=True)
        if not found.is_relative_to(top):  # by a symbolic link
            return None
        if found.is_dir():
            if parts[-1] != "":
                return Folder()
            found = found / START
        elif parts[-1] == "":
            return None
        return _read(found)
    except (OSError, RuntimeError, ValueError):  # not there; a loop of links; no name at all
        return None


def _read(path: Path) -> File | None:
    kind = "text/plain; charset=utf-8" if path.name == SUMS else _KINDS.get(path.suffix)
    if kind is None or not path.is_file():
        return None
    changed = datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
    return File(kind, path.read_bytes(), changed)


def answer(request: Request, site: Site, found: File | Folder) -> Response:
    """What the browser gets; to HEAD the same without its body."""
    if isinstance(found, Folder):
        # Relative, so that it is right behind a proxy, too (RFC 9110 10.2.2).
        name = str(request.url.path).rpartition("/")[2]
        return Response(None, 308, {**_headers(site), "Location": f"{name}/"})
    fields = {
        **_headers(site),
        "ETag": found.tag,
        "Last-Modified": format_datetime(found.changed, usegmt=True),
        "Cache-Control": _FRESH,
    }
    if _has_it(request.headers, found):
        return Response(None, 304, fields)
    length = {"Content-Length": str(len(found.content)), "Content-Type": found.kind}
    body = None if request.method == "HEAD" else found.content
    return Response(body, 200, {**fields, **length})


def _headers(site: Site) -> dict[str, str]:
    fields = {
        "Content-Security-Policy": HEADER_POLICY,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return fields if site.archive.searchable else {**fields, "X-Robots-Tag": "noindex"}


def _has_it(asked: Mapping[str, str], found: File) -> bool:
    """Whether the browser's copy is still right (RFC 9110 13.2.2: a tag goes before a date)."""
    if tags := asked.get("if-none-match"):
        return tags.strip() == "*" or found.tag in (
            tag.strip().removeprefix("W/") for tag in tags.split(",")
        )
    try:
        since = parsedate_to_datetime(asked.get("if-modified-since", ""))
    except ValueError:
        return False
    return since.tzinfo is not None and found.changed <= since
