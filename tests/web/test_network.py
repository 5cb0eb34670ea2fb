"""Which network a request is counted for: a stranger's word of it counts for nothing."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from mailout.web.network import prefix_of

PROXIES = ("127.0.0.1", "10.0.0.0/8", "fd00::/8")


def seen(peer: str | None, *forwarded: str) -> str:
    headers = [(b"x-forwarded-for", one.encode()) for one in forwarded]
    client = (peer, 1234) if peer is not None else None
    return prefix_of(Request({"type": "http", "headers": headers, "client": client}), PROXIES)


@pytest.mark.parametrize(
    ("peer", "forwarded", "network"),
    [
        ("198.51.100.7", [], "198.51.100.0/24"),
        ("2001:db8:1:2::3", [], "2001:db8:1::/48"),
        ("::ffff:198.51.100.7", [], "198.51.100.0/24"),
        ("198.51.100.7", ["203.0.113.1"], "198.51.100.0/24"),  # no proxy of ours says so
        ("127.0.0.1", ["203.0.113.1"], "203.0.113.0/24"),
        ("127.0.0.1", ["192.0.2.1, 203.0.113.1"], "203.0.113.0/24"),  # the last word counts
        ("127.0.0.1", ["192.0.2.1, 203.0.113.1, 10.1.2.3"], "203.0.113.0/24"),
        ("127.0.0.1", ["192.0.2.1", "203.0.113.1"], "203.0.113.0/24"),
        ("fd00::1", ["2001:db8:9::1"], "2001:db8:9::/48"),
        ("127.0.0.1", [], "127.0.0.0/24"),
        ("127.0.0.1", ["nonsense"], "unknown"),
        ("testclient", [], "unknown"),
        (None, [], "unknown"),
        ("127.0.0.1", ["10.0.0.1," * 5000], "unknown"),
    ],
)
def test_networks(peer: str | None, forwarded: list[str], network: str) -> None:
    assert seen(peer, *forwarded) == network
