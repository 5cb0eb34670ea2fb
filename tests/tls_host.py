"""A web server with TLS on loopback that answers byte for byte as it is told, once a connection."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import trustme

from mailout.fetch import Door

NAME = "harbour.example.org"
Answer = bytes | Callable[[ssl.SSLSocket], None]


def page(
    body: bytes,
    kind: str = "text/html; charset=utf-8",
    status: str = "200 OK",
    more: str = "",
    length: int | None = None,
) -> bytes:
    """An answer in HTTP; `more` are further header lines, `length` is what it claims to have."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{more}"
    claimed = len(body) if length is None else length
    return f"{head}Content-Length: {claimed}\r\n\r\n".encode() + body


def redirect(location: str, status: str = "302 Found") -> bytes:
    return page(b"", status=status, more=f"Location: {location}\r\n")


@dataclass
class TlsHost:
    """Serves `answers` by path; what was asked of it stands in `requests`."""

    authority: trustme.CA
    answers: dict[str, Answer] = field(default_factory=dict)
    names: tuple[str, ...] = (NAME,)
    requests: list[str] = field(default_factory=list)
    asked_for: list[str] = field(default_factory=list)

    def __enter__(self) -> TlsHost:
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.authority.issue_cert(*self.names).configure_cert(self.context)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.stopped = False
        self.threads = [threading.Thread(target=self._serve)]
        self.threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped = True
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port)).close()
        for thread in self.threads:
            thread.join()
        self.socket.close()

    def url(self, path: str = "/", name: str = NAME) -> str:
        return f"https://{name}:{self.port}{path}"

    def door(self, addresses: Mapping[str, str] | None = None, **more: object) -> Door:
        """A door to this server alone, under its names or those of `addresses`."""
        known = addresses or dict.fromkeys(self.names, "127.0.0.1")
        context = ssl.create_default_context()
        self.authority.configure_trust(context)

        def resolve(host: str, _port: int) -> list[str]:
            self.asked_for.append(host)
            if host not in known:
                raise socket.gaierror(socket.EAI_NONAME, "no such name")
            return known[host].split()

        allowed = frozenset({("127.0.0.1", self.port)})
        return Door(allowed=allowed, context=context, resolve=resolve, **more)  # type: ignore[arg-type]

    def _serve(self) -> None:
        while not self.stopped:
            plain, _ = self.socket.accept()
            if self.stopped:
                plain.close()
                return
            self.threads.append(threading.Thread(target=self._talk, args=(plain,)))
            self.threads[-1].start()

    def _talk(self, plain: socket.socket) -> None:
        plain.settimeout(10)
        # A client that goes away is no fault here.
        with contextlib.suppress(OSError), plain, self._secured(plain) as secure:
            heard = b""
            while b"\r\n\r\n" not in heard:
                part = secure.recv(4096)
                if not part:
                    return
                heard += part
            self.requests.append(heard.decode())
            path = heard.split(b" ", 2)[1].decode()
            answer = self.answers.get(path, page(b"", status="404 Not Found"))
            if callable(answer):
                answer(secure)
            else:
                secure.sendall(answer)

    def _secured(self, plain: socket.socket) -> ssl.SSLSocket:
        return self.context.wrap_socket(plain, server_side=True)
