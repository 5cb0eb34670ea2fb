"""A name server on loopback: it knows a few TXT records, and fails for `broken.example`."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


@contextmanager
def name_server(texts: Mapping[str, str]) -> Iterator[str]:
    """Its address, `HOST:PORT`. `texts` are TXT records, in quotes, by names with a last dot."""
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
                if name in texts and kind == "TXT":
                    reply.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", texts[name]))
                elif name == "broken.example.":
                    reply.set_rcode(dns.rcode.SERVFAIL)
                elif name not in texts:
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
