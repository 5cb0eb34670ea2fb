"""What may go now: the buckets of relays and providers, asked within a turn of the ledger.

Where the site sets no limit and no provider was slowed, this asks the store nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from mailout.core import throttle
from mailout.core.site import Relay, Site
from mailout.core.throttle import PROVIDER, Bucket, Limit, Providers, Slowed
from mailout.store import buckets, rests
from mailout.store.claims import Claimed
from mailout.store.engine import Tx
from mailout.store.outcomes import Recorded

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
    and the limits hold. Else a single letter would wait for a bulk issue's end.
    """

    def __init__(self, site: Site, *, overtakes: bool = False) -> None:
        self._overtakes = overtakes
        self._relays: Mapping[str, Relay] = {relay.label: relay for relay in site.relays}
        self._providers = Providers(site.providers)
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
            self._name(item.delivery) for item in outcomes if throttle.says_too_fast(item.outcome)
        }
        self._slow |= hasty
        limits = {name: self._limit(name) for name in hasty}
        for label in starts:
            limits.update(self._relay_limits(label, now))
        if self._slow or self._providers.are_any:
            for deliveries in starts.values():
                for name in map(self._name, deliveries):
                    if name in self._slow or self._limit(name).per_second:
                        limits[name] = self._limit(name)
        if not limits and not self._resting:
            return Admitted(dict(starts))
        tx = begin()
        held = buckets.locked(tx, limits, now)
        for name in hasty:
            held[name] = throttle.slowed(held[name], now)
        admitted = Admitted()
        for label, deliveries in starts.items():
            self._admit(label, deliveries, held, limits, admitted, now)
        buckets.write(tx, held.values())
        return admitted

    def _admit(
        self,
        label: str,
        deliveries: Sequence[Claimed],
        held: dict[str, Bucket],
        limits: Mapping[str, Limit],
        admitted: Admitted,
        now: datetime,
    ) -> None:
        """Lets those of one relay pass that its buckets and their providers' have tokens for."""
        room = self._room(label, held, now)
        going: list[Claimed] = []
        put_off: dict[str, int] = {}
        for delivery in deliveries:
            if len(going) == room:
                admitted.waiting.add(delivery.dispatch_id)
                continue
            name = self._name(delivery)
            if (until := self._resting.get(name)) is not None and until > now:
                due = min(until, now + _LONGEST)
                admitted.resting.setdefault(due, []).append(delivery)
                continue
            limit = limits.get(name)
            if limit is not None:
                if self._available(held[name], limit, now) == 0:
                    put_off[name] = put_off.get(name, 0) + 1
                    wait = throttle.wait(held[name], limit, put_off[name], now)
                    due = now + min(wait, _LONGEST)
                    admitted.postponed.setdefault(due, []).append(delivery)
                    continue
                held[name] = throttle.taken(held[name], limit, 1, now)
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

    def _name(self, delivery: Claimed) -> str:
        return f"{PROVIDER}{self._providers.of(delivery.provider)}"

    def _limit(self, name: str) -> Limit:
        return self._providers.limit(name.removeprefix(PROVIDER))

    def _day(self, label: str, now: datetime) -> str:
        return throttle.day_bucket(label, _day(now))


def _day(now: datetime) -> date:
    return now.astimezone(UTC).date()
