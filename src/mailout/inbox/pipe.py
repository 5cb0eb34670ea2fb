"""A mail that a mail server hands over on standard input, and the envelope it tells beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO

from mailout.core.arrival import Arrival

_BLOCK = 65536


def read(stream: BinaryIO, most: int) -> bytes:
    """The first `most` bytes of what comes; the rest is read and let go, since a server whose pipe
    is shut calls that a failure."""
    kept = bytearray()
    while block := stream.read(_BLOCK):
        kept += block[: most - len(kept)]
    return bytes(kept)


def arrival(
    raw: bytes, environ: Mapping[str, str], recipient: str = "", sender: str = ""
) -> Arrival:
    """The mail with its envelope: as told, else as the environment has it."""
    return Arrival(
        raw, "pipe", recipient or recipient_of(environ), sender or environ.get("SENDER", "")
    )


def recipient_of(environ: Mapping[str, str]) -> str:
    """Whom the mail server delivers to, by the variables that it sets; empty if by none.

    | server | variables |
    |---|---|
    | Postfix, local(8) | `ORIGINAL_RECIPIENT` (before aliases), `RECIPIENT` |
    | OpenSMTPD | the same |
    | qmail | `RECIPIENT` |
    | Exim | `RECIPIENT`, or `LOCAL_PART_PREFIX`, `LOCAL_PART`, `LOCAL_PART_SUFFIX`, `DOMAIN` |

    Postfix's pipe(8) sets none: there `--recipient ${original_recipient}` tells.
    """
    for name in ("ORIGINAL_RECIPIENT", "RECIPIENT"):
        if "@" in environ.get(name, ""):
            return environ[name]
    if environ.get("LOCAL_PART") and environ.get("DOMAIN"):
        names = ("LOCAL_PART_PREFIX", "LOCAL_PART", "LOCAL_PART_SUFFIX")
        return "".join(environ.get(name, "") for name in names) + "@" + environ["DOMAIN"]
    return ""
