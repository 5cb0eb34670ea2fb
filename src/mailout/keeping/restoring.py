"""Restoring: a whole site out of a backup, into an empty folder; all of it or nothing.

1. The backup is read to its end: all of it is there, as it was written (`keeping.examining`).
2. It is read again, into a folder within the folder, and into a store without tables, in one
   transaction: tables of the version that it was made with, rows, then the newest version.
3. What may have been sent since is held (`store.restored`), and new numbers begin where none can
   have been given since: return paths, Message-IDs and evidence name rows by their numbers.
4. Who left since is carried over from the old store, if that can still be read.
5. Everything is moved to its place, `config.toml` at the very end: without it there is no site.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from mailout.core.backup import SITE, is_fit, unpack_rows
from mailout.core.errors import BadFile, MailoutError
from mailout.core.site import StoreSettings
from mailout.keeping.carrying import Carried, carry
from mailout.keeping.container import Member, Reader, opened
from mailout.keeping.examining import SETTINGS, Examined, examine, refuse_unfit, shape_of
from mailout.store import load, restored, schema
from mailout.store.batch import plan_anew
from mailout.store.dump import shapes
from mailout.store.engine import PlainTx, Store, open_store, session_on
from mailout.store.restored import Open

_SETTINGS = SETTINGS.removeprefix(SITE)
_KEYS = "keys.toml"
_MAY_BE_THERE = frozenset({".git"})


@dataclass(frozen=True, slots=True)
class Restored:
    """A site that came out of a backup: where its store is, the sends that are held, how many
    letters will not be mailed, and who was carried over (None without an old store)."""

    examined: Examined
    store_url: str
    settings_url: str
    held: Sequence[Open]
    letters: int
    carried: Carried | None


def restore(
    path: Path,
    passphrase: str,
    target: Path,
    now: datetime,
    *,
    store_url: str = "",
    old: Store | None = None,
) -> Restored:
    """The site that is in the folder `target` now, its store at `store_url` (else where its
    settings say).

    Raises: BadFile for a backup that is none or damaged; MailoutError if there is anything in
    the folder or in the store's database already, or it cannot be written. Nothing is left then.
    """
    refuse_occupied(target)
    found = examine(path, passphrase)
    schema.refuse_unknown(found.about.store_version)
    named = _named_url(found)
    url = store_url or named
    with _stage(target) as stage, _store(url, stage.folder) as store:
        load.refuse_occupied(store)
        with store.filling() as plain:
            schema.upgrade_within(plain, found.about.store_version)
            load.refuse_other(plain, found.about.tables)
            with opened(path, passphrase) as reader:
                if reader.about != found.about:
                    raise BadFile("the backup was changed while it was read", where=str(path))
                _fill(reader, plain, stage.folder)
            load.settle(plain)
            schema.upgrade_within(plain)
            load.begin_numbers(plain, shapes(plain), _first_free(found, now))
            tx = session_on(plain)
            letters = restored.hold(tx, found.about.made_at, now)
            carried = carry(old, tx, now) if old is not None else None
            held = restored.open_ones(tx)
            plan_anew(tx, [shape.name for shape in shapes(plain)])
            if not store.is_sqlite:
                stage.move_in()
        if store.is_sqlite:
            store.close()  # its log is in its file now
            stage.move_in()
    return Restored(found, url, named, held, letters, carried)


def refuse_occupied(target: Path) -> None:
    """Nothing. Raises: MailoutError unless the folder is new or empty (a `.git` may be in it)."""
    if not target.exists() and not target.is_symlink():
        return
    if not target.is_dir():
        raise MailoutError("this is no folder", where=str(target))
    if {entry.name for entry in target.iterdir()} - _MAY_BE_THERE:
        raise MailoutError(
            "the folder is not empty, and nothing is overwritten",
            where=str(target),
            fix="Name a new one with --into.",
        )


def _named_url(found: Examined) -> str:
    try:
        settings = tomllib.loads(found.settings.decode())
        url = settings.get("store", {}).get("url", StoreSettings().url)
    except (ValueError, AttributeError):
        raise BadFile("`config.toml` in the backup cannot be read") from None
    if not found.settings:
        raise BadFile("there is no `config.toml` in the backup")
    return str(url)


def _first_free(found: Examined, now: datetime) -> int:
    """A number above all that any store of this site can have given to a row by now: the
    microseconds since 1970, and no store gives a million numbers a second."""
    return max(int(now.timestamp() * 1_000_000), 0, *found.manifest.last_numbers.values())


def _fill(reader: Reader, plain: PlainTx, folder: Path) -> None:
    by_name = {shape.name: shape for shape in reader.about.tables}
    into = {name: load.adding(plain, shape) for name, shape in by_name.items()}
    for member in reader.members():
        if member.name.startswith(SITE):
            refuse_unfit(member.name)
            _write(member, folder / member.name.removeprefix(SITE))
        else:
            shape = shape_of(by_name, member.name)
            into[shape.name](unpack_rows(shape, member.whole(), member.name))


def _write(member: Member, path: Path) -> None:
    secret = member.name == SITE + _KEYS
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = 0o600 if secret else (member.mode & 0o755) | 0o600
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        for piece in member.pieces():
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    os.utime(path, (member.changed_at, member.changed_at))


@contextmanager
def _store(url: str, folder: Path) -> Iterator[Store]:
    """The store at that address, closed at the end; a new file, if it is SQLite's.

    Raises: MailoutError for one that would be outside of the folder.
    """
    if url.startswith("sqlite"):
        at = url.partition("///")[2].partition("?")[0] or "mailout.db"
        if not is_fit(at):
            raise MailoutError(
                f"the store at {url} would not be in the folder that is restored",
                fix="Name another: `--store sqlite:///mailout.db`.",
            )
        path = folder / at
        path.parent.mkdir(parents=True, exist_ok=True)
        # The file says who is on the list: nobody else on this machine may read it.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    store = open_store(url, folder)
    try:
        yield store
    finally:
        store.close()


@dataclass(slots=True)
class _Stage:
    """A folder within the target in which everything is made before it is moved to its place."""

    folder: Path
    moved: list[Path] = field(default_factory=list)

    def move_in(self) -> None:
        """Nothing, once all of it is in the target; what makes it a site comes last."""
        for entry in sorted(self.folder.iterdir(), key=lambda entry: entry.name == _SETTINGS):
            place = self.folder.parent / entry.name
            if place.exists() or place.is_symlink():
                raise MailoutError("this has just been put here by somebody", where=str(place))
            os.rename(entry, place)
            self.moved.append(place)
        self.folder.rmdir()


@contextmanager
def _stage(target: Path) -> Iterator[_Stage]:
    is_new = not target.exists()
    stage = _Stage(target / f".restoring-{secrets.token_hex(4)}")
    try:
        target.mkdir(parents=True, exist_ok=True)
        stage.folder.mkdir(mode=0o700)
        yield stage
    except BaseException as error:
        for path in (stage.folder, *stage.moved):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        if is_new:
            with suppress(OSError):
                target.rmdir()
        if isinstance(error, OSError):
            raise MailoutError(
                f"the site cannot be written: {error.strerror or error}",
                where=str(error.filename or target),
                fix="Nothing of it is left. Make room, or name another place, and begin again.",
            ) from None
        raise
