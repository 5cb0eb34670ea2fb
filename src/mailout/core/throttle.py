"""How fast a relay or a provider may be mailed: token buckets, shared through the store.

A bucket fills with `Limit.per_second` and holds at most `Limit.burst`. It counts for all
senders of the site together, and over restarts. When a provider says that we are too fast
(421, 4.7.x), its bucket is *slowed*: a quarter of the rate at each step, and a step is taken
back every `RECOVERY` in which nothing of the kind was heard. One that has no limit of its own
is then taken to have `USUAL` a second.

Standards: RFC 3463 3.8 (4.7.x), RFC 5321 3.8 (421).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from mailout.core.delivery import Outcome, Verdict
from mailout.core.site import Provider, Relay

PROVIDER = "to "
"""What the names of the providers' buckets begin with."""

USUAL = 8.0
RECOVERY = timedelta(minutes=5)
_MOST_STEPS = 5
_GATHER = timedelta(seconds=10)  # answers of so long are about one and the same haste
_DAY = "day"
_GREYLISTED = re.compile(r"gr[ae]y.?list", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Limit:
    """`per_second` messages (0: no limit), `burst` at once after a quiet time."""

    per_second: float = 0.0
    burst: float = 1.0

    @classmethod
    def per_minute(cls, count: int) -> Limit:
        """The limit of so many a minute; a second's worth may go at once."""
        return cls(count / 60, max(1.0, count / 60))


@dataclass(frozen=True, slots=True)
class Bucket:
    """What may go at the moment `at`, and how often the rate was slowed, last at `slowed_at`."""

    name: str
    tokens: float
    at: datetime
    slowed: int = 0
    slowed_at: datetime | None = None

    def steps(self, now: datetime) -> int:
        """How many steps it is slowed by, those already taken back not counted."""
        if self.slowed_at is None:
            return 0
        return max(0, self.slowed - int((now - self.slowed_at) / RECOVERY))


@dataclass(frozen=True, slots=True)
class Slowed:
    """A provider that has asked for less mail: each of the `steps` is a quarter of the rate. If it
    says nothing more, the last step is taken back at the moment `until`."""

    provider: str
    steps: int
    until: datetime


def slowed_ones(buckets: Iterable[Bucket], now: datetime) -> list[Slowed]:
    """The providers among the buckets that are mailed slower now, by their names."""
    return sorted(
        (
            Slowed(
                bucket.name.removeprefix(PROVIDER),
                steps,
                bucket.slowed_at + bucket.slowed * RECOVERY,
            )
            for bucket in buckets
            if (steps := bucket.steps(now)) and bucket.slowed_at is not None
        ),
        key=lambda one: one.provider,
    )


def full(name: str, limit: Limit, now: datetime) -> Bucket:
    """A bucket that was never used."""
    return Bucket(name, limit.burst, now)


def rate(bucket: Bucket, limit: Limit, now: datetime) -> float:
    """Messages a second that it may have now; 0 means any number."""
    steps = bucket.steps(now)
    return (limit.per_second or USUAL) / 4**steps if steps else limit.per_second


def available(bucket: Bucket, limit: Limit, now: datetime) -> int | None:
    """How many may go now, less than none if some went ahead; None means any number."""
    return None if rate(bucket, limit, now) == 0 else math.floor(_tokens(bucket, limit, now))


def taken(bucket: Bucket, limit: Limit, count: int, now: datetime) -> Bucket:
    """The bucket after `count` were sent."""
    return replace(bucket, tokens=_tokens(bucket, limit, now) - count, at=now)


def wait(bucket: Bucket, limit: Limit, nth: int, now: datetime) -> timedelta:
    """How long until the `nth` further message (from 1) may go."""
    speed = rate(bucket, limit, now)
    if speed == 0:
        return timedelta(0)
    return timedelta(seconds=max(0.0, (nth - _tokens(bucket, limit, now)) / speed))


def _tokens(bucket: Bucket, limit: Limit, now: datetime) -> float:
    gained = rate(bucket, limit, now) * max(0.0, (now - bucket.at).total_seconds())
    return min(limit.burst, bucket.tokens + gained)


def says_too_fast(outcome: Outcome) -> bool:
    """Whether a server's answer is about our haste or our standing with it, not a mailbox.

    What answers MAIL knows of no recipient yet: that is the relay's own affair. Greylisting
    often says 4.7.1, and asks for nothing but a second try.
    """
    return (
        outcome.verdict is Verdict.DEFERRED
        and outcome.step != "MAIL"
        and (outcome.code == 421 or outcome.enhanced.startswith("4.7."))
        and not _GREYLISTED.search(outcome.text)
    )


def slowed(bucket: Bucket, now: datetime) -> Bucket:
    """The bucket one step slower; answers of the same few seconds make one step."""
    if bucket.slowed_at is not None and now - bucket.slowed_at < _GATHER:
        return bucket
    steps = min(_MOST_STEPS, bucket.steps(now) + 1)
    return replace(bucket, slowed=steps, slowed_at=now, tokens=min(bucket.tokens, 0.0), at=now)


# --- what a site's settings come to ------------------------------------------------------


def relay_limit(relay: Relay) -> Limit:
    """How fast a relay is to be given mail."""
    return Limit.per_minute(relay.per_minute)


def ceiling(relay: Relay, day: date) -> int:
    """How many a relay may have on that day (UTC); 0 means any number."""
    if relay.warm_up_from:
        number = (day - date.fromisoformat(relay.warm_up_from)).days
        if 0 <= number < len(relay.warm_up):
            bound = relay.warm_up[number]
            return min(bound, relay.per_day) if relay.per_day else bound
    return relay.per_day


def day_bucket(label: str, day: date) -> str:
    """The name under which a relay's messages of a day are counted."""
    return f"{_DAY} {day:%Y-%m-%d} {label}"


def next_day(now: datetime) -> datetime:
    """When the day's count begins anew."""
    tomorrow = now.astimezone(UTC).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time.min, UTC)


class _Names:
    """Finds whose a name is, by names and patterns (`*.example.org`: all below that one)."""

    def __init__(self, named: Iterable[tuple[str, str]]) -> None:
        self._exact: dict[str, str] = {}
        self._below: list[tuple[str, str]] = []
        for pattern, owner in named:
            if pattern.startswith("*."):
                self._below.append((pattern[1:].lower(), owner))
            else:
                self._exact[pattern.lower()] = owner

    def owner(self, name: str) -> str:
        """Whose the name (lower case) is; empty if nobody's."""
        found = self._exact.get(name)
        if found is not None:
            return found
        return next((owner for ending, owner in self._below if name.endswith(ending)), "")


class Providers:
    """Finds whose a domain is: a provider of the settings, or else the domain stands for itself."""

    def __init__(self, providers: tuple[Provider, ...]) -> None:
        self._limits = {one.name: Limit.per_minute(one.per_minute) for one in providers}
        self._domains = _Names((domain, one.name) for one in providers for domain in one.domains)
        self._servers = _Names((server, one.name) for one in providers for server in one.mx)
        self.ask_for_mx = any(one.mx for one in providers)
        """Whether some are known by their mail servers."""

    @property
    def are_any(self) -> bool:
        return bool(self._limits)

    def of(self, domain: str) -> str:
        """The name of the provider that receives for a domain (lower case), as far as the name of
        the domain tells."""
        return self.named(domain) or domain

    def named(self, domain: str) -> str:
        """The provider that has the domain (lower case) among its own; empty if none has."""
        return self._domains.owner(domain)

    def behind(self, domain: str, records: Iterable[str]) -> str:
        """The provider whose mail server is the most preferred one of a domain with these MX
        records, as text; empty if it is nobody's. A domain without any is its own (RFC 5321 5.1).
        """
        servers = sorted((_server(record) for record in records), key=lambda one: one[0])
        best = [name for preference, name in servers if preference == servers[0][0]]
        return next(filter(None, map(self._servers.owner, best or [domain])), "")

    def limit(self, name: str) -> Limit:
        return self._limits.get(name, Limit())


def _server(record: str) -> tuple[int, str]:
    """An MX record's preference and host name (lower case, no last dot)."""
    preference, _, host = record.partition(" ")
    return int(preference), host.rstrip(".").lower()
