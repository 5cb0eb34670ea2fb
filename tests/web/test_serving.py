"""Serving: where it listens, and what it says when it cannot."""

from __future__ import annotations

import gc
import os
import signal
import socket
import threading
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from mailout.core.errors import MailoutError
from mailout.web.serving import listen, serve, serving, url_of

APP = PlainTextResponse("hello")


def test_serves_until_the_end_of_the_block() -> None:
    with serving(APP) as url:
        assert httpx.get(url).text == "hello"
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_a_port_in_use_is_named() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert url_of(taken) == f"http://127.0.0.1:{port}"
        with pytest.raises(MailoutError, match=rf"127.0.0.1:{port}: another program uses"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_a_host_that_is_not_ours(host: str) -> None:
    with pytest.raises(MailoutError, match="cannot listen there"):
        listen(host, 0)


def test_a_port_that_is_none() -> None:
    with pytest.raises(MailoutError, match="a port is a number"):
        listen("127.0.0.1", 70000)


def test_a_head_without_end_is_cut_off() -> None:
    with serving(APP) as url:
        parts = urlsplit(url)
        with socket.create_connection((parts.hostname, parts.port), timeout=10) as wire:
            wire.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
            with pytest.raises(OSError):
                for _ in range(1000):
                    wire.sendall(b"x" * 10_000)
        assert httpx.get(url).text == "hello"


def test_a_large_head_is_read_again_and_again() -> None:
    with serving(APP) as url, httpx.Client(base_url=url) as client:
        for _ in range(10):
            assert client.get("/", headers={"X": "x" * 50_000}).text == "hello"


def test_no_answer_waits_for_a_walk_through_all_that_was_loaded() -> None:
    """The collector stops everybody while it walks: what was there before the first request is
    out of its way, and in it again at the end."""
    seen: list[tuple[int, int]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((gc.get_freeze_count(), len(gc.get_objects())))
        await PlainTextResponse("hello")(scope, receive, send)
        os.kill(os.getpid(), signal.SIGINT)

    listening = listen("127.0.0.1", 0)
    asking = threading.Thread(target=httpx.get, args=(url_of(listening),))
    asking.start()
    serve(app, listening)
    asking.join()
    [(out_of_the_way, to_walk_through)] = seen
    assert out_of_the_way > 10 * to_walk_through
    assert gc.get_freeze_count() == 0
