"""Where a request comes from, as far as that is needed to count: the network, never the machine.

It is kept in memory for an hour and written down nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from starlette.requests import Request

_UNKNOWN = "unknown"


def prefix_of(request: Request, proxies: Sequence[str]) -> str:
    """The network (/24 of IPv4, /48 of IPv6) that the request comes from.

    `X-Forwarded-For` counts as far as it was written by our own proxies: it is read from its
    end to the first address that is none of them. Anything else in it is a stranger's word.
    """
    peer = _address(request.client.host if request.client else "")
    said = request.headers.getlist("x-forwarded-for")
    hops = [part.strip() for line in said for part in line.split(",")][-20:]
    while peer is not None and hops and _is_one_of(peer, proxies):
        peer = _address(hops.pop())
    if peer is None:
        return _UNKNOWN
    size = 24 if isinstance(peer, IPv4Address) else 48
    return str(ip_network((peer, size), strict=False))


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text.strip("[]").split("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def _is_one_of(peer: IPv4Address | IPv6Address, proxies: Sequence[str]) -> bool:
    return any(
        peer in network for network in map(ip_network, proxies) if network.version == peer.version
    )
