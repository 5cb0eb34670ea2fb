"""The domain name system, asked for records. Nothing here decides what they mean."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import dns.exception
import dns.resolver

from mailout.core.errors import TryLater, UsageError

_SECONDS = 5.0  # for one question, over all name servers
_AT_ONCE = 16  # questions that are asked at the same time
_USUAL = 0.1  # seconds that one is taken to need, for a guess at how long many will
_KEPT = (24 * 3600.0, 3600.0)  # seconds that an answer holds, and that one failure does
_AWAY = (2 * _AT_ONCE, 60.0)  # after so many failures in a row nobody is asked for so many seconds
_MOST_DOMAINS = 200_000  # some 40 MB; the domain asked about the longest ago is forgotten first


def asker(server: str = "") -> Callable[[str, str], Sequence[str]]:
    """What asks the name server (`HOST` or `HOST:PORT`; empty: the machine's own) for the
    records of a name and a type, as text; none if there are none.

    Each question is asked once. Raises (also when asking): UsageError for a server that is no
    address, TryLater if no name server answers.
    """
    resolver = _resolver(server)
    known: dict[tuple[str, str], Sequence[str]] = {}

    def ask(name: str, kind: str) -> Sequence[str]:
        if (name, kind) not in known:
            known[name, kind] = _records(resolver, name, kind)
        return known[name, kind]

    return ask


class _Known(NamedTuple):
    """What an answer came to, and until when it holds."""

    found: str
    until: float


class MailServers:
    """Asks for the mail servers of domains (MX), in threads of its own: nobody waits for them.

    `judge` makes one word of a domain and its records; only that is kept. A failure counts as the
    empty word, or as what was known before. While no name server answers at all, few are asked.
    """

    def __init__(self, server: str, judge: Callable[[str, Sequence[str]], str]) -> None:
        self._server = server
        self._resolver: dns.resolver.Resolver | None = None
        self._judge = judge
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}
        self._asked: set[str] = set()  # waiting, or being asked about
        self._waiting: deque[str] = deque()
        self._threads = 0
        self._failed: set[str] = set()
        self._failures = 0  # in a row
        self._away_until = 0.0

    @property
    def unanswered(self) -> int:
        """Of how many domains nothing could be learnt the last time."""
        return len(self._failed)

    def of(self, domain: str) -> str | None:
        """The word for the domain; None while it is being asked for."""
        with self._lock:
            known = self._known.get(domain)
            if known is None or known.until < time.monotonic():
                self._ask(domain)
            return known.found if known is not None else None

    @property
    def seconds(self) -> float:
        """About how long it will take until all that was asked has an answer."""
        return max(1.0, len(self._asked) * _USUAL / _AT_ONCE)

    def _ask(self, domain: str) -> None:
        if domain in self._asked:
            return
        self._asked.add(domain)
        self._waiting.append(domain)
        if self._threads < _AT_ONCE:
            self._threads += 1
            # A daemon: a process that ends waits for no name server.
            threading.Thread(target=self._work, name="mail servers", daemon=True).start()

    def _work(self) -> None:
        """Asks for one domain after the other, until none is left."""
        while True:
            with self._lock:
                if not self._waiting:
                    self._threads -= 1
                    return
                domain = self._waiting.popleft()
                is_away = time.monotonic() < self._away_until
            found = None if is_away else self._ask_for(domain)
            with self._lock:
                self._learn(domain, found, is_away=is_away)

    def _ask_for(self, domain: str) -> str | None:
        """The word for the domain; None if there is no answer."""
        try:
            if self._resolver is None:
                self._resolver = _resolver(self._server)
            return self._judge(domain, _records(self._resolver, domain, "MX"))
        except Exception:  # whatever it is, mail is not to wait for it
            return None

    def _learn(self, domain: str, found: str | None, *, is_away: bool) -> None:
        now = time.monotonic()
        before = self._known.pop(domain, None)  # so that it stands last again
        if found is not None:
            self._failures = 0
            self._failed.discard(domain)
            self._known[domain] = _Known(found, now + _KEPT[0])
        else:
            self._failed.add(domain)
            if not is_away:
                self._failures += 1
                if self._failures >= _AWAY[0]:
                    self._failures, self._away_until = 0, now + _AWAY[1]
            until = self._away_until if is_away else now + _KEPT[1]
            self._known[domain] = _Known(before.found if before else "", until)
        self._asked.discard(domain)
        if len(self._known) > _MOST_DOMAINS:
            oldest = next(iter(self._known))
            del self._known[oldest]
            self._failed.discard(oldest)


def _resolver(server: str) -> dns.resolver.Resolver:
    try:
        resolver = dns.resolver.Resolver(configure=not server)
        if server:
            host, _, port = server.rpartition(":") if server.count(":") == 1 else (server, "", "")
            resolver.nameservers = [host]
            resolver.port = int(port or 53)
    except (dns.exception.DNSException, ValueError, OSError):
        raise UsageError(
            f"`{server or 'the machine'}` names no name server", fix="Write its IP address."
        ) from None
    resolver.lifetime = _SECONDS
    return resolver


def _records(resolver: dns.resolver.Resolver, name: str, kind: str) -> Sequence[str]:
    try:
        answer = resolver.resolve(name, kind, search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, dns.exception.SyntaxError):
        return ()
    except dns.exception.DNSException as error:
        if isinstance(error, dns.exception.Timeout | dns.resolver.NoNameservers):
            raise TryLater(
                f"no name server answers for {name} ({kind})", fix="Is this machine online?"
            ) from None
        return ()
    if kind == "TXT":
        return tuple(b"".join(record.strings).decode("utf-8", "replace") for record in answer)
    return tuple(record.to_text() for record in answer)
