"""Proofs: a compiled issue mailed to one address, outside of any delivery."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from mailout.core.delivery import Outcome
from mailout.core.issue import Variant
from mailout.core.mailing_list import MailingList
from mailout.core.message import Reader, list_headers, prepare_message
from mailout.core.site import Site
from mailout.core.token import message_id
from mailout.send.compose import signed
from mailout.send.run import relay_of
from mailout.smtp.envelope import Envelope
from mailout.smtp.session import submit_all

if TYPE_CHECKING:
    from mailout.core.dkim import Signer


async def send_proofs(
    site: Site,
    mailing_list: MailingList,
    variants: Sequence[Variant],
    readers: Sequence[Reader],
    issue_id: int,
    now: datetime,
    signers: Sequence[Signer] = (),
) -> list[Outcome]:
    """What became of each variant, sent to the reader beside it. Raises: RelayProblem."""
    headers = list_headers(site, mailing_list)
    envelopes = []
    for variant, reader in zip(variants, readers, strict=True):
        # An id of its own at every try: a mail program hides a second mail with a known one.
        identity = message_id(
            site.keys.message_id,
            issue_id,
            f"proof {variant.language} {variant.edition} {now.isoformat()}",
            site.identity.message_id_domain,
        )
        message = prepare_message(variant, headers).compose(reader, identity, now.timestamp())
        message = signed(message, signers, now.timestamp())
        envelopes.append(Envelope(site.return_path, reader.address, message))
    return await submit_all(relay_of(site), site.ehlo, site.sending.timeout_seconds, envelopes)
