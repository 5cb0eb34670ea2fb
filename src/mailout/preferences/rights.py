"""Readers' rights: a copy of all that is kept about them, and their erasure.

Standards: GDPR Art. 15 and 20 (the copy, in a form that programs read), Art. 17 (erasure).
"""

from __future__ import annotations

from datetime import datetime

from mailout.core.event import EventKind
from mailout.core.subscriber import Subscriber
from mailout.store import consents, erasure, events, imports, inbound, notes, people, roster
from mailout.store.engine import Store

_MANY = 10_000
"""Rows of a kind that a copy holds at most: more issues than anybody gets in a life."""


def export(store: Store, person: Subscriber, now: datetime) -> dict[str, object]:
    """All that is kept about the person, as plain values for JSON; moments in ISO 8601, UTC."""
    with store.reading() as tx:
        return {
            "as_of": _moment(now),
            "person": {
                "address": person.address,
                "name": person.name,
                "language": person.language,
                "country": person.country,
                "tags": list(person.tags),
                "fields": dict(person.fields),
                "known_since": _moment(person.created_at),
                "paused_for_bounces_since": _moment(person.bounce_paused_at),
            },
            "lists": [
                {
                    "list": one.list_id,
                    "state": str(one.state),
                    "edition": one.edition,
                    "frequency": one.frequency,
                    "paused_until": _moment(one.paused_until),
                    "joined": _moment(one.joined_at),
                    "changed": _moment(one.changed_at),
                }
                for one in person.memberships
            ],
            "consents": [
                {
                    "list": one.list_id,
                    "action": str(one.action),
                    "at": _moment(one.at),
                    "wording": one.wording,
                    "language": one.language,
                    "source": one.source,
                }
                for one in consents.of_subscriber(tx, person.id)
            ],
            "imports": [
                {"file": run.file, "list": run.list_id, "at": _moment(run.at), "did": did}
                for run, did in imports.of_person(tx, person.id)
            ],
            "notes": [{"text": one.text, "at": _moment(one.at)} for one in notes.of(tx, person.id)],
            "suppressions": [
                {
                    "list": one.list_id,
                    "reason": str(one.reason),
                    "evidence": one.evidence,
                    "at": _moment(one.at),
                }
                for one in roster.suppressions_of(tx, person.address_key)
            ],
            "mails": [
                {
                    "issue": one.issue,
                    "list": one.list_id,
                    "state": str(one.state),
                    "at": _moment(one.ended_at or one.queued_at),
                }
                for one in roster.sent_to(tx, person.address_key, _MANY)
            ],
            "events": [
                {"kind": str(one.kind), "at": _moment(one.at), "issue": one.issue, "text": one.text}
                for one in events.listed(tx, list(EventKind), subscriber_id=person.id, limit=_MANY)
            ],
            "came_back": [
                {"kind": one.kind, "at": _moment(one.came_at), "text": one.said}
                for one in inbound.about(tx, person.id, _MANY)
            ],
        }


def erase(store: Store, person: Subscriber, now: datetime) -> bool:
    """Whether there was anything left to erase. Nothing names the person any more but the keyed
    hash of their address, by which no import brings them back.

    SQLite's file is rewritten within a day, when nobody uses it (`preferences.upkeep`).
    """
    with store.writing() as tx:
        people.await_deliveries(tx)
        roster.let_pass(tx)
        found = people.by_id(tx, person.id, hold=True)
        if found is None:
            return False
        erasure.erase(tx, found, now, "settings")
    erasure.checkpoint(store)
    return True


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
