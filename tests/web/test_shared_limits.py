"""Limits that several machines count together, in a real Redis (or Valkey, which is the same here)."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from redis import Redis
from redis.exceptions import ConnectionError as NotThere

from mailout.config.starter import copy_site
from mailout.core.site import Pages
from mailout.web import limits
from mailout.web.limits import Limits
from sign_ups import heading, worked

SERVER = next(filter(None, map(shutil.which, ("redis-server", "valkey-server"))), None)

if SERVER is None and not os.environ.get("CI"):
    pytest.skip("needs a Redis or Valkey: apt install redis-server", allow_module_level=True)


def free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@dataclass
class Counter:
    """A server that counts and writes nothing to the disk."""

    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        assert SERVER is not None, "apt install redis-server"
        words = [
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ]
        self.process = subprocess.Popen([SERVER, *words], stdout=subprocess.DEVNULL)
        with closing(Redis(port=self.port)) as driver:
            for _ in range(200):
                try:
                    driver.ping()
                    return
                except NotThere:
                    time.sleep(0.05)
        raise AssertionError("it does not answer")

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture
def counter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter]:
    monkeypatch.chdir(tmp_path)  # where it would write, if it did
    one = Counter(free_port())
    one.start()
    yield one
    one.stop()


def admitted(one: Limits, network: str, domain: str = "example.org") -> bool:
    return one.admits(network, domain, worked=False)


@pytest.mark.parametrize("scheme", ["redis", "valkey"])
def test_two_machines_count_together(counter: Counter, scheme: str) -> None:
    url = counter.url.replace("redis", scheme, 1)
    first, second = Limits(Pages(limits=url)), Limits(Pages(limits=url))
    turns = [admitted((first, second)[turn % 2], "192.0.2.0/24") for turn in range(12)]
    assert turns == [True] * 10 + [False] * 2
    assert admitted(second, "198.51.100.0/24")
    assert first.is_first_use(7) and not second.is_first_use(7)


def test_what_it_holds_is_gone_in_an_hour(counter: Counter) -> None:
    admitted(Limits(Pages(limits=counter.url)), "192.0.2.0/24")
    with closing(Redis(port=counter.port)) as driver:
        ends = [driver.ttl(key) for key in driver.scan_iter()]
    assert len(ends) == 3 and all(0 < one <= 3600 for one in ends)


def test_signing_up_goes_on_without_it(
    counter: Counter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one = Limits(Pages(limits=counter.url))
    assert admitted(one, "192.0.2.0/24")
    counter.stop()
    turns = [admitted(one, "192.0.2.0/24") for _ in range(11)]
    assert turns == [True] * 10 + [False]
    assert len(caplog.records) == 1, "it is left alone for a while, not asked each time"
    assert "192.0.2" not in caplog.text
    counter.start()
    assert not admitted(one, "192.0.2.0/24")
    monkeypatch.setattr(limits.time, "monotonic", lambda: one._away_until)
    assert admitted(one, "192.0.2.0/24")  # a new one, that has counted nobody yet


def test_one_that_is_silent_does_not_hold_up_the_forms(caplog: pytest.LogCaptureFixture) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        one = Limits(Pages(limits=url))
        assert admitted(one, "192.0.2.0/24")
    assert [record.getMessage() for record in caplog.records] == [
        "the shared limits do not answer: TimeoutError"
    ]


@contextmanager
def served(root: Path, name: str) -> Iterator[httpx.Client]:
    """A process of `mailout serve`, and a browser in front of it."""
    port = free_port()
    words = ["-m", "mailout", "--site", str(root), "serve", "--port", str(port)]
    log = (root.parent / name).open("wb")
    with log, subprocess.Popen([sys.executable, *words], stdout=log, stderr=log) as process:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
                for _ in range(400):
                    try:
                        client.get("/healthz")
                        break
                    except httpx.TransportError:
                        time.sleep(0.05)
                yield client
        finally:
            process.terminate()


def test_two_processes_that_serve_count_together(tmp_path: Path, counter: Counter) -> None:
    root = tmp_path / "site"
    copy_site(root)
    config = root / "config.toml"
    text = config.read_text("utf-8").replace('limits = ""', f'limits = "{counter.url}"')
    text = text.replace("sign_ups_per_hour = 2000", "sign_ups_per_hour = 16")
    config.write_text(text, "utf-8")
    listed = root / "lists" / "bulletin.toml"
    listed.write_text(listed.read_text("utf-8").replace("join = false", "join = true"), "utf-8")
    with ExitStack() as stack:
        both = [stack.enter_context(served(root, f"log{number}")) for number in range(2)]
        ends = []
        for turn in range(6):
            client = both[turn % 2]
            fields = worked(client.get("/join/bulletin", params={"lang": "en"}).text)
            asked = {**fields, "address": f"reader{turn}@example.org"}
            answer = client.post("/join/bulletin", params={"lang": "en"}, data=asked)
            ends.append(heading(answer))
            # A form is good once, whichever of them takes it.
            again = both[1 - turn % 2].post("/join/bulletin", params={"lang": "en"}, data=asked)
            assert heading(again) == "One more step"
    look, later = "Look into your mail", "Please try again later"
    assert ends == [look] * 4 + [later] * 2  # a mail domain has a quarter of all
