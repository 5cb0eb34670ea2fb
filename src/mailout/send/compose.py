"""From a claimed delivery to an envelope: prepared bytes, filled for one reader, signed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailout.catalogue import greeting
from mailout.core.address import Address
from mailout.core.message import Prepared, Reader, list_headers, prepare_message
from mailout.core.site import MailingList, Site
from mailout.core.token import message_id, return_path_token
from mailout.smtp.envelope import Envelope
from mailout.store import issues
from mailout.store.claims import Claimed
from mailout.store.engine import Tx

if TYPE_CHECKING:
    from mailout.core.dkim import Signer


@dataclass(frozen=True, slots=True)
class Composer:
    """Composes the messages of one issue. `prepared` has its variants by language.

    `bounces` is the return path's local part and domain, between which the token goes.
    """

    site: Site
    list_id: str
    prepared: Mapping[str, Prepared]
    bounces: tuple[str, str]
    id_domain: str
    signers: Sequence[Signer] = ()

    def envelope(self, delivery: Claimed, now: float) -> Envelope:
        """What goes on the wire for a delivery; the Message-ID is the same at every try.

        `now` is in seconds since 1970. Raises: BadHeader if the reader's address cannot stand
        in a header.
        """
        address = delivery.address
        # Nearly all are ASCII, and those stand on the wire as they stand in the store.
        wire = address if address.isascii() else Address.stored(address).wire
        token = return_path_token(self.site.keys.return_path, delivery.id, self.list_id)
        local, domain = self.bounces
        reader = Reader(wire, delivery.token, greeting(delivery.name, delivery.language))
        identity = message_id(
            self.site.keys.message_id, delivery.issue_id, delivery.address_key, self.id_domain
        )
        message = self.prepared[delivery.language].compose(reader, identity, now)
        if self.signers:
            message = signed(message, self.signers, now)
        return Envelope(f"{local}+{token}@{domain}", wire, message, delivery, token)


def signed(message: bytes, signers: Sequence[Signer], now: float) -> bytes:
    """The message behind a signature of each signer; as it is if there are none."""
    if not signers:
        return message
    from mailout.core.dkim import sign  # its library is slow to import

    return sign(signers, message, now) + message


def composer(
    tx: Tx,
    site: Site,
    mailing_list: MailingList,
    issue_id: int,
    signers: Sequence[Signer] = (),
) -> Composer:
    """The composer of an issue as it was compiled. Raises: BadHeader."""
    headers = list_headers(site, mailing_list)
    prepared = {
        variant.language: prepare_message(variant, headers)
        for variant in issues.variants(tx, issue_id)
    }
    local, _, domain = site.return_path.partition("@")
    id_domain = site.identity.message_id_domain
    return Composer(site, mailing_list.id, prepared, (local, domain), id_domain, signers)
