"""The public pages: one answer to all that is wrong, and nothing given away in any.

On SQLite only: what is answered does not depend on the database (test_leaving_pages.py).
"""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import event

from mailout.core.errors import TryLater
from mailout.core.site import Site
from mailout.core.subscription import SubscriptionState
from mailout.core.suppression import SuppressionReason
from mailout.store import suppressions
from mailout.store.engine import Store, open_store
from mailout.web import leaving as leaving_pages
from mailout.web.app import make_app
from mailout.web.forms import MAX_BODY
from mailout.web.serving import serving
from newcomers import action_of, browsing, dump, join, state_of, undo_in, without_nonce

UNSUBSCRIBED = SubscriptionState.UNSUBSCRIBED
ACTIVE = SubscriptionState.ACTIVE
ONE_CLICK = {"List-Unsubscribe": "One-Click"}
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

UNKNOWN = [
    ("GET", "/nothing", 404),
    ("GET", "/docs", 404),
    ("GET", "/openapi.json", 404),
    ("GET", "/u/", 404),
    ("GET", "/u", 404),
    ("POST", "/", 405),
    ("DELETE", "/u/{}", 405),
    ("PUT", "/u/{}", 405),
    ("OPTIONS", "/u/{}", 405),
    ("PUT", "/p/{}", 405),
]


@pytest.fixture
def store(sqlite_store: Callable[[], Store]) -> Iterator[Store]:
    store = sqlite_store()
    yield store
    store.close()


@pytest.fixture
def client(site: Site, store: Store) -> Iterator[httpx.Client]:
    with browsing(make_app(site, store)) as client:
        yield client


def lasting(fields: httpx.Headers) -> dict[str, str]:
    """The headers less those that differ from answer to answer."""
    return {k: v for k, v in fields.items() if k not in ("content-security-policy", "date")}


def test_head_has_the_headers_of_get_and_no_body(
    client: httpx.Client, site: Site, store: Store
) -> None:
    anna = join(store, site)
    for path in ("/", f"/u/{anna.token}", f"/p/{anna.token}", "/u/wrong", "/healthz"):
        got, head = client.get(path), client.head(path)
        assert head.content == b""
        assert head.status_code == got.status_code
        assert set(head.headers) == set(got.headers)
        assert head.headers["content-length"] == got.headers["content-length"]


def test_the_pages_name_the_list_and_nobody(client: httpx.Client, site: Site, store: Store) -> None:
    anna = join(store, site)
    for path in (f"/u/{anna.token}", f"/p/{anna.token}"):
        page = client.get(path).text
        assert site.lists["bulletin"].settings.name in page
        for secret in (anna.address, "anna", "Anna", "unions", anna.address_key):
            assert secret not in page
        before = without_nonce(page)
        client.post(f"/u/{anna.token}")
        assert without_nonce(client.get(path).text) == before


def test_the_first_page_shows_the_lists(client: httpx.Client, site: Site) -> None:
    said = site.lists["bulletin"].settings
    for code, words in {
        "en": said.description,
        "ar": said.description,
        **said.descriptions,
    }.items():
        for path in ("/", "/join/bulletin"):
            assert f"<bdi>{words}</bdi>" in client.get(path, params={"lang": code}).text
    assert set(said.descriptions) == {"ru", "kk", "de"}


def test_the_answer_to_a_program_holds_no_undo(
    client: httpx.Client, site: Site, store: Store
) -> None:
    anna = join(store, site, language="de")
    answer = client.post(f"/u/{anna.token}", data=ONE_CLICK)
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text == "Sie sind abgemeldet\n" or len(answer.text) < 80


def test_a_list_that_is_no_more_can_be_left(client: httpx.Client, site: Site, store: Store) -> None:
    anna = join(store, site, list_id="gone")
    assert client.get(f"/u/{anna.token}").status_code == 200
    assert client.get(f"/p/{anna.token}").status_code == 200
    assert client.post(f"/u/{anna.token}").status_code == 200
    assert state_of(store, anna, "gone") is UNSUBSCRIBED


def test_undo_after_its_day(
    client: httpx.Client, site: Site, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = join(store, site)
    undo = undo_in(client.post(f"/u/{anna.token}").text)
    real = leaving_pages.now
    monkeypatch.setattr(leaving_pages, "now", lambda: real() + timedelta(hours=24, seconds=2))
    before = dump(store)
    answer = client.post("/u/undo", data={"undo": undo})
    assert answer.status_code == 404
    assert without_nonce(answer.text) == without_nonce(client.get("/u/wrong").text)
    assert dump(store) == before


def test_undo_of_the_suppressed_says_nothing(
    client: httpx.Client, site: Site, store: Store
) -> None:
    anna = join(store, site)
    undo = undo_in(client.post(f"/u/{anna.token}").text)
    with store.writing() as tx:
        suppressions.add(tx, anna.address_key, SuppressionReason.DEAD, leaving_pages.now())
    answer = client.post("/u/undo", data={"undo": undo})
    assert without_nonce(answer.text) == without_nonce(client.get("/u/wrong").text)


def broken(token: str) -> Iterator[str]:
    """Every one-bit change of the token, and worse."""
    for at in range(len(token)):
        value = ALPHABET.index(token[at])
        for bit in range(6):
            yield token[:at] + ALPHABET[value ^ (1 << bit)] + token[at + 1 :]
    yield from (token[:-1], token[1:], token + "A", token + "=", token.swapcase(), token[::-1])
    yield from ("x", "x" * 10_000, "%00", "%00" * 22, "%C3%A9" * 22, "%FF%FE", "...", "+")
    yield from ("a%2Fb", "a/b", "%20" + token, token + "%0d%0aX-Evil:1", "undo%00", "'--")


def test_wrong_tokens_get_one_and_the_same_page(site: Site, store: Store) -> None:
    anna = join(store, site)
    before = dump(store)
    with browsing(make_app(site, store)) as client:
        wanted = client.get("/u/wrong")
        assert wanted.status_code == 404
        for token in broken(anna.token):
            for method, path in (("GET", "/u/"), ("POST", "/u/"), ("GET", "/p/")):
                answer = client.request(method, path + token)
                assert answer.status_code == 404, (method, token)
                assert without_nonce(answer.text) == without_nonce(wanted.text)
                assert lasting(answer.headers) == lasting(wanted.headers)
    assert dump(store) == before


def test_unknown_paths_and_methods(client: httpx.Client, site: Site, store: Store) -> None:
    anna = join(store, site)
    wanted = without_nonce(client.get("/u/wrong").text)
    for method, path, status in UNKNOWN:
        answer = client.request(method, path.format(anna.token))
        assert answer.status_code == status, (method, path)
        assert without_nonce(answer.text) == wanted
    assert state_of(store, anna) is ACTIVE


def test_every_answer_carries_the_headers(client: httpx.Client, site: Site, store: Store) -> None:
    anna = join(store, site)
    answers = [
        client.get("/"),
        client.get(f"/u/{anna.token}"),
        client.get(f"/p/{anna.token}"),
        client.get("/u/wrong"),
        client.get("/nothing"),
        client.get("/robots.txt"),
        client.get("/healthz"),
        client.delete(f"/u/{anna.token}"),
        client.post(f"/u/{anna.token}", content=b"x" * (MAX_BODY + 1)),
        client.post(f"/u/{anna.token}"),
        client.post(f"/u/{anna.token}", data=ONE_CLICK),
        client.post("/u/undo"),
    ]
    for answer in answers:
        fields = answer.headers
        assert fields["referrer-policy"] == "no-referrer"
        assert fields["cache-control"] == "no-store"
        assert fields["x-robots-tag"] == "noindex"
        assert fields["x-content-type-options"] == "nosniff"
        policy = fields["content-security-policy"]
        for part in ("default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
            assert part in policy
        assert "form-action 'self'" in policy
        assert "unsafe" not in policy
        if answer.headers["content-type"].startswith("text/html"):
            nonce = re.search(r"style-src 'nonce-([^']+)'", policy)
            assert nonce is not None
            assert f'nonce="{nonce[1]}"' in answer.text
            assert answer.text.count("<style") == 1
            assert "<script" not in answer.text
            assert " style=" not in answer.text
            assert len(answer.content) < 30_000
    assert (
        answers[0].headers["content-security-policy"]
        != (client.get("/").headers["content-security-policy"])
    )


def test_robots_are_sent_away_from_all_but_the_archive(client: httpx.Client) -> None:
    assert client.get("/robots.txt").text == "User-agent: *\nAllow: /archive\nDisallow: /\n"


def test_a_body_beyond_the_cap_is_refused(client: httpx.Client, site: Site, store: Store) -> None:
    anna = join(store, site)
    answer = client.post(f"/u/{anna.token}", content=b"x" * (MAX_BODY + 1))
    assert answer.status_code == 413
    assert state_of(store, anna) is ACTIVE
    very_large = client.post(f"/u/{anna.token}", content=b"x" * 3_000_000)
    assert very_large.status_code == 413
    assert client.post(f"/u/{anna.token}", content=b"x" * MAX_BODY).status_code == 200


def test_the_reader_chooses_the_language(client: httpx.Client, site: Site, store: Store) -> None:
    for code in ("en", "ru", "kk", "de", "ar"):
        root = f'<html lang="{code}" dir="{"rtl" if code == "ar" else "ltr"}">'
        anna = join(store, site, f"{code}@example.org", language="de")
        page = client.get(f"/u/{anna.token}?lang={code}").text
        assert root in page
        # The choice is kept by what the page's form leads to.
        left = client.post(action_of(page)).text
        assert root in left
        back = client.post(action_of(left), data={"undo": undo_in(left)}).text
        assert root in back
        assert state_of(store, anna) is ACTIVE


def test_an_unknown_language_is_not_repeated(
    client: httpx.Client, site: Site, store: Store
) -> None:
    anna = join(store, site, language="ru")
    for asked in ("xx", "../../etc/passwd", '"><script>', "", "EN\r\nX: 1"):
        answer = client.get(f"/u/{anna.token}", params={"lang": asked})
        assert '<html lang="ru"' in answer.text
        assert "<script" not in answer.text
        assert "passwd" not in answer.text


def test_pages_speak_the_readers_language_or_the_browsers(
    client: httpx.Client, site: Site, store: Store
) -> None:
    german = {"Accept-Language": "de-DE,de;q=0.9,en;q=0.8"}
    kazakh = join(store, site, language="kk")
    ukrainian = join(store, site, "boris@example.org", language="uk")
    assert '<html lang="kk"' in client.get(f"/u/{kazakh.token}", headers=german).text
    assert '<html lang="en"' in client.get(f"/u/{ukrainian.token}", headers=german).text
    assert '<html lang="de"' in client.get("/", headers=german).text
    assert '<html lang="de"' in client.get("/u/wrong", headers=german).text
    nonsense = {"Accept-Language": b"*, \xff;;,"}
    assert '<html lang="en"' in client.get("/", headers=nonsense).text


def test_healthz_without_a_store(site: Site, tmp_path: Path) -> None:
    for url in ("sqlite:///nowhere/mailout.db", "postgresql://nobody@127.0.0.1:1/none"):
        store = open_store(url, tmp_path)
        with browsing(make_app(site, store)) as client:
            answer = client.get("/healthz")
            assert answer.status_code == 503
            assert "retry-after" in answer.headers
            assert str(tmp_path) not in answer.text
        store.close()


def test_a_busy_store_asks_to_come_again(
    site: Site, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    @event.listens_for(store.engine, "connect")
    def impatient(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA busy_timeout = 50").close()

    anna = join(store, site)
    other = sqlite3.connect(str(store.engine.url.database), isolation_level=None)
    with browsing(make_app(site, store)) as client:
        other.execute("BEGIN IMMEDIATE")
        assert client.get(f"/u/{anna.token}").status_code == 200  # readers are not kept waiting
        answer = client.post(f"/u/{anna.token}")
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert '<html lang="en"' in answer.text
        other.execute("ROLLBACK")
        assert client.post(f"/u/{anna.token}").status_code == 200
    other.close()
    assert anna.token not in caplog.text


def test_an_unforeseen_error_tells_nothing(
    site: Site, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    anna = join(store, site)

    def fails(*_: object) -> None:
        raise RuntimeError(f"cannot handle {anna.address} {anna.token}")

    monkeypatch.setattr(leaving_pages, "look", fails)
    with caplog.at_level(logging.DEBUG), browsing(make_app(site, store)) as client:
        answer = client.get(f"/u/{anna.token}")
        assert answer.status_code == 500
        assert "no-store" in answer.headers["cache-control"]
        assert without_nonce(answer.text) == without_nonce(client.get("/u/").text)
    assert "RuntimeError at" in caplog.text
    for secret in (anna.address, anna.token, "Traceback"):
        assert secret not in answer.text
        assert secret not in "\n".join(
            record.getMessage() for record in caplog.records if record.name != "httpx"
        )


def test_no_log_line_holds_token_or_address(
    site: Site, store: Store, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    anna = join(store, site)
    with caplog.at_level(logging.INFO), serving(make_app(site, store)) as url:
        for method in ("GET", "HEAD", "POST", "DELETE"):
            httpx.request(method, f"{url}/u/{anna.token}")
        httpx.post(f"{url}/u/{'x' * 60_000}")
    said = "\n".join(r.getMessage() for r in caplog.records if not r.name.startswith("http"))
    out, err = capfd.readouterr()
    for secret in (anna.token, anna.address, "xxxxxxxx"):
        assert secret not in said + out + err


def test_a_broken_template_does_not_hinder_leaving(site: Site, store: Store) -> None:
    (site.root / "templates/pages").mkdir(parents=True)
    (site.root / "templates/pages/left.html.j2").write_text("{{ nonsense.of(the) }}")
    (site.root / "templates/pages/leave.html.j2").write_text("{% if %}")
    anna = join(store, site)
    with browsing(make_app(site, store)) as client:
        asked = client.get(f"/u/{anna.token}")
        left = client.post(f"/u/{anna.token}")
    assert left.status_code == 200
    assert "You are unsubscribed" in left.text
    assert "nonsense" not in asked.text + left.text
    assert state_of(store, anna) is UNSUBSCRIBED


def test_pages_below_a_path(site: Site, store: Store) -> None:
    anna = join(store, site)
    below = replace(site, identity=replace(site.identity, url="https://example.org/mail"))
    with browsing(make_app(below, store)) as client:
        assert f'action="/mail/u/{anna.token}"' in client.get(f"/u/{anna.token}").text
        assert 'action="/mail/u/undo"' in client.post(f"/u/{anna.token}").text


def test_hostile_names_are_escaped(site: Site, store: Store) -> None:
    evil = "<script>alert(1)</script>\"'&"
    lists = {
        name: replace(
            list_,
            settings=replace(
                list_.settings, name=evil, description=evil, contact=evil, descriptions={"en": evil}
            ),
        )
        for name, list_ in site.lists.items()
    }
    hostile = replace(site, lists=lists, identity=replace(site.identity, name=evil))
    anna = join(store, site)
    with browsing(make_app(hostile, store)) as client:
        for path in ("/", f"/u/{anna.token}", f"/p/{anna.token}", "/u/wrong"):
            assert "<script" not in client.get(path).text
        assert "<script" not in client.post(f"/u/{anna.token}").text


def test_try_later_is_a_busy_page(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def busy(*_: object) -> None:
        raise TryLater("the store is busy")

    monkeypatch.setattr(leaving_pages, "look", busy)
    answer = client.get("/u/anything")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "30"
    assert "the store is busy" in caplog.text
