"""What may go now: the buckets of relays and providers, asked within a turn of the ledger.

Where the site sets no limit and no provider was slowed, this asks the store nothing. Where a
provider is known by its mail servers, each sender asks the domain name system for itself whose a
domain is; a delivery to one that is being asked for is put off a little. No turn waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING

from mailout.core import throttle
from mailout.core.address import stored_domain
from mailout.core.site import Relay, Site
from mailout.core.throttle import PROVIDER, Bucket, Limit, Providers, Slowed
from mailout.store import buckets, rests
from mailout.store.claims import Claimed
from mailout.store.engine import Tx
from mailout.store.outcomes import Recorded

if TYPE_CHECKING:
    from mailout.dns import MailServers

_LONGEST = timedelta(minutes=10)
"""A delivery is put off by no more: the limit may be changed in the meantime."""

_AHEAD = timedelta(minutes=1)

Starts = Mapping[str, Sequence[Claimed]]
"""Deliveries that are to be started, by the relay that they are to go through."""


@dataclass(slots=True)
class Admitted:
    """Who of the `starts` may go, and whose provider wants it later.

    `waits` has for a relay the moment before which it takes nothing more; `waiting` are the
    dispatches of which some were left for that reason. Those whose provider is `resting` are put
    off for so long that no run stays for them.
    """

    starts: dict[str, Sequence[Claimed]] = field(default_factory=dict)
    waiting: set[int] = field(default_factory=set)
    postponed: dict[datetime, list[Claimed]] = field(default_factory=dict)
    resting: dict[datetime, list[Claimed]] = field(default_factory=dict)
    waits: dict[str, datetime] = field(default_factory=dict)


class Pace:
    """The limits of a site. Used by one thread, each time within a transaction.

    Who `overtakes` may take what comes in within a minute ahead of time: all others wait for it,
    and the limits hold. Else a single letter would wait for a bulk issue's end. Nor does it wait
    to be told a domain's mail servers: it counts as its domain's.
    """

    def __init__(self, site: Site, *, overtakes: bool = False) -> None:
        self._overtakes = overtakes
        self._relays: Mapping[str, Relay] = {relay.label: relay for relay in site.relays}
        self._providers = Providers(site.providers)
        self._servers: MailServers | None = None
        if self._providers.ask_for_mx and not overtakes:
            from mailout.dns import MailServers  # its library is slow to import

            self._servers = MailServers(site.sending.name_server, self._providers.behind)
        self._slow: set[str] = set()
        self._resting: Mapping[str, datetime] = {}
        self.slowed: list[Slowed] = []

    def look(self, tx: Tx, now: datetime) -> None:
        """Nothing, once `slowed` has the providers that any sender has had to slow down, and it is
        known which rest."""
        self._resting = {f"{PROVIDER}{one.provider}": one.until for one in rests.listed(tx, now)}
        self.slowed = throttle.slowed_ones(buckets.slowed(tx), now)
        self._slow = {f"{PROVIDER}{one.provider}" for one in self.slowed}

    @property
    def slow(self) -> set[str]:
        """The providers that are mailed slower at the moment, or nothing at all: they asked for
        it, or have an outage."""
        return {name.removeprefix(PROVIDER) for name in self._slow | self._resting.keys()}

    @property
    def unanswered(self) -> int:
        """How many domains go without a provider's limit, as nobody told their mail servers."""
        return self._servers.unanswered if self._servers is not None else 0

    def admit(
        self,
        begin: Callable[[], Tx],
        outcomes: Sequence[Recorded],
        starts: Starts,
        now: datetime,
    ) -> Admitted:
        """Which of the `starts` may go now, after the `outcomes` have slowed whom they slow.

        `begin` gives the transaction, where one is needed.
        """
        hasty = {
            next(iter(self._buckets(item.delivery.provider)), f"{PROVIDER}{item.delivery.provider}")
            for item in outcomes
            if throttle.says_too_fast(item.outcome)
        }
        self._slow |= hasty
        limits = {name: self._limit(name) for name in hasty}
        for label in starts:
            limits.update(self._relay_limits(label, now))
        whose: dict[str, Sequence[str]] = {}
        if self._slow or self._resting or self._providers.are_any:
            # Once a turn: an answer that comes in the middle of it would find no bucket locked.
            domains = {one.provider for some in starts.values() for one in some}
            whose = {domain: self._buckets(domain) for domain in domains}
            for name in chain.from_iterable(whose.values()):
                if name in self._slow or self._limit(name).per_second:
                    limits[name] = self._limit(name)
        if not limits and not self._resting and all(whose.values()):
            return Admitted(dict(starts))
        tx = begin()
        held = buckets.locked(tx, limits, now)
        for name in hasty:
            held[name] = throttle.slowed(held[name], now)
        admitted = Admitted()
        for label, deliveries in starts.items():
            self._admit(label, deliveries, whose, held, limits, admitted, now)
        buckets.write(tx, held.values())
        return admitted

    def _admit(
        self,
        label: str,
        deliveries: Sequence[Claimed],
        whose: Mapping[str, Sequence[str]],
        held: dict[str, Bucket],
        limits: Mapping[str, Limit],
        admitted: Admitted,
        now: datetime,
    ) -> None:
        """Lets those of one relay pass that its buckets and their providers' have tokens for."""
        room, answered_at = self._room(label, held, now), self._answered_at(now)
        going: list[Claimed] = []
        put_off: dict[str, int] = {}
        for delivery in deliveries:
            if len(going) == room:
                admitted.waiting.add(delivery.dispatch_id)
                continue
            names = whose.get(delivery.provider, ())
            if whose and not names:
                admitted.postponed.setdefault(answered_at, []).append(delivery)
                continue
            if (until := self._rest(names, now)) is not None:
                admitted.resting.setdefault(until, []).append(delivery)
                continue
            limited = [name for name in names if name in limits]
            waits = []
            for name in limited:
                if self._available(held[name], limits[name], now) == 0:
                    put_off[name] = put_off.get(name, 0) + 1
                    waits.append(throttle.wait(held[name], limits[name], put_off[name], now))
            if waits:
                due = now + min(max(waits), _LONGEST)
                admitted.postponed.setdefault(due, []).append(delivery)
                continue
            for name in limited:
                held[name] = throttle.taken(held[name], limits[name], 1, now)
            going.append(delivery)
        admitted.starts[label] = going
        self._charge(label, len(going), held, admitted, now)

    def _room(self, label: str, held: Mapping[str, Bucket], now: datetime) -> int | None:
        """How many the relay may have now; None means any number."""
        rooms = []
        relay = self._relays[label]
        if (bucket := held.get(f"by {label}")) is not None:
            rooms.append(self._available(bucket, throttle.relay_limit(relay), now) or 0)
        if (bucket := held.get(self._day(label, now))) is not None:
            rooms.append(max(0, throttle.ceiling(relay, _day(now)) + int(bucket.tokens)))
        return min(rooms) if rooms else None

    def _available(self, bucket: Bucket, limit: Limit, now: datetime) -> int | None:
        """How many the bucket lets go now, never less than none; None means any number."""
        found = throttle.available(bucket, limit, now)
        if found is None:
            return None
        if self._overtakes:
            found += max(1, int(throttle.rate(bucket, limit, now) * _AHEAD.total_seconds()))
        return max(0, found)

    def _charge(
        self,
        label: str,
        count: int,
        held: dict[str, Bucket],
        admitted: Admitted,
        now: datetime,
    ) -> None:
        relay = self._relays[label]
        by, day = f"by {label}", self._day(label, now)
        if by in held:
            limit = throttle.relay_limit(relay)
            held[by] = throttle.taken(held[by], limit, count, now)
            admitted.waits[label] = now + throttle.wait(held[by], limit, 1, now)
        if day in held:
            used = held[day]
            held[day] = Bucket(used.name, used.tokens - count, now)
            if throttle.ceiling(relay, _day(now)) + held[day].tokens <= 0:
                admitted.waits[label] = throttle.next_day(now)

    def _relay_limits(self, label: str, now: datetime) -> dict[str, Limit]:
        relay = self._relays[label]
        limits = {}
        if relay.per_minute:
            limits[f"by {label}"] = throttle.relay_limit(relay)
        if throttle.ceiling(relay, _day(now)):
            # What was used is counted down from nothing: the ceiling may change during the day.
            limits[self._day(label, now)] = Limit(burst=0)
        return limits

    def _answered_at(self, now: datetime) -> datetime:
        """When it should be known whose the domains are that are being asked for."""
        seconds = self._servers.seconds if self._servers is not None else 0.0
        return now + min(timedelta(seconds=seconds), _LONGEST)

    def _rest(self, names: Sequence[str], now: datetime) -> datetime | None:
        """Until when what takes from these buckets is put off, since its provider rests."""
        rests = [until for name in names if (until := self._resting.get(name)) and until > now]
        return min(max(rests), now + _LONGEST) if rests else None

    def _buckets(self, domain: str) -> Sequence[str]:
        """What mail to the domain takes from, its provider's first; empty while that is being
        asked for.

        Bounces are judged by domain, so one whose provider is known by its mail servers may rest
        or be slowed for itself.
        """
        own = f"{PROVIDER}{domain}"
        if (named := self._providers.named(domain)) or self._servers is None:
            return (f"{PROVIDER}{named or domain}",)
        behind = self._servers.of(stored_domain(domain))
        if behind is None:
            return ()
        if not behind:
            return (own,)
        theirs = f"{PROVIDER}{behind}"
        return (theirs, own) if own in self._slow or own in self._resting else (theirs,)

    def _limit(self, name: str) -> Limit:
        return self._providers.limit(name.removeprefix(PROVIDER))

    def _day(self, label: str, now: datetime) -> str:
        return throttle.day_bucket(label, _day(now))


def _day(now: datetime) -> date:
    return now.astimezone(UTC).date()
