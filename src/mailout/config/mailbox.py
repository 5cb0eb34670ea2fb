"""Addresses that stand in the site's files."""

from __future__ import annotations

from mailout.core.address import Address, BadAddress
from mailout.core.errors import BadFile


def check(text: str, where: str) -> None:
    """Nothing, if `text` is an address. Raises: BadFile saying where it stands."""
    try:
        Address.parse(text)
    except BadAddress as error:
        raise BadFile(f"`{text}`: {error}", where=where) from None
