"""A name server on loopback: it knows a few TXT and MX records, fails for what is below
`broken.example`, and says nothing of what is below `silent.example`."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


@contextmanager
def name_server(
    texts: Mapping[str, str],
    servers: Mapping[str, Sequence[str]] | None = None,
    asked: list[str] | None = None,
) -> Iterator[str]:
    """Its address, `HOST:PORT`. `texts` are TXT records, in quotes, `servers` MX records, by names
    with a last dot; those that it is `asked` for are put there."""
    mail = servers or {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))

        def answer() -> None:
            while True:
                raw, peer = listening.recvfrom(4096)
                if not raw:
                    return
                query = dns.message.from_wire(raw)
                reply = dns.message.make_response(query)
                name = query.question[0].name.to_text()
                kind = dns.rdatatype.to_text(query.question[0].rdtype)
                if asked is not None:
                    asked.append(name)
                if name.endswith("silent.example."):
                    continue
                if name in mail and kind == "MX":
                    reply.answer.append(dns.rrset.from_text(name, 60, "IN", "MX", *mail[name]))
                elif name in texts and kind == "TXT":
                    reply.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", texts[name]))
                elif name.endswith("broken.example."):
                    reply.set_rcode(dns.rcode.SERVFAIL)
                elif name not in texts and name not in mail:
                    reply.set_rcode(dns.rcode.NXDOMAIN)
                listening.sendto(reply.to_wire(), peer)

        thread = threading.Thread(target=answer)
        thread.start()
        host, port = listening.getsockname()
        try:
            yield f"{host}:{port}"
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"", (host, port))
            thread.join()
