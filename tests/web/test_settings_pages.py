"""The settings by their pages: what each token opens, what each form writes, and what it refuses."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest

from mailout.core.site import Site
from mailout.core.subscription import SubscriptionState
from mailout.core.suppression import SuppressionReason
from mailout.preferences import settings
from mailout.roster import editing
from mailout.store import consents, members, suppressions
from mailout.store.engine import Store
from mailout.web.app import make_app
from newcomers import Newcomer, browsing, dump, join, state_of
from sign_ups import fields_of, heading, letters, mailed, person, token_mailed, worked

LOOK = "Look into your mail"
SETTINGS = "Your settings"


@pytest.fixture
def client(site: Site, store: Store) -> Iterator[httpx.Client]:
    with browsing(make_app(site, store)) as client:
        yield client


@pytest.fixture
def anna(site: Site, store: Store) -> Newcomer:
    return join(store, site)


@pytest.fixture
def session(site: Site, anna: Newcomer) -> str:
    return settings.begin(site, anna.id, "en", datetime.now(UTC)).token


def form(session: str, **more: object) -> dict[str, object]:
    """The settings' form as it stands on the page of somebody on the list, with changes."""
    fields = {"session": session, "bulletin.shown": "1", "bulletin.on": "1", "language": "en"}
    return fields | {"name": "Anna"} | more


def test_from_a_mail_to_the_settings(client: httpx.Client, anna: Newcomer, store: Store) -> None:
    page = client.get(f"/p/{anna.token}").text
    assert "anna@example.org" not in page and "Mail me the link" in page
    assert heading(client.post(f"/p/{anna.token}")) == LOOK
    assert letters(store) == [("settings", "anna@example.org", "queued")]
    token = token_mailed(store)
    before = dump(store)
    for method in ("GET", "HEAD", "GET"):
        assert client.request(method, f"/s/{token}").status_code == 200
    assert dump(store) == before
    opened = client.post(f"/s/{token}")
    assert heading(opened) == SETTINGS and 'value="Anna"' in opened.text
    assert "set-cookie" not in opened.headers
    assert client.post(f"/s/{token}").status_code == 404
    assert client.get(f"/s/{token}").status_code == 404
    assert client.post("/s/open", data=fields_of(opened.text)).status_code == 200


def test_a_typed_address_gets_the_same_answer_known_or_not(
    client: httpx.Client, anna: Newcomer, store: Store
) -> None:
    answers = []
    for address in ("anna@example.org", "nobody@example.org"):
        fields = worked(client.get("/settings").text)
        answer = client.post("/settings", data={**fields, "address": address})
        answers.append((answer.status_code, re.sub("nonce-?[^>; ]+", "", answer.text)))
    assert answers[0] == answers[1] and mailed(store) == ["settings"]
    wrong = client.post("/settings", data={"address": "x"})
    assert wrong.status_code == 422
    step = client.post("/settings", data={"address": "ben@example.org"})
    assert heading(step) == "One more step"


def test_saving(
    client: httpx.Client, anna: Newcomer, session: str, site: Site, store: Store
) -> None:
    chosen = {"bulletin.edition": "text", "bulletin.frequency": "monthly"}
    tags = {"bulletin.segment": ["unions", "nonsense"]}
    answer = client.post("/s/save", data=form(session, **chosen, **tags, language="ru", name="Аня"))
    assert answer.status_code == 200 and 'class="done"' in answer.text
    saved = person(site, store, "anna@example.org")
    assert (saved.name, saved.language, saved.tags) == ("Аня", "ru", ("unions",))
    assert (saved.memberships[0].edition, saved.memberships[0].frequency) == ("text", "monthly")
    assert 'lang="ru"' in answer.text


def test_values_that_are_no_choice_change_nothing(
    client: httpx.Client, anna: Newcomer, session: str, site: Site, store: Store
) -> None:
    odd = {"bulletin.edition": "x", "bulletin.frequency": "hourly", "language": "xx"}
    other = {"other.shown": "1", "other.on": "1"}
    assert client.post("/s/save", data=form(session, **odd, **other)).status_code == 200
    saved = person(site, store, "anna@example.org")
    assert (saved.language, saved.memberships[0].edition) == ("en", "")
    assert len(saved.memberships) == 1


def test_a_break(
    client: httpx.Client, anna: Newcomer, session: str, site: Site, store: Store
) -> None:
    day = (date.today() + timedelta(days=40)).isoformat()  # noqa: DTZ011
    client.post("/s/save", data=form(session, paused="1", until=day))
    assert state_of(store, anna) is SubscriptionState.PAUSED
    page = client.post("/s/open", data={"session": session}).text
    assert f'value="{day}"' in page
    for wrong in ("2020-01-01", "tomorrow", "2030-02-31", "99999-01-01", "\0", "2030-01-01T10:00"):
        answer = client.post("/s/save", data=form(session, paused="1", until=wrong))
        assert answer.status_code == 422 and 'id="until-wrong"' in answer.text
    client.post("/s/save", data=form(session))
    assert state_of(store, anna) is SubscriptionState.ACTIVE


def test_a_day_alone_is_a_break_and_no_tick_ends_it(
    client: httpx.Client, anna: Newcomer, session: str, store: Store
) -> None:
    day = (date.today() + timedelta(days=40)).isoformat()  # noqa: DTZ011
    answer = client.post("/s/save", data=form(session, until=day))
    assert state_of(store, anna) is SubscriptionState.PAUSED
    assert 'name="paused" value="1" checked' in answer.text and f'value="{day}"' in answer.text
    # The day is still in the field of who takes the tick away.
    client.post("/s/save", data=form(session, until=day))
    assert state_of(store, anna) is SubscriptionState.ACTIVE
    wrong = client.post("/s/save", data=form(session, until="2020-01-01"))
    assert wrong.status_code == 422 and 'id="until-wrong"' in wrong.text
    assert state_of(store, anna) is SubscriptionState.ACTIVE


@pytest.mark.parametrize("code", ["en", "de", "ar"])
def test_a_day_to_type_is_one_piece_from_left_to_right(
    client: httpx.Client, anna: Newcomer, session: str, code: str
) -> None:
    typed = form(session, paused="1", until="2020-01-01")
    page = client.post("/s/save", params={"lang": code}, data=typed).text
    assert page.count('<bdi class="day" dir="ltr">2030-01-31</bdi>') == 2


@pytest.mark.parametrize("code", ["en", "de"])
def test_who_joins_another_list_has_read_what_the_evidence_says(
    site: Site, store: Store, anna: Newcomer, session: str, code: str
) -> None:
    both, words = _with_letters(site), {"en": "Letters, please.", "de": "Briefe, bitte."}
    letters_ = both.lists["letters"]
    agreed = replace(letters_, settings=replace(letters_.settings, consent=words))
    both = replace(both, lists={**both.lists, "letters": agreed})
    with browsing(make_app(both, store)) as client:
        page = client.post("/s/open", params={"lang": code}, data={"session": session}).text
        assert page.count(words[code]) == 1
        assert "I can leave it at any time" not in page  # of the list that she is on
        # The language that she wants to read is another one, and chosen with the same button.
        joining = form(session, **{"letters.shown": "off", "letters.on": "1"}, language="ru")
        page = client.post("/s/save", params={"lang": code}, data=joining).text
        assert words[code] not in page
    with store.reading() as tx:
        kept = [one for one in consents.of_subscriber(tx, anna.id) if one.list_id == "letters"]
    assert [(one.wording, one.language) for one in kept] == [(words[code], code)] * 2


def test_leaving_all_by_one_box(
    client: httpx.Client, anna: Newcomer, session: str, store: Store
) -> None:
    fields = form(session)
    del fields["bulletin.on"]
    client.post("/s/save", data=fields)
    assert state_of(store, anna) is SubscriptionState.UNSUBSCRIBED


def test_a_form_from_before_a_leave_puts_nobody_back(
    client: httpx.Client, anna: Newcomer, session: str, store: Store
) -> None:
    shown = fields_of(client.post("/s/open", data={"session": session}).text)
    assert shown["bulletin.shown"] == "on"
    client.post(f"/u/{anna.token}")
    page = client.post("/s/save", data=form(session) | shown | {"name": "Anna A."}).text
    assert state_of(store, anna) is SubscriptionState.UNSUBSCRIBED
    # It shows so, and a tick that is made now is a wish to come back.
    assert fields_of(page)["bulletin.shown"] == "off" and 'value="Anna A."' in page
    client.post("/s/save", data=form(session) | fields_of(page) | {"bulletin.on": "1"})
    assert state_of(store, anna) is SubscriptionState.ACTIVE


FORGED = ["", "x", "A" * 32, "A" * 10_000, "\0", "%00"]


@pytest.mark.parametrize("path", ["open", "save", "address", "data", "export", "erase"])
def test_no_form_without_its_session(
    client: httpx.Client, anna: Newcomer, session: str, site: Site, store: Store, path: str
) -> None:
    ben = join(store, site, "ben@example.org")
    before = dump(store)
    over = settings.begin(site, anna.id, "en", datetime.now(UTC) - timedelta(minutes=31)).token
    nobody = settings.begin(site, 10**6, "en", datetime.now(UTC)).token
    data = {"sure": "yes", "address": "new@example.org", **form("")}
    for forged in (*FORGED, anna.token, ben.token, over, nobody, session[:-1], session + "A"):
        headers = {"Cookie": f"session={session}", "Origin": "https://evil.example"}
        answer = client.post(f"/s/{path}", data=data | {"session": forged}, headers=headers)
        assert answer.status_code == 404
        assert "anna" not in answer.text
    assert client.get(f"/s/{path}").status_code == 404
    assert dump(store) == before


def test_a_new_address(
    client: httpx.Client, anna: Newcomer, session: str, site: Site, store: Store
) -> None:
    wrong = client.post("/s/address", data={"session": session, "address": "a@b\r\nBcc: c"})
    assert wrong.status_code == 422 and letters(store) == []
    answer = client.post("/s/address", data={"session": session, "address": "anna@example.net"})
    assert 'role="status"' in answer.text
    token = token_mailed(store)
    before = dump(store)
    assert heading(client.get(f"/a/{token}")) == "Change your address?"
    assert dump(store) == before
    assert heading(client.post(f"/a/{token}")) == "Your address is changed"
    assert person(site, store, "anna@example.net").id == anna.id
    assert client.post(f"/a/{token}").status_code == 404


def test_nobody_writes_to_the_world_from_a_session(
    client: httpx.Client, session: str, store: Store
) -> None:
    answers = [
        client.post("/s/address", data={"session": session, "address": f"a{n}@example{n}.org"})
        for n in range(11)
    ]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert len(letters(store)) == 10


def test_what_we_know(client: httpx.Client, anna: Newcomer, session: str) -> None:
    page = client.post("/s/data", data={"session": session})
    assert "anna@example.org" in page.text and "on paper" in page.text
    assert page.headers["cache-control"] == "no-store"
    file = client.post("/s/export", data={"session": session})
    assert file.headers["content-disposition"].startswith("attachment")
    assert file.headers["content-security-policy"].startswith("default-src 'none'")
    found = json.loads(file.text)
    assert found["person"]["address"] == "anna@example.org"
    assert found["lists"][0]["state"] == "active"


def test_erasing_takes_a_tick(
    client: httpx.Client, anna: Newcomer, session: str, site: Site, store: Store
) -> None:
    assert client.post("/s/erase", data={"session": session}).status_code == 422
    assert person(site, store, "anna@example.org") is not None
    answer = client.post("/s/erase", data={"session": session, "sure": "yes"})
    assert heading(answer) == "Everything is erased"
    assert person(site, store, "anna@example.org") is None
    assert "anna@example.org" not in repr(dump(store))
    assert client.post("/s/open", data={"session": session}).status_code == 404
    assert client.get(f"/u/{anna.token}").status_code == 404


def test_what_is_typed_is_text(client: httpx.Client, anna: Newcomer, session: str) -> None:
    name = '"><img src=x onerror=alert(1)>{{ 7*7 }}'
    page = client.post("/s/save", data=form(session, name=name)).text
    assert "<img" not in page and "{{ 7*7 }}" in page
    data = client.post("/s/data", data={"session": session}).text
    assert "<img" not in data


def test_every_page_is_small(client: httpx.Client, anna: Newcomer, session: str) -> None:
    for path in ("open", "data"):
        assert len(client.post(f"/s/{path}", data={"session": session}).content) < 30_000


def test_what_was_typed_stays_when_it_cannot_be_saved(
    client: httpx.Client, anna: Newcomer, session: str, site: Site, store: Store
) -> None:
    before = dump(store)
    typed = {"bulletin.edition": "text", "bulletin.segment": "unions", "language": "ru"}
    fields = form(session, **typed, name="Аня" * 40, paused="1", until="yesterday")
    del fields["bulletin.on"]
    answer = client.post("/s/save", data=fields)
    assert answer.status_code == 422 and dump(store) == before
    page = answer.text
    for kept in (
        'value="yesterday"',
        f'value="{"Аня" * 40}"',
        '<option value="text" selected>',
        'value="unions" checked',
        'name="paused" value="1" checked',
        '<option value="ru" lang="ru" selected>',
    ):
        assert kept in page
    assert 'name="bulletin.on" value="1">' in page
    # What is wrong stands first and leads to the fields, and each field names its own words.
    assert page.index('role="alert"') < page.index("<form")
    assert page.count('role="alert"') == 1 and "<title>Please look again" in page
    for field in ("name", "until"):
        assert f'<a href="#{field}">' in page and f'id="{field}-wrong"' in page
        assert re.search(
            f'id="{field}"[^>]* aria-invalid="true" aria-describedby="{field}-wrong"', page
        )
    wrong = client.post("/s/address", data={"session": session, "address": 'x"y at z'})
    assert wrong.status_code == 422 and 'value="x&#34;y at z"' in wrong.text
    assert '<a href="#address">' in wrong.text


def _with_letters(site: Site) -> Site:
    """The site with a second list, `letters`, of the same choices and one of its own."""
    bulletin = site.lists["bulletin"]
    own = {
        "unions": replace(bulletin.choices["unions"], label={"en": "News of unions"}),
        "poets": replace(bulletin.choices["unions"], rule="tag = poets", label={"en": "Poems"}),
    }
    settings_ = replace(bulletin.settings, name="Letters", join=True, segments=own)
    letters_ = replace(bulletin, id="letters", settings=settings_)
    return replace(site, lists={**site.lists, "letters": letters_})


def test_a_choice_of_two_lists_is_shown_once_and_is_one(
    site: Site, store: Store, anna: Newcomer, session: str
) -> None:
    both = _with_letters(site)
    with browsing(make_app(both, store)) as client:
        page = client.post("/s/open", data={"session": session}).text
        assert page.count('value="unions"') == 1
        assert "I am a trade unionist / News of unions" in html.unescape(page)
        assert "Counts for: Solidarity Bulletin · Letters" in page
        assert page.count('value="poets"') == 1 and page.count('value="socialists"') == 1
        shown = {"letters.shown": "1", "bulletin.segment": ["unions", "socialists"]}
        page = client.post("/s/save", data=form(session, **shown)).text
        assert page.count("checked") == 3  # the list and the two
        saved = person(site, store, "anna@example.org")
        assert set(saved.tags) == {"unions", "socialists"}
        shown["bulletin.segment"] = ["socialists"]
        client.post("/s/save", data=form(session, **shown))
        assert person(site, store, "anna@example.org").tags == ("socialists",)


def test_the_copy_has_words_where_the_file_has_codes(
    client: httpx.Client, anna: Newcomer, session: str
) -> None:
    client.post("/s/save", data=form(session, **{"bulletin.frequency": "weekly"}, language="ru"))
    page = client.post("/s/data", params={"lang": "de"}, data={"session": session}).text
    for words in ("Русский", "Deutschland", "Solidarity Bulletin", "Einmal die Woche"):
        assert words in page
    assert not re.search(r"<td>(<bdi>)?(ru|DE|bulletin)\b", page)
    assert not re.search(r"\d{4}-\d\d-\d\d(?!-)", page)
    assert '<q lang="en" dir="auto">on paper</q>' in page
    file = client.post("/s/export", data={"session": session}).json()
    assert (file["person"]["language"], file["person"]["country"]) == ("ru", "DE")


def test_what_was_written_down_about_a_reader_is_in_their_copy(
    client: httpx.Client, anna: Newcomer, session: str, site: Site, store: Store
) -> None:
    texts = ["<b>speaks</b> in May\nor June", "wants no phone calls"]
    for day, text in enumerate(texts, 1):
        editing.note(site, store, "anna@example.org", text, datetime(2026, 3, day, tzinfo=UTC))
    page = client.post("/s/data", params={"lang": "de"}, data={"session": session}).text
    assert "Was wir über Sie notiert haben" in page and "2. März 2026" in page
    assert "&lt;b&gt;speaks&lt;/b&gt; in May\nor June" in page
    assert page.index("phone calls") < page.index("speaks"), "the newest first"
    file = client.post("/s/export", data={"session": session}).json()
    assert [one["text"] for one in file["notes"]] == texts


def test_many_notes_make_no_large_page(
    client: httpx.Client, anna: Newcomer, session: str, site: Site, store: Store
) -> None:
    for day in range(1, 8):
        moment = datetime(2026, 3, day, tzinfo=UTC)
        editing.note(site, store, "anna@example.org", f"{day} " + "Ж" * 1500, moment)
    page = client.post("/s/data", data={"session": session})
    assert len(page.content) < 30_000
    assert page.text.count("ЖЖЖ" * 500) == 3 and "7 Ж" in page.text and "4 Ж" not in page.text
    assert "The file has them all" in page.text
    file = client.post("/s/export", data={"session": session}).json()
    assert len(file["notes"]) == 7


def test_a_copy_says_why_no_mail_comes(
    client: httpx.Client, anna: Newcomer, session: str, store: Store
) -> None:
    page = client.post("/s/data", data={"session": session}).text
    assert "Why no mail goes to you" not in page
    moment = datetime(2026, 3, 4, tzinfo=UTC)
    with store.writing() as tx:
        for list_id, reason in (("", "complained"), ("bulletin", "by hand")):
            suppressions.add(
                tx, anna.address_key, SuppressionReason(reason), moment, list_id=list_id
            )
        members.change(tx, anna.id, bounce_paused_at=moment)
    page = client.post("/s/data", data={"session": session}).text
    said = html.unescape(re.sub(r"<[^>]*>", "", page))
    for words in (
        "4 March 2026you complained about our mail",
        "4 March 2026Solidarity Bulletin: we blocked your address",
        "4 March 2026mail to your address came back",
    ):
        assert words in said


def test_nobody_is_told_that_an_icon_is_missing(client: httpx.Client) -> None:
    assert client.get("/favicon.ico").status_code == 204
