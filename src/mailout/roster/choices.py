"""What a reader chose, set for them by an organiser: how often they get mail, and pauses."""

from __future__ import annotations

from datetime import datetime

from mailout.core.errors import MailoutError
from mailout.core.frequency import Frequency
from mailout.core.site import Site
from mailout.core.subscription import SubscriptionState
from mailout.roster import people
from mailout.store import members
from mailout.store.engine import Store, Tx
from mailout.store.members import Place

_GONE = {
    SubscriptionState.PENDING: "has not confirmed yet for",
    SubscriptionState.UNSUBSCRIBED: "has left",
}


def set_frequency(
    site: Site, store: Store, address: str, list_id: str, frequency: Frequency
) -> None:
    """Nothing, once the person gets the list's mail that often. What is queued for them obeys.

    Raises: MailoutError if they are not on the list.
    """
    with store.writing() as tx:
        place = _place(tx, site, address, list_id)
        members.set_up(tx, place.id, {"frequency": frequency})


def pause(
    site: Site, store: Store, address: str, list_id: str, until: datetime | None, now: datetime
) -> None:
    """Nothing, once the person gets nothing of the list until then, or (None) until `resume`.

    Raises: MailoutError if they are not on the list.
    """
    with store.writing() as tx:
        place = _place(tx, site, address, list_id)
        values: dict[str, object] = {"paused_until": until}
        if place.state is SubscriptionState.ACTIVE:
            values |= {"state": SubscriptionState.PAUSED, "changed_at": now}
        members.set_up(tx, place.id, values)


def resume(site: Site, store: Store, address: str, list_id: str, now: datetime) -> None:
    """Nothing, once the person gets the list's mail again.

    Raises: MailoutError if they are not on the list, or did not pause it.
    """
    with store.writing() as tx:
        place = _place(tx, site, address, list_id)
        if place.state is not SubscriptionState.PAUSED:
            raise MailoutError(f"the list `{list_id}` is not paused", where=address.strip())
        active = {"state": SubscriptionState.ACTIVE, "changed_at": now, "paused_until": None}
        members.set_up(tx, place.id, active)


def _place(tx: Tx, site: Site, address: str, list_id: str) -> Place:
    """The person's place on the list, held until the end of `tx`. Raises: MailoutError."""
    person = people.found(tx, site, address)
    place = members.place(tx, person.id, list_id)
    if place is None:
        raise MailoutError(f"{person.address} is not on the list `{list_id}`")
    if place.state in _GONE:
        raise MailoutError(f"{_GONE[place.state]} the list `{list_id}`", where=person.address)
    return place
