"""Signing up by the pages: the gate, the same answer for everybody, and nothing without the mailbox."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from mailout.core.site import Site
from mailout.core.suppression import SuppressionReason
from mailout.core.token import form_token
from mailout.store import consents, suppressions
from mailout.store.engine import Store
from mailout.web import gate as gates
from mailout.web.app import make_app
from newcomers import browsing, dump, join, without_nonce
from sign_ups import fields_of, heading, letters, mailed, person, token_mailed, worked

LOOK = "Look into your mail"
STEP = "One more step"


@pytest.fixture
def client(site: Site, store: Store) -> Iterator[httpx.Client]:
    with browsing(make_app(site, store)) as client:
        yield client


def sign_up(client: httpx.Client, address: str, **more: object) -> httpx.Response:
    """The form, filled in by a person whose browser works."""
    fields = worked(client.get("/join/bulletin").text)
    return client.post("/join/bulletin", data={**fields, "address": address, **more})


def test_the_whole_way(client: httpx.Client, site: Site, store: Store) -> None:
    answer = sign_up(client, "anna@example.org", segment=["unions"], name="Anna", language="ru")
    assert (answer.status_code, heading(answer)) == (200, LOOK)
    token = token_mailed(store)
    assert "Do you want to get" in heading(client.get(f"/j/{token}", params={"lang": "en"}))
    assert person(site, store, "anna@example.org") is None
    joined = client.post(f"/j/{token}", params={"lang": "en"})
    assert heading(joined) == "You are on the list"
    anna = person(site, store, "anna@example.org")
    assert (anna.tags, anna.language) == (("unions",), "ru")
    opened = client.post("/s/open", params={"lang": "en"}, data=fields_of(joined.text))
    assert heading(opened) == "Your settings"
    assert client.post(f"/j/{token}").status_code == 404


@pytest.mark.parametrize("code", ["en", "de"])
def test_who_confirms_has_read_what_the_evidence_says(site: Site, store: Store, code: str) -> None:
    bulletin, words = site.lists["bulletin"], {"en": "News, please.", "de": "Nachrichten, bitte."}
    agreed = replace(bulletin, settings=replace(bulletin.settings, consent=words))
    with browsing(make_app(replace(site, lists={"bulletin": agreed}), store)) as client:
        # On a form of another site, our words do not stand.
        step = worked(client.post("/join/bulletin", data={"address": "anna@example.org"}).text)
        typed = {**step, "address": "anna@example.org", "language": "ru"}
        client.post("/join/bulletin", params={"lang": code}, data=typed)
        token = token_mailed(store)
        for page_in in ("ru", "ar"):
            page = client.get(f"/j/{token}", params={"lang": page_in}).text
            assert f'<bdi lang="{code}">{words[code]}</bdi>' in page
        client.post(f"/j/{token}")
    anna = person(site, store, "anna@example.org")
    with store.reading() as tx:
        kept = consents.of_subscriber(tx, anna.id)
    assert anna.language == "ru"
    assert [(one.wording, one.language) for one in kept] == [(words[code], code)] * 2


def test_looking_changes_nothing(client: httpx.Client, site: Site, store: Store) -> None:
    sign_up(client, "anna@example.org")
    token = token_mailed(store)
    before = dump(store)
    for path in ("/join/bulletin", f"/j/{token}", "/settings", f"/j/{token}?confirm=1"):
        for method in ("GET", "HEAD"):
            answer = client.request(method, path, headers={"Sec-Purpose": "prefetch"})
            assert answer.status_code == 200
            assert "set-cookie" not in answer.headers
    assert dump(store) == before


def test_the_same_answer_for_every_address(client: httpx.Client, site: Site, store: Store) -> None:
    join(store, site, "known@example.org")
    blocked = join(store, site, "blocked@example.org")
    with store.writing() as tx:
        now = datetime.now(UTC)
        suppressions.add(tx, blocked.address_key, SuppressionReason.BY_HAND, now)
    sign_up(client, "again@example.org")
    pages, heads = set(), set()
    for name in ("new", "known", "blocked", "again"):
        answer = sign_up(client, f"{name}@example.org")
        pages.add((answer.status_code, without_nonce(answer.text)))
        heads.add(
            tuple(
                (name, re.sub("nonce-[^']+", "", value))
                for name, value in answer.headers.items()
                if name != "date"
            )
        )
    assert len(pages) == 1 and len(heads) == 1
    assert mailed(store) == ["confirm", "confirm", "known"]


def test_no_longer_for_one_than_for_another(site: Site, store: Store) -> None:
    """Not how long it takes, which differs by machine, but that the same statements are run."""
    from sqlalchemy import event

    from sign_ups import ask

    join(store, site, "known@example.org")
    blocked = join(store, site, "blocked@example.org")
    now = datetime.now(UTC)
    with store.writing() as tx:
        suppressions.add(tx, blocked.address_key, SuppressionReason.BY_HAND, now)
    ask(site, store, "again@example.org", now)
    seen: dict[str, list[str]] = {}
    for name in ("new", "known", "blocked", "again"):
        statements = seen.setdefault(name, [])
        listener = lambda c, cursor, statement, *rest: statements.append(statement)  # noqa: E731, B023
        event.listen(store.engine, "before_cursor_execute", listener)
        ask(site, store, f"{name}@example.org", now)
        event.remove(store.engine, "before_cursor_execute", listener)
    assert len(set(map(tuple, seen.values()))) == 1


def test_a_form_is_good_once_and_a_person_goes_on(
    client: httpx.Client, site: Site, store: Store
) -> None:
    fields = worked(client.get("/join/bulletin").text)
    assert (
        heading(client.post("/join/bulletin", data={**fields, "address": "a@example.org"})) == LOOK
    )
    again = client.post("/join/bulletin", data={**fields, "address": "b@example.org"})
    assert heading(again) == STEP
    went_on = client.post("/join/bulletin", data=worked(again.text))
    assert heading(went_on) == LOOK
    assert [address for _, address, _ in letters(store)] == ["a@example.org", "b@example.org"]


def test_a_form_on_another_site_takes_one_more_step(client: httpx.Client, store: Store) -> None:
    typed = {"address": "anna@example.org", "name": 'A "quoted" <b>', "segment": ["unions"]}
    step = client.post("/join/bulletin", data=typed, headers={"Origin": "https://example.net"})
    assert (step.status_code, heading(step)) == (200, STEP)
    assert letters(store) == []
    assert fields_of(step.text)["name"] == 'A "quoted" <b>'
    assert heading(client.post("/join/bulletin", data=worked(step.text))) == LOOK
    assert mailed(store) == ["confirm"]


def test_without_javascript_some_patience_does(
    client: httpx.Client, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = fields_of(client.get("/join/bulletin").text) | {"address": "anna@example.org"}
    step = client.post("/join/bulletin", data=fields)
    assert heading(step) == STEP
    assert fields_of(step.text)["form"] == fields["form"]  # waiting is not begun anew
    from mailout.web import joining

    later = datetime.now(UTC) + gates.PATIENCE + timedelta(seconds=1)
    monkeypatch.setattr(joining, "now", lambda: later)
    assert heading(client.post("/join/bulletin", data=fields_of(step.text))) == LOOK
    assert mailed(store) == ["confirm"]


@pytest.mark.parametrize("form", ["", "x", "A" * 32, "A" * 10_000, "%00", "\0"])
def test_a_form_that_we_did_not_make(client: httpx.Client, store: Store, form: str) -> None:
    answer = client.post(
        "/join/bulletin", data={"address": "a@example.org", "form": form, "work": "1"}
    )
    assert heading(answer) == STEP and letters(store) == []


def test_an_old_form(client: httpx.Client, site: Site, store: Store) -> None:
    old = form_token(site.keys.undo, b"12345678", datetime.now(UTC) - timedelta(seconds=2))
    answer = client.post("/join/bulletin", data={"address": "a@example.org", "form": old})
    assert heading(answer) == STEP and letters(store) == []


def test_a_robot_is_thanked_and_forgotten(client: httpx.Client, store: Store) -> None:
    answer = sign_up(client, "anna@example.org", website="https://example.com")
    assert heading(answer) == LOOK
    assert letters(store) == []


HOSTILE = [
    "no address", "a@b,c@d", "a@example.org\r\nBcc: x@example.org", "a@example.org>\r\nRCPT TO:<x",
    "-oQ/tmp@x", "a@example", "a" * 300 + "@example.org", "a@exam ple.org", "\0@example.org",
    "=?utf-8?q?x=0D=0ABcc:_e@example.org?=@example.org", "a@b@example.org", "a@[127.0.0.1]",
]  # fmt: skip


@pytest.mark.parametrize("address", HOSTILE)
def test_what_is_no_address_is_shown_again(
    client: httpx.Client, store: Store, address: str
) -> None:
    answer = sign_up(client, address)
    assert answer.status_code == 422
    assert "does not look like a mail address" in answer.text
    assert letters(store) == []


@pytest.mark.parametrize(
    "name", ["A\r\nBcc: x@example.org", "x" * 101, "a\u2028b", "\u202egnp", "=?utf-8?q?x?="]
)
def test_a_name_that_cannot_be_used(client: httpx.Client, store: Store, name: str) -> None:
    answer = sign_up(client, "anna@example.org", name=name)
    assert answer.status_code == 422 and 'id="name-wrong"' in answer.text
    assert 'value="anna@example.org"' in answer.text  # what was right is kept
    assert letters(store) == []


def test_what_is_typed_is_text_and_nothing_else(client: httpx.Client, store: Store) -> None:
    name = '"><script>alert(1)</script>{{ 7*7 }}'
    page = client.post("/join/bulletin", data={"address": "x", "name": name}).text
    assert "<script>alert" not in page and "{{ 7*7 }}" in page
    answer = sign_up(client, "{{7*7}}@example.org", name=name)
    assert heading(answer) == LOOK


def test_a_list_that_nobody_joins_by_a_page(site: Site, store: Store) -> None:
    bulletin = site.lists["bulletin"]
    closed = replace(bulletin, settings=replace(bulletin.settings, join=False))
    site = replace(site, lists={"bulletin": closed})
    with browsing(make_app(site, store)) as client:
        assert client.get("/join/bulletin").status_code == 404
        assert client.post("/join/bulletin", data={"address": "a@example.org"}).status_code == 404
        assert client.get("/join/nonsense").status_code == 404
        assert "/join/" not in client.get("/").text


def test_one_network_does_not_take_the_place_of_others(site: Site, store: Store) -> None:
    site = replace(site, pages=replace(site.pages, proxies=("127.0.0.1",)))
    with browsing(make_app(site, store)) as client:

        def ask(number: int, network: str) -> int:
            fields = worked(client.get("/join/bulletin").text)
            said = {"X-Forwarded-For": f"203.0.113.9, {network}"}
            data = {**fields, "address": f"reader{number}@example{number}.org"}
            return client.post("/join/bulletin", data=data, headers=said).status_code

        answers = [ask(number, "198.51.100.7") for number in range(61)]
        assert answers == [200] * 60 + [429]
        assert ask(61, "198.51.100.250") == 429  # the same /24
        assert ask(62, "198.51.101.7") == 200
    assert len(letters(store)) == 61


def test_all_together_have_a_limit(site: Site, store: Store) -> None:
    site = replace(site, pages=replace(site.pages, sign_ups_per_hour=8))
    with browsing(make_app(site, store)) as client:
        answers = [sign_up(client, f"a{n}@example{n}.org").status_code for n in range(9)]
        full = sign_up(client, "z@example99.org")
    assert answers == [200] * 8 + [429]
    assert full.headers["retry-after"] == "3600"


def test_a_domain_has_a_quarter(site: Site, store: Store) -> None:
    site = replace(site, pages=replace(site.pages, sign_ups_per_hour=8))
    with browsing(make_app(site, store)) as client:
        answers = [sign_up(client, f"a{n}@example.org").status_code for n in range(3)]
    assert answers == [200, 200, 429]


@pytest.mark.parametrize("path", ["/j/{}", "/s/{}", "/a/{}"])
def test_every_bad_link_is_the_same(client: httpx.Client, store: Store, path: str) -> None:
    sign_up(client, "anna@example.org")
    token = token_mailed(store)
    before = dump(store)
    bad = ["x", "A" * 22, "A" * 10_000, "%00", "..%2f", token[:-1], token + "A", token.swapcase()]
    bad += [token] if path != "/j/{}" else []
    pages = set()
    for one in bad:
        for method in ("GET", "POST"):
            answer = client.request(method, path.format(one))
            assert answer.status_code == 404, one
            pages.add(without_nonce(answer.text))
    assert len(pages) == 1
    assert dump(store) == before


def test_pages_are_small_and_load_nothing(client: httpx.Client) -> None:
    for path in ("/join/bulletin", "/settings"):
        page = client.get(path)
        assert len(page.content) < 30_000
        policy = page.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'") and "unsafe" not in policy
        assert not re.search(r'(?:src|href)="(?:https?:)?//', page.text)
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["x-robots-tag"] == "noindex"
