"""Making a backup: one moment of the store, then the site's files, in one file.

A send may go on meanwhile. What the store says is of one moment; how restoring deals with what
was sent after it is told in `keeping.restore`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from mailout.core.backup import (
    ABOUT,
    FORMAT,
    SITE,
    About,
    Manifest,
    Row,
    Shape,
    as_bytes,
    pack_rows,
    part_name,
)
from mailout.core.sealing import Seal
from mailout.core.site import Site
from mailout.keeping.container import Writer, written
from mailout.keeping.folder import Folder
from mailout.store import dump, schema
from mailout.store.engine import PlainTx, Store

_PART = 4 * 1024 * 1024  # bytes after which a table goes on in another member


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was just written; `left_out` counts files by the reason why they are not in
    it, `links` names those that are links."""

    about: About
    manifest: Manifest
    size: int
    left_out: Mapping[str, int]
    links: Sequence[str]

    @property
    def files(self) -> int:
        return sum(name.startswith(SITE) for name in self.manifest.members)


def make(
    site: Site,
    store: Store,
    path: Path,
    keys_file: Path,
    *,
    seal: Seal | None,
    program: str,
    now: datetime,
    keep_until: date,
) -> Made:
    """The backup just written to `path`, which only its owner can read. The keys are in it if it
    is sealed.

    Raises: MailoutError if `path` is there already, or something cannot be read or written;
    then nothing is left of it.
    """
    if not schema.current(store):
        raise schema.missing(store)
    folder = Folder(site, keys_file, secrets=seal is not None)
    with written(path, seal, now.timestamp()) as writer:
        with store.snapshot() as plain:
            shapes = dump.shapes(plain)
            about = About(
                format=FORMAT,
                program=program,
                store_version=dump.version(plain),
                database=plain.dialect.name,
                site=site.identity.name,
                made_at=now,
                keep_until=keep_until,
                holds_keys=seal is not None,
                tables=tuple(shapes),
            )
            writer.add(ABOUT, as_bytes(about))
            rows = {shape.name: _write_table(writer, plain, shape) for shape in shapes}
            numbers = dump.last_numbers(plain, shapes)
        for found in folder.files():
            writer.add_stream(
                SITE + found.path, found.file, found.size, found.changed_at, found.mode
            )
        manifest = writer.finish(rows, numbers)
    return Made(about, manifest, path.stat().st_size, dict(folder.left_out), folder.links)


def _write_table(writer: Writer, plain: PlainTx, shape: Shape) -> int:
    """How many rows of the table were written."""
    total = 0
    for number, part in enumerate(_parts(dump.rows(plain, shape)), 1):
        writer.add(part_name(shape.name, number), part)
        total += part.count(b"\n")
    return total


def _parts(rows: Iterator[Sequence[Row]]) -> Iterator[bytes]:
    kept: list[bytes] = []
    size = 0
    for some in rows:
        kept.append(pack_rows(some))
        size += len(kept[-1])
        if size > _PART:
            yield b"".join(kept)
            kept, size = [], 0
    if kept:
        yield b"".join(kept)
