"""From a delivery to an envelope: prepared bytes, filled for one reader, signed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailout.catalogue import greeting
from mailout.core.address import Address
from mailout.core.mailing_list import MailingList
from mailout.core.message import Reader, list_headers
from mailout.core.site import Site
from mailout.core.token import leave_paths, message_ids, return_paths
from mailout.core.variants import Variants
from mailout.smtp.envelope import Envelope
from mailout.store import issues
from mailout.store.claims import Claimed
from mailout.store.engine import Tx

if TYPE_CHECKING:
    from mailout.core.dkim import Signer


@dataclass(frozen=True, slots=True)
class Composer:
    """Composes the messages of one issue. Made by `composer`.

    The return path's token goes between `bounces` (the local part) and `bounce_domain`.
    """

    variants: Variants
    return_path: Callable[[int], str]
    bounces: str
    bounce_domain: str
    identity: Callable[[str], str]
    signers: Sequence[Signer] = ()
    token_header: str = ""
    leave_path: Callable[[int], str] | None = None

    def envelope(self, delivery: Claimed, now: float) -> Envelope:
        """What goes on the wire for a delivery; the Message-ID is the same at every try.

        `now` is in seconds since 1970. Raises: BadHeader if the reader's address cannot stand
        in a header.
        """
        # Taken apart at once: a send asks a million times, and for nearly all of it.
        number, key, language, edition, _, _, address, name, country, leave, _, _ = delivery
        # Nearly all are ASCII, and those stand on the wire as they stand in the store.
        wire = address if address.isascii() else Address.stored(address).wire
        token = self.return_path(number)
        leave_path = self.leave_path(number) if self.leave_path else ""
        reader = Reader(wire, leave, greeting(name, language), token, leave_path)
        prepared = self.variants.prepared(language, edition, country)
        message = prepared.compose(reader, self.identity(key), now)
        if self.signers:
            message = signed(message, self.signers, now, self.token_header)
        sender = f"{self.bounces}+{token}@{self.bounce_domain}"
        return Envelope(sender, wire, message, delivery, token)


def signed(message: bytes, signers: Sequence[Signer], now: float, also: str = "") -> bytes:
    """The message behind a signature of each signer; as it is if there are none. `also` is one
    more field to be signed."""
    if not signers:
        return message
    from mailout.core.dkim import sign  # its library is slow to import

    return sign(signers, message, now, also) + message


def composer(
    tx: Tx,
    site: Site,
    mailing_list: MailingList,
    issue_id: int,
    signers: Sequence[Signer] = (),
) -> Composer:
    """The composer of an issue as it was compiled. Raises: BadHeader."""
    variants = Variants(issues.variants(tx, issue_id), list_headers(site, mailing_list))
    local, _, domain = site.return_path.partition("@")
    keys = site.keys
    return Composer(
        variants,
        return_paths(keys.return_path, mailing_list.id),
        local,
        domain,
        message_ids(keys.message_id, issue_id, site.identity.message_id_domain),
        signers,
        site.sending.token_header,
        leave_paths(keys.return_path, mailing_list.id) if site.inbound.leave_by_mail else None,
    )
