"""Links that somebody guesses or changes: one answer to all of them, and nothing happens."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from mailout.core.address import Address
from mailout.core.site import Site
from mailout.preferences import joining, moving, settings
from mailout.store.engine import Store
from mailout.web.app import make_app
from newcomers import Newcomer, browsing, dump, join, without_nonce
from sign_ups import person, signing_up, token_mailed

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
PATHS = ("u", "p", "s", "j", "a")
GUESSES = 1500


@pytest.fixture
def client(site: Site, store: Store) -> Iterator[httpx.Client]:
    with browsing(make_app(site, store)) as client:
        yield client


@pytest.fixture
def anna(site: Site, store: Store) -> Newcomer:
    return join(store, site)


def flipped(token: str) -> Iterator[str]:
    """The token with each of its bits changed, one at a time."""
    for at in range(len(token)):
        value = ALPHABET.index(token[at])
        for bit in range(6):
            yield token[:at] + ALPHABET[value ^ (1 << bit)] + token[at + 1 :]


def test_guesses_all_get_the_same_answer(
    client: httpx.Client, anna: Newcomer, store: Store
) -> None:
    """`benchmarks/one_click.py` does it with 100,000."""
    before, answers = dump(store), set()
    for number in range(GUESSES):
        path = f"/{PATHS[number % len(PATHS)]}/{secrets.token_urlsafe(16)}"
        answer = client.request(("GET", "POST")[number % 2], path)
        answers.add((answer.status_code, without_nonce(answer.text)))
    assert len(answers) == 1 and next(iter(answers))[0] == 404
    assert dump(store) == before


@pytest.mark.parametrize("kind", ["s", "j", "a"])
def test_no_bit_of_a_mailed_link_can_be_changed(
    client: httpx.Client, anna: Newcomer, site: Site, store: Store, kind: str
) -> None:
    now, random = datetime.now(UTC), secrets.token_bytes
    if kind == "s":
        settings.ask_link(site, store, anna.token, "en", now, random)
    elif kind == "j":
        joining.ask(site, store, signing_up("ben@example.org"), now, random)
    else:
        whole = person(site, store, "anna@example.org")
        moving.ask(site, store, whole, Address.parse("new@example.org"), now, random)
    token = token_mailed(store)
    before = dump(store)
    for one in flipped(token):
        assert client.post(f"/{kind}/{one}").status_code == 404
    assert dump(store) == before
    assert client.post(f"/{kind}/{token}").status_code == 200


def test_no_bit_of_a_session_can_be_changed(
    client: httpx.Client, anna: Newcomer, site: Site, store: Store
) -> None:
    token = settings.begin(site, anna.id, "en", datetime.now(UTC)).token
    before = dump(store)
    for one in flipped(token):
        assert client.post("/s/open", data={"session": one}).status_code == 404
        assert client.post("/s/erase", data={"session": one, "sure": "yes"}).status_code == 404
    assert dump(store) == before
    assert client.post("/s/open", data={"session": token}).status_code == 200
