"""The domain name system, asked for records. Nothing here decides what they mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import dns.exception
import dns.resolver

from mailout.core.errors import TryLater, UsageError

_SECONDS = 5.0  # for one question, over all name servers


def asker(server: str = "") -> Callable[[str, str], Sequence[str]]:
    """What asks the name server (`HOST` or `HOST:PORT`; empty: the machine's own) for the
    records of a name and a type, as text; none if there are none.

    Each question is asked once. Raises (also when asking): UsageError for a server that is no
    address, TryLater if no name server answers.
    """
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
    known: dict[tuple[str, str], Sequence[str]] = {}

    def ask(name: str, kind: str) -> Sequence[str]:
        if (name, kind) not in known:
            known[name, kind] = _records(resolver, name, kind)
        return known[name, kind]

    return ask


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
