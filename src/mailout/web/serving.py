"""Serving an app by uvicorn: in the foreground until Ctrl-C, or in a thread for demo and tests.

There is no access log, since the paths hold tokens, and no header that names the software.
The loop is uvloop's and the parser httptools', both in C: a short answer takes a third of the
processor that the ones in Python would take.
"""

from __future__ import annotations

import errno
import gc
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mailout.core.errors import MailoutError
from mailout.web.pages import headers

_BACKLOG = 2048
_START_SECONDS = 10.0
_MOST_UNREAD = 256 * 1024
"""Bytes of a head or a trailer, of which no reader of ours could make anything."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one. Raises: MailoutError saying why not."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if not 0 <= port < 65536:
        raise MailoutError("a port is a number from 0 to 65535", where=f"{host}:{port}")
    try:
        listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        where = f"{host}:{port}"
        if error.errno == errno.EADDRINUSE:
            raise MailoutError(
                "another program uses this port already",
                where=where,
                fix="Stop it, or choose another with --port.",
            ) from None
        if error.errno == errno.EACCES:
            raise MailoutError(
                "this port is for the system's administrator",
                where=where,
                fix="Choose one above 1023, and let a web server forward to it.",
            ) from None
        raise MailoutError(
            f"cannot listen there: {error.strerror or error}",
            where=where,
            fix="The host must be an address of this machine, such as 127.0.0.1.",
        ) from None
    # Inherited by every connection. asyncio does it only for sockets that it made itself, and
    # without it an answer's body waits 40 ms for the acknowledgement of its head.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def url_of(listening: socket.socket) -> str:
    """The address to type into a browser on this machine."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(app: ASGIApp, listening: socket.socket) -> None:
    """Nothing, once Ctrl-C or SIGTERM has ended it; open requests are answered first."""
    # What is here by now stays until the end. Python's collector would walk through all of it
    # again and again, some tens of milliseconds in which nobody is answered.
    gc.collect()
    gc.freeze()
    try:
        _server(app).run(sockets=[listening])
    except KeyboardInterrupt:
        pass  # uvicorn has shut down already, and hands the signal on
    finally:
        gc.unfreeze()
        listening.close()


@contextmanager
def serving(app: ASGIApp, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """The address under which `app` is served by a thread, until the block's end.

    Raises: MailoutError if it cannot listen or does not start.
    """
    with listen(host, port) as listening:
        server = _server(app)
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listening]}, name="pages", daemon=True
        )
        thread.start()
        try:
            deadline = time.monotonic() + _START_SECONDS
            while not server.started:
                if not thread.is_alive() or time.monotonic() > deadline:
                    raise MailoutError("the pages do not start", where=url_of(listening))
                time.sleep(0.005)
            yield url_of(listening)
        finally:
            server.should_exit = True
            thread.join(_START_SECONDS)


class _Bounded(HttpToolsProtocol):
    """The protocol, with a bound on what it keeps of a head that does not end: httptools has
    none, and the application sees a request only when its head is whole."""

    _unread = 0

    def data_received(self, data: bytes) -> None:
        self._unread += len(data)
        super().data_received(data)
        if self._unread > _MOST_UNREAD:
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """Answers what is no HTTP, which no application sees, under the headers of every answer."""
        fields = {
            **headers(),
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Length": str(len(msg)),
            "Connection": "close",
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.transport.write(f"HTTP/1.1 400 Bad Request\r\n{head}\r\n{msg}".encode("ascii"))
        self.transport.close()

    def on_headers_complete(self) -> None:
        self._unread = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unread = 0
        super().on_message_complete()


def _server(app: ASGIApp) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=_Bounded,
            access_log=False,
            log_level="warning",
            server_header=False,
            # A forwarded client address would be of no use: none is kept.
            proxy_headers=False,
            lifespan="off",
            timeout_graceful_shutdown=10,
        )
    )
