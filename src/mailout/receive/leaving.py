"""Leaving by mail: a mail that asks for it to an address of ours, or a report that says so.

The token says who leaves, whoever wrote the mail: many programs write `mailto:` links' mails from
another of their reader's addresses. Nothing is answered.

Standards: RFC 2369 3.2 (List-Unsubscribe by mailto), RFC 5965 7.3 (opt-out).
"""

from __future__ import annotations

from datetime import datetime

from mailout.core.consent import Consent, ConsentAction
from mailout.core.subscription import SubscriptionState
from mailout.receive.attribution import Mail
from mailout.store import consents, events, people, roster
from mailout.store.engine import Tx


def leave(tx: Tx, mail: Mail, now: datetime) -> bool:
    """Whether the reader has left the list of the mail by this."""
    theirs = mail.theirs
    if theirs is None:
        return False
    roster.let_pass(tx)
    held = people.subscription_of(tx, theirs.subscriber_id, theirs.list_id)
    if held is None or held.state is SubscriptionState.UNSUBSCRIBED:
        return False
    people.set_state(tx, held.id, SubscriptionState.UNSUBSCRIBED, now)
    domain = theirs.address.rpartition("@")[2].lower()
    by, issue_id = mail.kept.id, theirs.issue_id
    events.leave(tx, held.subscriber_id, held.list_id, now, domain=domain, issue_id=issue_id, by=by)
    consents.append(
        tx,
        [
            Consent(
                list_id=held.list_id,
                subscriber_id=held.subscriber_id,
                address_key=held.address_key,
                action=ConsentAction.LEFT,
                at=now,
                wording=f"was {held.state}",
                language=held.language,
                source="mail",
            )
        ],
    )
    return True
