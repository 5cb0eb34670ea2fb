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
from mailout.smtp.pipeline import Envelope
from mailout.store import issues
from mailout.store.claims import Claimed
from mailout.store.engine import Store


@dataclass(frozen=True, slots=True)
class Composer:
    """Composes the messages of one issue. `prepared` has its variants by language."""

    site: Site
    list_id: str
    prepared: Mapping[str, Prepared]

    def envelope(self, delivery: Claimed, now: datetime) -> Envelope:
        """What goes on the wire for a delivery; the Message-ID is the same at every try.

        Raises: BadHeader if the reader's address cannot stand in a header.
        """
        site, keys = self.site, self.site.keys
        address = Address.stored(delivery.address)
        local, _, domain = site.return_path.partition("@")
        token = return_path_token(keys.return_path, delivery.id, self.list_id)
        reader = Reader(address, delivery.token, greeting(delivery.name, delivery.language))
        identity = self.message_id(delivery.issue_id, delivery.address_key)
        return Envelope(
            sender=f"{local}+{token}@{domain}",
            recipient=address.wire,
            needs_smtputf8=address.needs_smtputf8,
            message=self.prepared[delivery.language].compose(reader, identity, now),
            ticket=delivery,
        )

    def message_id(self, issue_id: int, address_key: str) -> str:
        return message_id(
            self.site.keys.message_id, issue_id, address_key, self.site.identity.message_id_domain
        )


def composer(store: Store, site: Site, mailing_list: MailingList, issue_id: int) -> Composer:
    """The composer of an issue as it was compiled. Raises: BadHeader."""
    headers = list_headers(site, mailing_list)
    with store.reading() as tx:
        variants = issues.variants(tx, issue_id)
    prepared = {variant.language: prepare_message(variant, headers) for variant in variants}
    return Composer(site, mailing_list.id, prepared)
