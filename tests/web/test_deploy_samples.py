"""The samples for nginx and Caddy in docs/deploy/, run as they are but for ports, files and names.

Each is tried where it is installed. nginx speaks TLS here, Caddy does not: it would ask for a
certificate.
"""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import trustme

from mailout.core.site import Site
from mailout.core.subscription import SubscriptionState
from mailout.preferences import settings
from mailout.store.engine import Store
from mailout.web.app import make_app
from mailout.web.forms import MAX_BODY
from mailout.web.serving import serving
from newcomers import join, state_of, without_nonce
from places import REPOSITORY

SAMPLES = REPOSITORY / "docs" / "deploy"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}
# Debian's nginx is in a folder that only the superuser's PATH has.
PATH = f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin"


@dataclass(frozen=True, slots=True)
class Front:
    """A web server before the pages; all that it writes is below `folder`."""

    kind: str
    url: str
    folder: Path
    pages_port: int
    certificates: trustme.CA

    @contextmanager
    def asking(self, source: str = "127.0.0.1", url: str = "") -> Iterator[httpx.Client]:
        """A client whose own address is `source`: all of 127.0.0.0/8 is this machine."""
        trusting = ssl.create_default_context()
        self.certificates.configure_trust(trusting)
        transport = httpx.HTTPTransport(local_address=source, verify=trusting)
        named = {"Host": "news.example.org"}
        with httpx.Client(base_url=url or self.url, headers=named, transport=transport) as client:
            yield client

    def wrote(self) -> str:
        """All that it has written anywhere."""
        files = [one for one in self.folder.rglob("*") if one.is_file() and one.suffix != ".pem"]
        return "\n".join(one.read_text("utf-8", "replace") for one in files)


def free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def filled(sample: str, words: Mapping[str, str]) -> str:
    """The sample with other words; each stands in it, else this tries something else."""
    text = (SAMPLES / sample).read_text("utf-8")
    for old, new in words.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def nginx(folder: Path, port: int, pages: str, certificates: trustme.CA) -> list[str]:
    """The command that runs it."""
    own = certificates.issue_cert("127.0.0.1", "news.example.org")
    own.private_key_pem.write_to_path(folder / "key.pem")
    own.cert_chain_pems[0].write_to_path(folder / "own.pem")
    sample = filled(
        "nginx.conf",
        {
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            "listen [::]:443 ssl;": "",
            "/etc/ssl/news.example.org.pem": f"{folder}/own.pem",
            "/etc/ssl/news.example.org.key": f"{folder}/key.pem",
            "/var/log/nginx/error.log": f"{folder}/error.log",
            "127.0.0.1:8080": pages,
        },
    )
    kept = "".join(
        f"{what}_temp_path {folder}/{what};\n"
        for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/pid;\nevents {{}}\n"
        # What the sample switches off is on around it, as in Debian.
        f"http {{\naccess_log {folder}/access.log;\n{kept}{sample}}}\n",
        "utf-8",
    )
    return ["nginx", "-p", str(folder), "-e", f"{folder}/start.log", "-c", "nginx.conf"]


def caddy(folder: Path, port: int, pages: str, certificates: trustme.CA) -> list[str]:
    """The command that runs it."""
    sample = filled(
        "Caddyfile",
        {
            "news.example.org {": f"http://127.0.0.1:{port}, http://news.example.org:{port} {{",
            "127.0.0.1:8080": pages,
            "\tlog default {": "\tadmin off\n\tlog default {",
        },
    )
    (folder / "Caddyfile").write_text(sample, "utf-8")
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


KINDS: dict[str, Callable[[Path, int, str, trustme.CA], list[str]]] = {
    "nginx": nginx,
    "caddy": caddy,
}


@pytest.fixture(params=KINDS)
def front(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Front]:
    kind = request.param
    program = shutil.which(kind, path=PATH)
    if program is None:
        if kind == "nginx" and os.environ.get("CI"):
            pytest.fail("CI needs nginx: apt install nginx-light")
        pytest.skip(f"apt install {'nginx-light' if kind == 'nginx' else kind}")
    folder = tmp_path / kind
    folder.mkdir()
    port, pages_port, certificates = free_port(), free_port(), trustme.CA()
    _, *words = KINDS[kind](folder, port, f"127.0.0.1:{pages_port}", certificates)
    scheme = "https" if kind == "nginx" else "http"
    with (folder / "said.log").open("wb") as said:
        process = subprocess.Popen(
            [program, *words],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env={**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder)},
        )
        one = Front(kind, f"{scheme}://127.0.0.1:{port}", folder, pages_port, certificates)
        try:
            for _ in range(400):
                with closing(socket.socket()) as knock:
                    if knock.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert process.poll() is None, one.wrote()
                time.sleep(0.025)
            yield one
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture
def behind(site: Site) -> Site:
    """The site, told of the web server before it."""
    return replace(site, pages=replace(site.pages, proxies=("127.0.0.1",)))


def lasting(answer: httpx.Response) -> dict[str, str]:
    """The headers less those that are of the connection, or differ from answer to answer."""
    passing = ("content-security-policy", "date", "connection", "server", "via", "alt-svc")
    return {name: value for name, value in answer.headers.items() if name not in passing}


def test_answers_come_through_as_they_are(front: Front, behind: Site, sqlite_store: object) -> None:
    store: Store = sqlite_store()  # type: ignore[operator]
    anna, ben = join(store, behind), join(store, behind, "ben@example.org")
    with (
        serving(make_app(behind, store), port=front.pages_port) as direct,
        front.asking() as client,
        front.asking(url=direct) as plain,
    ):
        for method, path in (
            ("GET", "/"),
            ("GET", f"/u/{anna.token}"),
            ("HEAD", f"/u/{anna.token}"),
            ("GET", "/u/wrong"),
            ("GET", f"/p/{anna.token}?lang=ar"),
            ("DELETE", f"/u/{anna.token}"),
        ):
            through, here = client.request(method, path), plain.request(method, path)
            assert through.status_code == here.status_code, (method, path)
            assert lasting(through) == lasting(here)
            assert without_nonce(through.text) == without_nonce(here.text)
            policy = through.headers["content-security-policy"]
            assert "default-src 'none'" in policy and "set-cookie" not in through.headers
        # One-click, in either encoding: at once, and no redirect (RFC 8058 3.1).
        assert client.post(f"/u/{anna.token}", data=ONE_CLICK).status_code == 200
        parts = {name: (None, value) for name, value in ONE_CLICK.items()}
        assert client.post(f"/u/{ben.token}", files=parts).status_code == 200
    assert state_of(store, anna) is state_of(store, ben) is SubscriptionState.UNSUBSCRIBED
    store.close()


def test_the_network_is_the_clients_whatever_it_says(
    front: Front, behind: Site, sqlite_store: object
) -> None:
    """Ten mails an hour for a network: no more for who writes another one into each request."""
    store: Store = sqlite_store()  # type: ignore[operator]
    anna = join(store, behind)
    session = settings.begin(behind, anna.id, "en", datetime.now(UTC)).token

    def ask(client: httpx.Client, number: int) -> int:
        said = {"X-Forwarded-For": f"198.51.{number}.7", "X-Real-IP": f"198.51.{number}.7"}
        data = {"session": session, "address": f"a{number}@d{number}.example.org"}
        return client.post("/s/address", data=data, headers=said).status_code

    with serving(make_app(behind, store), port=front.pages_port) as direct:
        with front.asking("127.0.1.5") as client:
            assert [ask(client, number) for number in range(11)] == [200] * 10 + [429]
        with front.asking("127.0.1.77") as client:
            assert ask(client, 20) == 429, "the same network"
        with front.asking("127.0.2.5") as client:
            assert ask(client, 21) == 200, "another one"
        # Who comes past the web server is no proxy of ours, and no word of theirs counts.
        with front.asking("127.0.3.5", direct) as client:
            assert [ask(client, number) for number in range(30, 41)] == [200] * 10 + [429]
    store.close()


def test_no_file_of_it_holds_a_token_or_an_address(
    front: Front, behind: Site, sqlite_store: object
) -> None:
    """Not what was asked for, not when a body is too large, not when the pages are away."""
    store: Store = sqlite_store()  # type: ignore[operator]
    anna = join(store, behind)
    typed = {"address": "somebody.typed@example.org", "filling": "x" * (MAX_BODY - 1000)}
    large = b"address=somebody.typed%40example.org&" + b"x" * MAX_BODY
    with serving(make_app(behind, store), port=front.pages_port), front.asking() as client:
        assert client.get(f"/u/{anna.token}").status_code == 200
        assert client.post("/settings", data=typed).status_code == 200
        assert client.post(f"/u/{anna.token}", content=large).status_code == 413
        assert state_of(store, anna) is SubscriptionState.ACTIVE
        # Notices of providers may be larger; none is awaited here.
        assert client.post("/hooks/mailgun", content=large).status_code == 404
        assert client.post(f"/u/{anna.token}", data=ONE_CLICK).status_code == 200
    with front.asking() as client:  # the pages are away
        answers = [
            client.get(f"/u/{anna.token}"),
            client.post(f"/u/{anna.token}", data=ONE_CLICK),
            client.post("/settings", data=typed),
        ]
    assert [answer.status_code for answer in answers] == [502] * 3
    written = front.wrote() + "".join(answer.text for answer in answers)
    for secret in (anna.token, "somebody.typed", "127.0.0.1 - -"):
        assert secret not in written
    store.close()
