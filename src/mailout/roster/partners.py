"""Sharing suppressions with a partner: hashes out, hashes in, and the end of it.

A secret per partner stands in `keys.toml`; what a file tells whom is in docs/suppressions.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from mailout.core import partnership
from mailout.core.address import Address
from mailout.core.errors import MailoutError, nearest
from mailout.core.site import Site
from mailout.store import partners
from mailout.store.engine import Store

_PIECE = 5000  # hashes
_BYTES = 32  # of each


@dataclass(frozen=True, slots=True)
class Exported:
    """What a file for a partner holds: `lines`, with so many `hashes`. Left out are the `erased`,
    and those who are `unknown`: suppressed by a key alone, so that there is no address to hash."""

    lines: Iterator[str]
    hashes: int
    unknown: int
    erased: int


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of a partner's file: hashes that were new, and people whom they suppress."""

    new: int
    suppressed: int


def secret_of(site: Site, name: str) -> bytes:
    """The secret that is shared with a partner. Raises: MailoutError if there is none."""
    if name not in site.keys.partners:
        raise no_partner(site, name)
    return site.keys.partners[name]


def no_partner(site: Site, name: str) -> MailoutError:
    """The error of who names a partner that there is none of."""
    return MailoutError(
        f"there is no partner `{name}`",
        fix=nearest(name, site.keys.partners)
        or f"`mailout suppressions partner {name}` makes a secret to share with them.",
    )


def export(site: Site, store: Store, name: str) -> Exported:
    """The file for a partner. Raises: MailoutError if there is no such partner."""
    secret = secret_of(site, name)
    with store.reading() as tx:
        told = partners.told(tx)
    hashes = {partnership.hash_of(Address.stored(one), secret) for one in told.addresses}
    return Exported(partnership.written(hashes, secret), len(hashes), told.unknown, told.erased)


def take_in(
    site: Site, store: Store, name: str, lines: Iterable[str], file: str, now: datetime
) -> Imported:
    """What came of a partner's file. One that is none changes nothing; one that is broken off
    has hashes in, and the next try, or the next send, goes on.

    Hashes that came earlier stay. Raises: MailoutError, BadFile.
    """
    secret = secret_of(site, name)
    # Read to its end before anything is written; 32 MB for a million.
    hashes = b"".join(map(bytes.fromhex, partnership.read(lines, secret, file)))
    with store.writing() as tx:
        before = partners.begin(tx, name)
    for start in range(0, len(hashes), _PIECE * _BYTES):
        piece = hashes[start : start + _PIECE * _BYTES]
        ends = range(_BYTES, len(piece) + 1, _BYTES)
        with store.writing() as tx:
            partners.add_hashes(tx, name, [piece[end - _BYTES : end].hex() for end in ends], now)
    suppressed = partners.catch_up_in_pieces(store, site.keys.partners, now)
    with store.reading() as tx:
        new = next(one.hashes for one in partners.listed(tx) if one.name == name) - before
    return Imported(new, suppressed)


def listed(site: Site, store: Store) -> list[partners.Partner]:
    """Those with whom a secret is shared or from whom hashes came, by name."""
    with store.reading() as tx:
        found = {one.name: one for one in partners.listed(tx)}
    for name in site.keys.partners:
        found.setdefault(name, partners.Partner(name, 0))
    return [found[name] for name in sorted(found)]


def forget(site: Site, store: Store, name: str) -> bool:
    """Whether anything had come from the partner; it suppresses nobody any more."""
    with store.writing() as tx:
        return partners.forget(tx, name, site.keys.partners)
