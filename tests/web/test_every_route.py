"""Every route of the app, as its routing table has it, asked by every method with good and bad
words: what each answer carries, and what none of them may tell, nor any line of a log.

A new route is walked by itself; a new kind of word in a path has to be named in `words`.
"""

from __future__ import annotations

import logging
import re
import secrets
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

import httpx
import pytest
from fastapi import FastAPI
from starlette.routing import Route

from mailed_issues import MONDAY, mail, write_post
from mailout.config.templates import read_templates
from mailout.core.address import Address
from mailout.core.site import Site
from mailout.core.webhook.settings import LoginSettings, Webhooks
from mailout.preferences import moving, settings
from mailout.publish import archive
from mailout.store.asked_tables import LETTER
from mailout.store.engine import Store
from mailout.web.app import make_app
from mailout.web.forms import MAX_BODY
from mailout.web.serving import serving
from newcomers import Newcomer, browsing, join
from sign_ups import ask, token_mailed

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND")
STRANGER = "zoe.marker@example.com"
PASSWORD = "a-password-of-a-hook"
ELSEWHERE = "evil.example.net"
FORGED = {
    "Host": ELSEWHERE,
    "Forwarded": f"for=198.51.100.7;host={ELSEWHERE};proto=https",
    "X-Forwarded-For": "198.51.100.7",
    "X-Forwarded-Host": ELSEWHERE,
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Prefix": f"//{ELSEWHERE}",
    "X-Forwarded-Server": ELSEWHERE,
    "X-Original-URL": f"//{ELSEWHERE}/",
    "X-Rewrite-URL": f"//{ELSEWHERE}/",
    "Origin": f"https://{ELSEWHERE}",
    "Referer": f"https://{ELSEWHERE}/?{STRANGER}",
}
"""What a client may claim about where it is and where it came from. No proxy of ours says it."""


@dataclass(frozen=True)
class World:
    """A site with a reader, all kinds of links, and a webhook with a password."""

    site: Site
    store: Store
    app: FastAPI
    anna: Newcomer
    session: str
    tokens: tuple[str, ...]

    @property
    def routes(self) -> list[Route]:
        found = [one for one in self.app.routes if isinstance(one, Route)]
        assert len(found) == len(self.app.routes)  # nothing is mounted that is not walked
        return found

    @property
    def words(self) -> dict[str, tuple[str, ...]]:
        """What is asked for in the place of each word of a path."""
        wrong = ("wrong", STRANGER, "x" * 3000, "%00", "%0d%0aX-Evil:1", f"%2F%2F{ELSEWHERE}")
        return {
            "token": (*self.tokens, *wrong),
            "list_id": ("bulletin", *wrong),
            "provider": ("postmark", *wrong),
            "path:path": ("", "index.html", "en", "en/", "en/issues/w47.html", "..", *wrong),
        }

    @property
    def paths(self) -> list[str]:
        found = []
        for route in self.routes:
            asked = re.findall(r"\{([^}]+)\}", route.path)
            if not asked:
                found.append(route.path)
            for word in (one for name in asked for one in self.words[name]):
                found.append(re.sub(r"\{[^}]+\}", lambda _, word=word: word, route.path))
        return found

    def bodies(self) -> Iterator[dict[str, object]]:
        """What comes with a POST: nothing, what is right, what is not, and what is no form."""
        typed = {"address": STRANGER, "name": "Zoe <b>", "session": self.session}
        yield {}
        yield {"data": {**typed, "bulletin.shown": "1", "bulletin.on": "1", "language": "ru"}}
        yield {"data": {"address": f"{STRANGER} at", "name": "\x00", "session": self.session}}
        yield {"data": {**typed, "name": "x" * 300, "paused": "1", "until": STRANGER}}
        yield {"data": {"session": STRANGER, "undo": STRANGER, "token": STRANGER, "list": "x"}}
        yield {"content": STRANGER.encode(), "headers": {"Content-Type": "multipart/form-data"}}
        yield {"json": typed}
        yield {"content": b"\xff\xfe=" + STRANGER.encode("utf-16")}
        yield {"content": STRANGER.encode() * (MAX_BODY // 20)}
        yield {"data": {"List-Unsubscribe": "One-Click"}}

    def answers(self, client: httpx.Client, more: dict[str, str]) -> Iterator[httpx.Response]:
        """The answers to everything that can be asked."""
        for path in [*self.paths, "/nothing", "//", "/u", "/docs", f"//{ELSEWHERE}/%2e%2e"]:
            for method in METHODS:
                for body in self.bodies() if method == "POST" else ({},):
                    headers = {**more, **body.get("headers", {})}
                    yield client.request(method, path, **{**body, "headers": headers})

    @property
    def told(self) -> tuple[str, ...]:
        """What may stand in no log and on no page of an error."""
        return (self.anna.address, STRANGER, self.session, PASSWORD, *self.tokens, "x" * 100)


@pytest.fixture
def store(sqlite_store: Callable[[], Store]) -> Iterator[Store]:
    store = sqlite_store()
    yield store
    store.close()


@pytest.fixture
def world(site: Site, store: Store, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("HOOK_PASSWORD", PASSWORD)
    (site.root / "issues").mkdir()
    write_post(site, "port.en", "The harbour stands still")
    mail(site, store, "w47", ["port"])
    archive.build(site, store, read_templates(site.root), MONDAY)
    hooks = Webhooks(postmark=LoginSettings(username="mailout", password_env="HOOK_PASSWORD"))
    site = replace(site, webhooks=hooks)
    anna, now = join(store, site), datetime.now(UTC)
    tokens = [anna.token]
    ask(site, store, "new@example.org", now)
    tokens.append(token_mailed(store))
    settings.ask_link(site, store, anna.token, "en", now, secrets.token_bytes)
    tokens.append(token_mailed(store))
    person = settings.reader(site, store, _session(site, anna), now)
    assert person is not None
    moving.ask(site, store, person, Address.parse("moved@example.org"), now, secrets.token_bytes)
    tokens.append(token_mailed(store))
    app = make_app(site, store)
    return World(site, store, app, anna, _session(site, anna), tuple(tokens))


def _session(site: Site, one: Newcomer) -> str:
    return settings.begin(site, one.id, "en", datetime.now(UTC)).token


def is_mailed(answer: httpx.Response) -> bool:
    """Whether it is a part of the archive, which is for everybody and may be kept."""
    return answer.url.path.startswith("/archive") and answer.status_code in (200, 304, 308)


def test_every_answer_is_private_light_and_asks_nobody(world: World) -> None:
    seen = set()
    with browsing(world.app) as client:
        for answer in world.answers(client, {}):
            what = (answer.request.method, answer.url.path[:60], answer.status_code)
            seen.add(answer.status_code)
            fields = answer.headers
            policy = fields["content-security-policy"]
            assert policy.startswith("default-src 'none'; "), what
            assert "frame-ancestors 'none'" in policy and "unsafe" not in policy, what
            assert fields["referrer-policy"] == "no-referrer", what
            assert fields["x-content-type-options"] == "nosniff", what
            assert "set-cookie" not in fields and "server" not in fields, what
            assert "access-control-allow-origin" not in fields, what
            if is_mailed(answer):
                continue
            assert fields["cache-control"] == "no-store", what
            assert fields["x-robots-tag"] == "noindex", what
            assert "location" not in fields and not 300 <= answer.status_code < 400, what
            assert len(answer.content) < 30_000, what
            assert loaded_from(answer.text) <= {""}, what
    assert {200, 204, 404, 405, 413, 422} <= seen


def loaded_from(page: str) -> set[str]:
    """The hosts that the page loads from, links or sends to; empty for itself and for mail."""
    found = re.findall(r"""\b(?:src|href|action|srcset|poster|data)=["']([^"']*)""", page)
    found += re.findall(r"""url\(["']?([^"')]*)|@import\s+["']([^"']*)""", page)
    flat = (one if isinstance(one, str) else "".join(one) for one in found)
    return {urlsplit(one).netloc for one in flat}


def test_a_method_that_is_not_there_names_all_that_are(world: World) -> None:
    with browsing(world.app) as client:
        for path, allowed in (
            ("/join/bulletin", "GET, HEAD, POST"),
            ("/", "GET, HEAD"),
            ("/hooks/x", "POST"),
        ):
            answer = client.put(path)
            assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


def test_no_log_line_and_no_error_page_tells_who_or_with_what(
    world: World, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG), browsing(world.app) as client:
        logging.getLogger("uvicorn").setLevel(logging.DEBUG)
        logging.getLogger("uvicorn.error").setLevel(logging.DEBUG)
        login = {"Authorization": f"Basic {PASSWORD}", "Cookie": f"who={STRANGER}"}
        for answer in world.answers(client, login):
            assert answer.status_code < 500, answer.url
            # What cannot be saved is shown again to who has typed it.
            if answer.status_code >= 400 and answer.status_code != 422:
                _tells_none_of(world, answer.text + str(answer.headers))
    _tells_none_of(world, logged(caplog, capfd))


def test_no_failure_within_a_page_tells_who_or_with_what(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def fails(*arguments: object) -> None:
        raise RuntimeError(f"cannot do {arguments} {world.told}") from ValueError(world.told)

    monkeypatch.setattr(Store, "reading", fails)
    monkeypatch.setattr(Store, "writing", fails)
    failed = 0
    with caplog.at_level(logging.DEBUG), browsing(world.app) as client:
        for answer in world.answers(client, {"Cookie": f"who={STRANGER}"}):
            failed += answer.status_code == 500
            if answer.status_code >= 500:
                _tells_none_of(world, answer.text + str(answer.headers))
                assert answer.headers["cache-control"] == "no-store"
    assert failed > 50
    said = logged(caplog, capfd)
    assert "RuntimeError at" in said and "Traceback" not in said
    _tells_none_of(world, said)


def logged(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> str:
    """All that was logged or printed by anybody but the client; the words of exceptions, too."""
    whole = logging.Formatter("%(name)s %(message)s")
    lines = [
        whole.format(one) for one in caplog.records if one.name.split(".")[0] not in _THE_CLIENT
    ]
    return "\n".join([*lines, *capfd.readouterr()])


_THE_CLIENT = ("httpx", "httpcore")


def _tells_none_of(world: World, text: str) -> None:
    plain = unquote(text)
    assert [one for one in world.told if one in text or one in plain] == []


def test_no_word_of_a_client_names_where_we_are(world: World) -> None:
    """Links in pages are paths, links in mails begin with the site's `url`, whatever is claimed."""
    with browsing(world.app) as client:
        for answer in world.answers(client, FORGED):
            what = (answer.request.method, answer.url.path[:60])
            assert ELSEWHERE not in str(answer.headers), what
            typed_it = ELSEWHERE in unquote(str(answer.url))
            assert typed_it or ELSEWHERE not in answer.text, what
            assert loaded_from(answer.text) <= ({""} if not is_mailed(answer) else HOSTS), what
            assert "x-evil" not in answer.headers, what
    with world.store.reading() as tx:
        letters = [dict(row._mapping) for row in tx.execute(LETTER.select())]
    assert len(letters) > 3 and ELSEWHERE not in str(letters)


HOSTS = {"", "127.0.0.1:8080", "news.example.org", "example.org"}
"""That pages of the archive link to: their own and those in the post."""


@pytest.mark.parametrize("proxies", [(), ("192.0.2.1",), ("127.0.0.1",)])
def test_who_is_no_proxy_of_ours_is_counted_as_itself(
    world: World, proxies: tuple[str, ...]
) -> None:
    """Ten an hour a network without the work: only a proxy of ours can say that it is another."""
    site = replace(world.site, pages=replace(world.site.pages, proxies=proxies))
    statuses = []
    with browsing(make_app(site, world.store)) as client:
        for number in range(12):
            claimed = f"198.51.{number}.7"
            said = {name: claimed for name in _NAMES_OF_A_CLIENT} | {"Forwarded": f"for={claimed}"}
            typed = {"session": world.session, "address": f"a{number}@example.org"}
            statuses.append(client.post("/s/address", data=typed, headers=said).status_code)
    believed = proxies == ("127.0.0.1",)
    assert statuses == [200] * (12 if believed else 10) + [429] * (0 if believed else 2)


_NAMES_OF_A_CLIENT = (
    "X-Forwarded-For", "X-Real-IP", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP",
)  # fmt: skip


@pytest.mark.parametrize(
    "sent", [b"nonsense\r\n\r\n", b"GET /u/%s HTTP/9.9\r\n\r\n", b"\x16\x03\x01"]
)
def test_what_is_no_http_is_answered_as_privately(
    world: World, sent: bytes, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    token = world.anna.token.encode()
    with caplog.at_level(logging.DEBUG), serving(world.app) as url:
        host, port = urlsplit(url).hostname, urlsplit(url).port
        with socket.create_connection((host, port), timeout=10) as wire:
            wire.sendall(sent.replace(b"%s", token) + b"X: " + token + b"\r\n\r\n")
            answer = b"".join(iter(lambda: wire.recv(4096), b"")).decode()
    assert answer.startswith("HTTP/1.1 400 ") and world.anna.token not in answer
    for field in ("no-store", "no-referrer", "noindex", "default-src 'none'"):
        assert field in answer
    _tells_none_of(world, logged(caplog, capfd))
