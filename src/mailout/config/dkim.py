"""`[[dkim]]` of `config.toml`, and the key files that it names: `dkim/SELECTOR.pem`.

A key file is made by `mailout dkim new`, and readable by its owner alone.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from mailout.config import toml
from mailout.core.dkim import BadKey, Kind, Signer, name_fault, new_key, prepare_signer
from mailout.core.dkim import public_record as record_of_key
from mailout.core.errors import BadFile, MailoutError, UsageError, place
from mailout.core.site import Dkim, Site

FOLDER = "dkim"
_MAX_BYTES = 64 * 1024  # a key of 16384 bits has 13 KB: more is another file


def check(tables: Sequence[Dkim], source: str, shown: str) -> None:
    """Refuses what cannot stand in the DNS, and the same key named twice.

    Raises: BadFile with the line of `source`, the text of the file `shown`.
    """
    seen: set[tuple[str, str]] = set()
    for number, table in enumerate(tables):
        if said := name_fault(table.domain, table.selector):
            # The selector is at fault if another one would do.
            key = "domain" if name_fault(table.domain, "s") else "selector"
            line = toml.line_of(source, ("dkim", str(number), key))
            raise BadFile(said, where=place(shown, line))
        name = (table.domain.lower(), table.selector.lower())  # the DNS is blind to case
        if name in seen:
            line = toml.line_of(source, ("dkim", str(number)))
            raise BadFile(
                f"the selector `{table.selector}` of {table.domain} stands here twice",
                where=place(shown, line),
                fix="Take one away: each key needs a selector of its own.",
            )
        seen.add(name)


def signers(site: Site) -> tuple[Signer, ...]:
    """A signer for each `[[dkim]]`, in that order; each puts a signature of its own on a mail.

    Raises: MailoutError if a key file is missing or others can read it; BadFile if it is no key.
    """
    found = []
    for table in site.dkim:
        path, pem = _read(site, table)
        try:
            found.append(prepare_signer(table.domain, table.selector, pem))
        except BadKey as error:
            raise BadFile(error.what, where=str(path), fix=error.fix) from None
    return tuple(found)


def public_record(site: Site, table: Dkim) -> str:
    """The text of the TXT record that belongs to a `[[dkim]]`. Raises: as `signers`."""
    path, pem = _read(site, table)
    try:
        return record_of_key(pem)
    except BadKey as error:
        raise BadFile(error.what, where=str(path), fix=error.fix) from None


def write_new(root: Path, domain: str, selector: str, kind: Kind) -> tuple[Path, str]:
    """The file of a fresh key just written, mode 0600, and the text of its TXT record.

    The folder `dkim/` is made with a `.gitignore` that keeps all of it out of git.

    Raises: UsageError for names that cannot stand in the DNS; MailoutError if the file is there.
    """
    if said := name_fault(domain, selector):
        raise UsageError(said)
    pem = new_key(kind)
    folder = root / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="ascii")
    path = folder / f"{selector}.pem"
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise MailoutError(
            "there is a key already", where=str(path), fix="Choose another selector."
        ) from None
    with os.fdopen(handle, "wb") as file:
        file.write(pem)
    return path, record_of_key(pem)


def _read(site: Site, table: Dkim) -> tuple[Path, bytes]:
    path = site.root / table.path
    shown = str(path)
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            pem = file.read(_MAX_BYTES)
    except FileNotFoundError:
        raise MailoutError(
            f"the DKIM key of {table.domain} is missing",
            where=shown,
            fix="Copy it back. If it is lost, make one under another selector with "
            "`mailout dkim new`, and publish its record.",
        ) from None
    except OSError as error:
        raise MailoutError(f"cannot be read: {error.strerror}", where=shown) from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise MailoutError(
            f"other people on this machine can read the DKIM key of {table.domain}",
            where=shown,
            fix=f"Run `chmod 600 {shown}`.",
        )
    return path, pem
