"""Leaving by the pages, on both databases: what each request does to the store."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from mailout.core.site import Site
from mailout.core.subscription import SubscriptionState
from mailout.preferences.leave_reasons import listed
from mailout.store.engine import Store
from mailout.web.app import make_app
from mailout.web.serving import serving
from newcomers import actions_of, browsing, dump, join, state_of, undo_in

UNSUBSCRIBED = SubscriptionState.UNSUBSCRIBED
ACTIVE = SubscriptionState.ACTIVE
ONE_CLICK = {"List-Unsubscribe": "One-Click"}

POSTS: list[tuple[dict[str, Any], str]] = [
    ({"data": ONE_CLICK}, "one-click"),
    ({"files": {"List-Unsubscribe": (None, "One-Click")}}, "one-click"),
    ({"content": b"List-Unsubscribe=One-Click"}, "one-click"),
    ({"content": b""}, "page"),
    ({}, "page"),
    ({"data": {"something": "else"}}, "page"),
    ({"json": {"a": 1}}, "page"),
    ({"content": b"\xff\xfe\0" * 50}, "page"),
    ({"content": b"&".join([b"a=b"] * 500)}, "page"),
    ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, "page"),
    ({"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=y"}}, "page"),
    ({"files": {"file": ("a.exe", b"MZ" * 1000)}}, "page"),
    (
        {
            "data": ONE_CLICK,
            "headers": {
                "Cookie": "session=1",
                "Origin": "https://evil.example",
                "Referer": "https://evil.example/",
            },
        },
        "one-click",
    ),
]
"""What a POST may bring, and how the leave is then written down."""


@pytest.fixture
def client(site: Site, store: Store) -> Iterator[httpx.Client]:
    with browsing(make_app(site, store)) as client:
        yield client


def test_looking_leaves_the_store_byte_identical(
    client: httpx.Client, site: Site, store: Store
) -> None:
    anna = join(store, site)
    before = dump(store)
    as_scanner = {"Purpose": "prefetch", "User-Agent": "scanner"}
    for path in ("/", "/u/{}", "/p/{}", "/robots.txt", "/healthz", "/u/undo"):
        for query in ("", "?lang=ru", "?List-Unsubscribe=One-Click", "?undo=x"):
            for method in ("GET", "HEAD"):
                url = path.format(anna.token) + query
                answer = client.request(method, url, headers=as_scanner)
                assert answer.status_code == (404 if path == "/u/undo" else 200)
    assert dump(store) == before


def test_every_post_leaves(client: httpx.Client, site: Site, store: Store) -> None:
    for number, (body, source) in enumerate(POSTS):
        anna = join(store, site, f"anna{number}@example.org")
        for _ in range(2):
            answer = client.post(f"/u/{anna.token}", **body)
            assert answer.status_code == 200, body
            assert "set-cookie" not in answer.headers
            assert "location" not in answer.headers
        assert state_of(store, anna) is UNSUBSCRIBED
        assert actions_of(store, anna)[1:] == [("left", source)], body


def test_one_click_over_a_real_socket(site: Site, store: Store) -> None:
    anna = join(store, site)
    with serving(make_app(site, store)) as url:
        parts = urlsplit(url)
        with socket.create_connection((parts.hostname, parts.port), timeout=10) as wire:
            # As RFC 8058 8.2 prints it, no more headers than that.
            wire.sendall(
                f"POST /u/{anna.token} HTTP/1.1\r\nHost: example.org\r\n"
                "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 26\r\n"
                "Connection: close\r\n\r\nList-Unsubscribe=One-Click".encode()
            )
            answer = b""
            while received := wire.recv(65536):
                answer += received
        head = httpx.head(f"{url}/u/{anna.token}")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"server:" not in answer.lower()
    assert b"set-cookie" not in answer.lower()
    assert head.status_code == 200
    assert head.content == b""
    assert state_of(store, anna) is UNSUBSCRIBED


def test_two_posts_at_once(site: Site, store: Store) -> None:
    anna = join(store, site)
    with serving(make_app(site, store)) as url, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: httpx.post(f"{url}/u/{anna.token}"), range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert sum(1 for answer in answers if undo_in(answer.text)) == 1
    assert [action for action, _ in actions_of(store, anna)] == ["imported", "left"]


def test_undo_by_the_button_of_the_page(client: httpx.Client, site: Site, store: Store) -> None:
    anna = join(store, site)
    page = client.post(f"/u/{anna.token}").text
    assert 'action="/u/undo"' in page
    answer = client.post("/u/undo", data={"undo": undo_in(page)})
    assert answer.status_code == 200
    assert site.lists["bulletin"].settings.name in answer.text
    assert anna.address not in answer.text
    assert state_of(store, anna) is ACTIVE


def test_a_forwarded_link_puts_nobody_back(client: httpx.Client, site: Site, store: Store) -> None:
    anna = join(store, site)
    client.post(f"/u/{anna.token}")
    before = dump(store)
    # Whoever has the mail or the page's address can ask and press: there is no way back.
    for path in (f"/u/{anna.token}", f"/p/{anna.token}"):
        assert undo_in(client.get(path).text) == ""
    assert undo_in(client.post(f"/u/{anna.token}").text) == ""
    for token in (anna.token, "", "x" * 32, "\0", "x" * 10_000):
        assert client.post("/u/undo", data={"undo": token}).status_code == 404
    assert client.post("/u/undo").status_code == 404
    assert dump(store) == before


def reason_form(page: str) -> dict[str, str]:
    """The hidden fields of the form that asks why; empty if there is none."""
    form = page.partition('action="/u/reason')[2].partition("</form>")[0]
    return dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]+)"', form))


def test_saying_why_once_and_without_a_name(client: httpx.Client, site: Site, store: Store) -> None:
    anna = join(store, site)
    page = client.post(f"/u/{anna.token}").text
    hidden = reason_form(page)
    assert set(hidden) == {"token", "list"}
    assert hidden["token"] not in (undo_in(page), anna.token)
    for words in ("my boss reads <b>it</b>", "again"):
        answer = client.post("/u/reason", data={**hidden, "reason": "not safe", "words": words})
        assert answer.status_code == 200
        assert "boss" not in answer.text
        assert "set-cookie" not in answer.headers
    [said] = listed(store)
    assert (said.list_id, said.reason.value) == ("bulletin", "not safe")
    assert said.words == "my boss reads <b>it</b>"
    row = str(dump(store)["leave_reason"])
    for secret in (anna.address, anna.address_key, anna.token, hidden["token"], undo_in(page)):
        assert secret not in row
    assert state_of(store, anna) is UNSUBSCRIBED
    # It is asked in the answer to the leave alone.
    assert reason_form(client.post(f"/u/{anna.token}").text) == {}


def test_nobody_else_can_say_why(client: httpx.Client, site: Site, store: Store) -> None:
    anna = join(store, site)
    page = client.post(f"/u/{anna.token}").text
    hidden = reason_form(page)
    before = dump(store)
    for token in ("", anna.token, undo_in(page), "x" * 32, "x" * 10_000, "\0"):
        answer = client.post("/u/reason", data={**hidden, "token": token, "reason": "other"})
        assert answer.status_code == 404
    wrong_list = {**hidden, "list": "other", "reason": "other"}
    assert client.post("/u/reason", data=wrong_list).status_code == 404
    assert client.post("/u/reason").status_code == 404
    assert client.get("/u/reason").status_code == 404
    assert client.post("/u/reason", data=hidden).status_code == 200  # nothing said
    assert dump(store) == before


def test_healthz(client: httpx.Client, store: Store) -> None:
    assert (client.get("/healthz").status_code, client.get("/healthz").text) == (200, "ok\n")
