"""What letters say, in each language, as the standard library reads them off the wire."""

from __future__ import annotations

import re
import unicodedata
from email.message import EmailMessage

import pytest

from letter_desk import TOKEN, PostOffice, read, the_only
from mailout.catalogue import languages
from mailout.config.templates import read_templates
from mailout.core.letter import LetterKind
from mailout.core.request import GOOD_FOR, RequestPurpose
from mailout.smtp.catcher import Catcher
from send_desk import Desk

LINK = {
    LetterKind.CONFIRM: "/j/",
    LetterKind.SETTINGS: "/s/",
    LetterKind.NEW_ADDRESS: "/a/",
}
USUAL = {
    "From", "To", "Subject", "Date", "Message-ID", "Reply-To", "Auto-Submitted",
    "X-Auto-Response-Suppress", "Content-Language", "MIME-Version", "Content-Type",
    "Content-Transfer-Encoding",
}  # fmt: skip
OF_THE_LIST = {"List-Id", "List-Unsubscribe", "List-Unsubscribe-Post"}
KINDS = list(LetterKind)


@pytest.fixture
def office(desk: Desk, catcher: Catcher) -> PostOffice:
    return PostOffice(desk.site, desk.store).toward(catcher.port)


def text_of(message: EmailMessage) -> str:
    return str(message.get_content()).replace("\r\n", "\n")


def links_in(text: str) -> list[str]:
    return re.findall(r"https?://\S+", text)


@pytest.mark.parametrize("code", languages())
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_in_each_language(
    office: PostOffice, catcher: Catcher, kind: LetterKind, code: str
) -> None:
    office.write(kind, language=code)
    assert office.post().did == {"accepted": 1}
    message = the_only(catcher)
    settings, url = office.site.lists["bulletin"].settings, office.site.identity.url
    wanted = USUAL | (OF_THE_LIST if kind is LetterKind.WELCOME else set())
    assert sorted(message.keys()) == sorted(wanted)
    assert message["From"].addresses[0].addr_spec == "bulletin@news.example.org"
    assert message["From"].addresses[0].display_name == "Solidarity Bulletin"
    assert message["To"] == "anna@example.org"
    assert message["Reply-To"] == settings.reply_to
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == code
    assert message["Message-ID"].endswith("@news.example.org>")
    assert message.get_content_type() == "text/plain"
    assert message.get_content_charset() == "utf-8"
    text = text_of(message)
    assert office.site.identity.name in text
    assert "anna" not in text.lower()
    if kind in LINK:
        assert links_in(text) == [f"{url}{LINK[kind]}{TOKEN}"]
    elif kind is LetterKind.WELCOME:
        assert links_in(text) == [f"{url}/p/{TOKEN}", f"{url}/u/{TOKEN}"]
        assert message["List-Unsubscribe"] == f"<{url}/u/{TOKEN}>"
        assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert settings.list_id in message["List-Id"]
    else:
        assert links_in(text) == []
        assert TOKEN not in text
    assert max(len(line) for line in text.splitlines() if "://" not in line) <= 76
    raw = catcher.messages[0].content
    assert raw.isascii()
    assert not re.search(rb"(?m)^\.", raw)
    assert max(map(len, raw.split(b"\r\n"))) <= 78
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert len(raw) < 4000
    for word in (b"mailout", b"python", b"localhost"):
        assert word not in raw.lower()


@pytest.mark.parametrize("code", languages())
def test_known_looks_like_a_confirmation_from_afar(
    office: PostOffice, catcher: Catcher, code: str
) -> None:
    for kind in (LetterKind.CONFIRM, LetterKind.KNOWN):
        office.write(kind, language=code)
    office.post()
    sizes = [len(one.content) for one in catcher.messages]
    assert max(sizes) < 1.25 * min(sizes)


def test_the_words_agree_with_how_long_links_are_good() -> None:
    """The templates name these spans, since numbers in sentences bend words around them."""
    days = {purpose: span.total_seconds() / 86400 for purpose, span in GOOD_FOR.items()}
    assert days[RequestPurpose.JOIN] == 7
    assert days[RequestPurpose.ADDRESS] == 1
    assert days[RequestPurpose.SETTINGS] * 24 * 60 == 30


def test_names_in_arabic_letters_stand_between_marks(office: PostOffice, catcher: Catcher) -> None:
    office.write(language="ar")
    office.post()
    message = the_only(catcher)
    text = text_of(message)
    assert "\u2068Solidarity Bulletin\u2069" in text
    assert not [
        c for c in str(message["Subject"]) if unicodedata.bidirectional(c) in ("FSI", "PDI")
    ]
    opened, closed = text.count("\u2068"), text.count("\u2069")
    assert opened == closed
    assert "\u2068" not in "".join(line for line in text.splitlines() if "://" in line)


def test_a_language_that_nobody_has_words_for(office: PostOffice, catcher: Catcher) -> None:
    office = office.setting(languages=("de", "en"), fallback={"kk": ("ru",), "pt": ("en",)})
    for code in ("fr", "pt-br", "kk", "de-AT", ""):
        office.write(language=code)
    office.post()
    spoken = [b"Content-Language: " + code for code in (b"de", b"en", b"kk", b"de", b"de")]
    assert all(s in one.content for s, one in zip(spoken, catcher.messages, strict=True))


def test_the_lists_own_welcome(office: PostOffice, catcher: Catcher) -> None:
    own = {"en": "Hello **all**,\n\nread [this](https://example.org/a).", "ru": "Привет!"}
    office = office.setting(welcome=own, fallback={"kk": ("ru",)})
    for code in ("en", "kk", "de"):
        office.write(LetterKind.WELCOME, language=code)
    office.post()
    texts = [text_of(read(one.content)) for one in catcher.messages]
    assert texts[0].startswith("Hello all,\n\nread this <https://example.org/a>.\n\n")
    assert texts[1].startswith("Привет!\n\n")
    assert "Solidarity Bulletin" in texts[2].split("\n\n")[0], "the general text"
    assert all(f"/u/{TOKEN}" in text for text in texts)


def test_an_older_site_has_the_letters_that_came_later(
    office: PostOffice, catcher: Catcher
) -> None:
    own = office.site.root / "templates" / "letters"
    own.mkdir(parents=True)
    (own / "known.txt.j2").write_text("Subject: Ours\n\nOur own words.\n", encoding="utf-8")
    assert "letters/confirm.txt.j2" in read_templates(office.site.root)
    office.write(LetterKind.KNOWN)
    office.write(LetterKind.CONFIRM)
    office.post()
    own_words, ours = (one.content for one in catcher.messages)
    assert b"Subject: Ours" in own_words
    assert b"Our own words." in own_words
    assert TOKEN.encode() in ours


@pytest.mark.parametrize(
    "name",
    [
        "News\r\nBcc: eve@example.org",
        "News\nBcc: eve@example.org",
        "=?utf-8?q?x=0D=0ABcc:?=",
        "a\u202eb",
    ],
)
def test_a_hostile_name_of_a_list_adds_no_header(
    office: PostOffice, catcher: Catcher, name: str
) -> None:
    office = office.setting(name=name)
    office.write()
    office.write(LetterKind.WELCOME, "ben@example.org")
    office.post()
    for caught in catcher.messages:
        head = caught.content.split(b"\r\n\r\n")[0]
        assert b"\r\nbcc" not in head.lower()
        assert len(caught.recipients) == 1


def test_a_report_cannot_smuggle_a_header(office: PostOffice, catcher: Catcher) -> None:
    said = {"about": "held", "subject": "Held\nBcc: eve@example.org"}
    office.write(LetterKind.ALERT, said={**said, "text": "a\x00b\r\n.\r\nc"})
    office.post()
    message = the_only(catcher)
    assert message["Subject"] == "Held"
    assert "Bcc" not in message
    assert "a b\n.\nc" in text_of(message)
