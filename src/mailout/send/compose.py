"""From a claimed delivery to an envelope: prepared bytes, filled for one reader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from mailout.catalogue import greeting
from mailout.core.address import Address
from mailout.core.message import Prepared, Reader, list_headers, prepare_message
from mailout.core.site import MailingList, Site
from mailout.core.token import message_id, return_path_token
from mailout.smtp.envelope import Envelope
from mailout.store import issues
from mailout.store.claims import Claimed
from mailout.store.engine import Store


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

    def envelope(self, delivery: Claimed, now: datetime) -> Envelope:
        """What goes on the wire for a delivery; the Message-ID is the same at every try.

        Raises: BadHeader if the reader's address cannot stand in a header.
        """
        address = Address.stored(delivery.address)
        token = return_path_token(self.site.keys.return_path, delivery.id, self.list_id)
        local, domain = self.bounces
        reader = Reader(address, delivery.token, greeting(delivery.name, delivery.language))
        identity = message_id(
            self.site.keys.message_id, delivery.issue_id, delivery.address_key, self.id_domain
        )
        return Envelope(
            f"{local}+{token}@{domain}",
            address.wire,
            address.needs_smtputf8,
            self.prepared[delivery.language].compose(reader, identity, now),
            delivery,
        )


def composer(store: Store, site: Site, mailing_list: MailingList, issue_id: int) -> Composer:
    """The composer of an issue as it was compiled. Raises: BadHeader."""
    headers = list_headers(site, mailing_list)
    with store.reading() as tx:
        variants = issues.variants(tx, issue_id)
    prepared = {variant.language: prepare_message(variant, headers) for variant in variants}
    local, _, domain = site.return_path.partition("@")
    id_domain = site.identity.message_id_domain
    return Composer(site, mailing_list.id, prepared, (local, domain), id_domain)
