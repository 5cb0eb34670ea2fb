"""The story of one person in words: it answers "why did Anna not get it?"."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from mailout.core.consent import ConsentAction
from mailout.core.delivery import DeliveryState, reply_line
from mailout.core.frequency import DIGESTS, MISSED, Frequency, digest_of
from mailout.core.subscriber import Membership, Subscriber
from mailout.core.subscription import SubscriptionState
from mailout.roster import journal
from mailout.roster.people import Record
from mailout.store.roster import Missed, Sent

_STATES = {
    SubscriptionState.PENDING: "has not confirmed yet and gets nothing",
    SubscriptionState.ACTIVE: "gets its mail",
    SubscriptionState.PAUSED: "paused it and gets nothing until {until}",
    SubscriptionState.UNSUBSCRIBED: "left it and gets nothing",
}
_FREQUENCIES = {
    Frequency.WEEKLY: "Gets the weekly digest, and urgent issues at once.",
    Frequency.MONTHLY: "Gets the monthly digest, and urgent issues at once.",
    Frequency.URGENT: "Gets urgent issues only.",
}
_DELIVERIES = {
    DeliveryState.QUEUED: "is queued, due {next_at}",
    DeliveryState.SENDING: "is being sent",
    DeliveryState.ACCEPTED: "was accepted by the relay {ended_at}",
    DeliveryState.REFUSED: "was refused {ended_at}",
    DeliveryState.EXPIRED: "could not be delivered in time; given up {ended_at}",
    DeliveryState.SKIPPED: "was left out ({reason})",
    DeliveryState.UNKNOWN: "was cut off on the wire: nobody can know whether it arrived",
    DeliveryState.CANCELLED: "was called off",
}

_IMPORTS = {
    journal.ADDED: "added them, on the list {}",
    journal.JOINED: "put them on the list {}",
    journal.CHANGED: "changed something of them",
}


def told(record: Record, at: Callable[[datetime], str]) -> Iterator[str]:
    """The lines of the story; `at` writes a moment for people."""
    person = record.person
    yield " ".join(filter(None, (person.address, person.name and f"({person.name})")))
    yield (
        f"  language {person.language or 'not known'}, country {person.country or 'not known'},"
        f" tags: {' '.join(person.tags) or 'none'}"
    )
    for suppression in record.suppressions:
        where = f"the list {suppression.list_id}" if suppression.list_id else "all lists"
        yield f"  Suppressed on {where} since {at(suppression.at)}: {suppression.reason}."
    for domain in record.domains:
        where = f"the list {domain.list_id}" if domain.list_id else "all lists"
        yield f"  Their domain is suppressed on {where} since {at(domain.at)}."
    if held := fields_told(person):
        yield f"  {held}"
    if person.bounce_paused_at:
        yield f"  Paused since {at(person.bounce_paused_at)}: mail to the address came back."
    silent = {one.list_id for one in record.suppressions} | {one.list_id for one in record.domains}
    for member in person.memberships:
        since = at(member.changed_at)
        until = at(member.paused_until) if member.paused_until else "they go on"
        standing = _STATES[member.state].format(until=until)
        if member.state is SubscriptionState.ACTIVE and (
            person.bounce_paused_at or silent & {"", member.list_id}
        ):
            standing = "gets nothing all the same, as said above"
        yield f"List {member.list_id}: {member.state}, {standing} (since {since})"
        if member.frequency:
            yield f"  {_FREQUENCIES[Frequency(member.frequency)]}"
        if member.edition:
            yield f"  Chose the {member.edition} edition."
        yield from _issues(record, member, at)
    if not person.memberships:
        yield "On no list."
    if record.consents:
        yield "Consent:"
    for consent in record.consents:
        words = f": “{consent.wording}”" if consent.wording else ""
        left = consent.action in (ConsentAction.LEFT, ConsentAction.ERASED)
        how = "" if left else words
        yield f"  {at(consent.at)} {consent.list_id} {consent.action}{how} [{consent.source}]"
    if record.imports:
        yield "Imports:"
    for run, did in record.imports:
        yield f"  {at(run.at)} import {run.id} ({run.file}): {_IMPORTS[did].format(run.list_id)}"
    if record.events:
        yield "Events:"
    for event in record.events:
        enhanced = event.enhanced if event.enhanced not in event.text else ""
        said = reply_line(event.code, enhanced, event.text)
        why = f"({event.category})" if event.category else ""
        told = (event.kind.value, event.issue or "", why, said)
        yield f"  {at(event.at)} {' '.join(filter(None, told))}"
    if record.notes:
        yield "Notes:"
    for note in record.notes:
        yield f"  {at(note.at)} ({note.id}) {note.text}"


def _issues(record: Record, member: Membership, at: Callable[[datetime], str]) -> Iterator[str]:
    """What became of each issue of a list for the person, the newest first."""
    lines = [
        (sent.queued_at, f"  {sent.issue}: {_what_came(sent, member, at)}")
        for sent in record.deliveries
        if sent.list_id == member.list_id
    ]
    for missed in record.missed:
        other_digest = missed.digest and missed.digest != member.frequency
        if missed.list_id == member.list_id and not other_digest:
            lines.append((missed.at, f"  {missed.issue}: {_why_missed(missed, member)}"))
    for _, line in sorted(lines, key=lambda one: one[0], reverse=True):
        yield line


def fields_told(person: Subscriber) -> str:
    """What the lists' own fields hold of a person, on one line; may be empty."""
    held = {key: value for key, value in person.fields.items() if key != "signatory"}
    return ", ".join(f"{key}: {_plainly(value)}" for key, value in held.items())


def _plainly(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _what_came(sent: Sent, member: Membership, at: Callable[[datetime], str]) -> str:
    ended_at = at(sent.ended_at) if sent.ended_at else ""
    reason = _why_skipped(sent.reason, member.frequency)
    words = _DELIVERIES[sent.state].format(
        next_at=at(sent.next_at), ended_at=ended_at, reason=reason
    )
    reply = sent.last_reply if sent.state is not DeliveryState.ACCEPTED else ""
    return words + (f"; the server said: {reply}" if reply else "")


def _why_skipped(reason: str, frequency: str) -> str:
    if digest := digest_of(reason):
        return f"told in the digest {digest}"
    if reason == MISSED and frequency in DIGESTS:
        return f"gets the {frequency} digest: the next one tells it"
    if reason == MISSED:
        return "was to be told by a digest, which they do not get any more"
    return reason


def _why_missed(missed: Missed, member: Membership) -> str:
    if member.joined_at > missed.at:
        return "went out before they joined"
    if missed.digest:
        return "told nothing that they had missed, or they got it otherwise then"
    if member.frequency == Frequency.URGENT and not missed.urgent:
        return f"went to {missed.segment}, and is not urgent: they get urgent issues only"
    without = f" without {missed.exclude}" if missed.exclude else ""
    return f"went to {missed.segment}{without}, where they were not or were left out then"
