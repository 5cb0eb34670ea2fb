"""Whose a mail is: found by what only we can have made, before anybody's words are believed.

1. The return path that it came to: it names the delivery, and is signed.
2. The same token anywhere within it: in the mail that it returns, or in a notice.
3. Our Message-ID, where it is that of a mail to somebody whom the report names.
4. A reader whom a provider's notice names, if that provider took a mail to them from us lately: the
   notice shows its secret, or is signed, and who else can write it could do worse.
5. What one leaves a list by, which stands in the head of each of our mails: a link, or an address.
   Whoever has it may leave that list for its reader, and do nothing else.
6. A reader whom it names. That proves nothing: anybody can write any name.

A mail that came to a return path that is not signed by us is a forgery, whatever else it holds; and
one to a return path that was made for a trial (`mailout doctor --bounce`) is about nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from mailout.core.address import Address, BadAddress
from mailout.core.arrival import WEBHOOK, FoundBy
from mailout.core.inbound.addresses import find_addresses, folded
from mailout.core.inbound.category import Kind
from mailout.core.inbound.mail import Fields, read_fields
from mailout.core.inbound.report import Inbound, Report, known_addresses, read
from mailout.core.inbound.rules import Rules
from mailout.core.inbound.traces import Traces, has_extension, return_tokens, traces
from mailout.core.site import Site
from mailout.core.token import is_trial, message_id, read_leave_path, read_return_path
from mailout.core.webhook import provider
from mailout.store import whose
from mailout.store.engine import Tx
from mailout.store.inbound import Kept
from mailout.store.whose import Theirs

_ENVELOPE = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-delivered-to")
_ALSO = ("to", "cc", "resent-to")
_MOST_HEAD = 64 * 1024
_MOST_NAMED = 10
_LATELY = timedelta(days=14)  # providers try for some days, and most complaints come in as many
_AHEAD = timedelta(minutes=5)  # a notice may be here before the outcome is written down


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail with what it is, and whose. `report` is what it tells of its reader."""

    kept: Kept
    fields: Fields = field(repr=False)
    found: Inbound
    by: FoundBy = FoundBy.NOBODY
    theirs: Theirs | None = None

    @property
    def report(self) -> Report | None:
        """What it tells of its reader; where it names another (one to whom they have their mail
        passed on), what it tells of that."""
        reports = self.found.reports
        if self.theirs is not None:
            wanted = folded(self.theirs.address)
            for one in reports:
                if one.recipient and folded(one.recipient) == wanted:
                    return one
        return reports[0] if reports else None

    @property
    def sender(self) -> str:
        """The address that it says it is from; empty if none."""
        found = find_addresses(self.fields.get("from"))
        return found[0][0] if found else ""


@dataclass(frozen=True, slots=True)
class _Opened:
    """A mail before it is known whose it is."""

    kept: Kept
    fields: Fields
    by_path: tuple[str, ...]
    traces: Traces
    is_addressed: bool


def attribute(tx: Tx, site: Site, rules: Rules, kept: Sequence[Kept]) -> list[Mail]:
    """The mails with what they are and whose, in their order."""
    opened = [_open(site, one) for one in kept]
    numbers = {token: _number(site, token) for one in opened for token in _tokens(one)}
    deliveries = whose.by_deliveries(tx, {number for number in numbers.values() if number})
    links = whose.by_leave_tokens(
        tx, {token for one in opened for token in one.traces.leave_tokens}
    )
    links |= _by_leave_paths(tx, site, [token for one in opened for token in _tokens(one)])
    return [_attributed(tx, site, rules, one, numbers, deliveries, links) for one in opened]


def _by_leave_paths(tx: Tx, site: Site, tokens: Sequence[str]) -> dict[str, Theirs]:
    """Whom the tokens let leave a list by a mail; no delivery is told, since they do no more."""
    ring = site.keys.return_path
    numbers = {
        token: number
        for token in tokens
        for list_id in site.lists
        if (number := read_leave_path(ring, token, list_id))
    }
    deliveries = whose.by_deliveries(tx, set(numbers.values()))
    return {
        token: replace(deliveries[number], delivery_id=0, issue_id=0, queued_at=None)
        for token, number in numbers.items()
        if number in deliveries
    }


def _open(site: Site, kept: Kept) -> _Opened:
    head = kept.raw[:_MOST_HEAD].replace(b"\r\n", b"\n").lstrip(b"\n").partition(b"\n\n")[0]
    fields = read_fields(head)
    told = [kept.recipient, *(value for name in _ENVELOPE for value in fields.all(name))]
    also = [value for name in _ALSO for value in fields.all(name)]
    by_path = _distinct(
        token for value in (*told, *also) for token in return_tokens(value, site.return_path)
    )
    # Most reports come to a return path of ours: then nothing else need be looked for.
    sure = any(_number(site, token) for token in by_path)
    addressed = any(has_extension(value, site.return_path) for value in told)
    found = Traces((), ()) if sure else traces(kept.raw)
    return _Opened(kept, fields, by_path, found, addressed)


def _tokens(one: _Opened) -> tuple[str, ...]:
    return (*one.by_path, *one.traces.tokens)


def _number(site: Site, token: str) -> int:
    """The delivery that a token names; 0 if it is not signed by us."""
    ring = site.keys.return_path
    return next(filter(None, (read_return_path(ring, token, list_id) for list_id in site.lists)), 0)


def _attributed(
    tx: Tx,
    site: Site,
    rules: Rules,
    one: _Opened,
    numbers: Mapping[str, int],
    deliveries: Mapping[int, Theirs],
    links: Mapping[str, Theirs],
) -> Mail:
    if any(is_trial(site.keys.return_path, token) for token in one.by_path):
        return Mail(one.kept, one.fields, Inbound(Kind.OTHER, (), None))
    for by, tokens in ((FoundBy.RETURN_PATH, one.by_path), (FoundBy.TOKEN, one.traces.tokens)):
        for token in tokens:
            if theirs := deliveries.get(numbers[token]):
                found = _read(one.kept, rules, theirs)
                return Mail(one.kept, one.fields, found, by, theirs)
        if any(numbers[token] for token in tokens):
            # Ours, of somebody who has been erased since.
            return Mail(one.kept, one.fields, _read(one.kept, rules), by)
        if by is FoundBy.RETURN_PATH and (tokens or one.is_addressed):
            if leaver := next((links[token] for token in tokens if token in links), None):
                return Mail(one.kept, one.fields, _read(one.kept, rules), FoundBy.LINK, leaver)
            return Mail(one.kept, one.fields, _read(one.kept, rules), FoundBy.FORGED)
    mail = Mail(one.kept, one.fields, _read(one.kept, rules))
    named = _named(site, mail)
    leaving = (*one.traces.leave_tokens, *one.traces.tokens)
    by_link = next((links[token] for token in leaving if token in links), None)
    if by_link is not None:
        named = {by_link.address_key: by_link.address, **named}
    known = whose.by_keys(tx, list(named)) if named else {}
    if theirs := _by_message_id(site, known, one.traces):
        return replace(mail, by=FoundBy.MESSAGE_ID, theirs=theirs)
    if theirs := _told_by_provider(tx, one.kept, known):
        return replace(mail, by=FoundBy.PROVIDER, theirs=theirs)
    if by_link is not None:
        return replace(mail, by=FoundBy.LINK, theirs=by_link)
    if known:
        return replace(mail, by=FoundBy.WORDS, theirs=next(iter(known.values()))[0])
    if people := whose.readers(tx, list(named)):
        return replace(mail, by=FoundBy.WORDS, theirs=next(iter(people.values())))
    return mail


def _read(kept: Kept, rules: Rules, theirs: Theirs | None = None) -> Inbound:
    """What a mail is; one that is known to be about a reader names nobody else."""
    if kept.source.startswith(WEBHOOK):
        return provider.read(kept.source, kept.raw, rules)
    if theirs is not None:
        found = read(kept.raw, rules, known_addresses([theirs.address]))
        if found.reports or found.kind not in (Kind.BOUNCE, Kind.FEEDBACK):
            return found
    return read(kept.raw, rules)


def _named(site: Site, mail: Mail) -> dict[str, str]:
    """Those whom the mail names, or who wrote it, by address key."""
    told = [report.recipient for report in mail.found.reports if report.recipient]
    if mail.found.kind in (Kind.REPLY, Kind.UNSUBSCRIBE, Kind.OTHER):
        told.append(mail.sender)
    named: dict[str, str] = {}
    for text in told[:_MOST_NAMED]:
        try:
            named.setdefault(Address.parse(text).key(site.keys.address), text)
        except BadAddress:
            continue
    return named


def _by_message_id(
    site: Site, known: Mapping[str, Sequence[Theirs]], found: Traces
) -> Theirs | None:
    """The delivery whose Message-ID stands in the mail, among those of whom it names."""
    wanted = set(found.message_ids)
    if not wanted:
        return None
    secret, domain = site.keys.message_id, site.identity.message_id_domain
    for key, deliveries in known.items():
        for one in deliveries:
            if message_id(secret, one.issue_id, key, domain).lower() in wanted:
                return one
    return None


def _told_by_provider(tx: Tx, kept: Kept, known: Iterable[str]) -> Theirs | None:
    """The newest delivery that the provider who tells of it took from us lately, to one of those
    address keys; None for what is no provider's notice."""
    if not kept.source.startswith(WEBHOOK):
        return None
    for key in known:
        since, until = kept.came_at - _LATELY, kept.came_at + _AHEAD
        for relay, theirs in whose.accepted_lately(tx, key, since, until):
            if provider.takes_mail_at(kept.source, relay):
                return theirs
    return None


def _distinct(tokens: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tokens))
