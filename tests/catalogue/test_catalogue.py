"""The catalogues: every language whole, with its own plurals and dates."""

from __future__ import annotations

from datetime import date, datetime
from importlib.resources import files
from zoneinfo import ZoneInfo

import pytest
from babel import Locale
from babel.messages.pofile import read_po

from mailout import catalogue
from mailout.core import country

LANGUAGES = ("ar", "de", "en", "kk", "ru")


def test_which_languages_there_are() -> None:
    assert catalogue.languages() == LANGUAGES


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_word_is_translated_with_its_places(code: str) -> None:
    folder = files("mailout") / "locales"
    with (folder / "mailout.pot").open("rb") as file:
        wanted = {message.id for message in read_po(file) if message.id}
    with (folder / code / "LC_MESSAGES" / "mailout.po").open("rb") as file:
        found = read_po(file, locale=code)
    assert {message.id for message in found if message.id} == wanted
    for message in found:
        texts = message.string if isinstance(message.string, tuple) else (message.string,)
        assert all(texts), message.id
        assert not message.fuzzy or not message.id, message.id
        assert not [str(error) for error in message.check()], message.id


def test_an_unknown_language_is_english() -> None:
    for code in ("xx", "", "../en", "EN"):
        assert catalogue.words(code).gettext("Unsubscribe") == "Unsubscribe"
    assert catalogue.words("en").gettext("no such words") == "no such words"


def test_a_variant_speaks_its_language() -> None:
    assert catalogue.words("de-AT") is catalogue.words("de")
    assert catalogue.words("ru_RU") is catalogue.words("ru")


def test_plurals() -> None:
    one, many = "In this issue: %(num)s text", "In this issue: %(num)s texts"

    def forms(code: str, *numbers: int) -> int:
        words = catalogue.words(code)
        return len({words.ngettext(one, many, number) for number in numbers})

    assert forms("en", 1, 2, 5) == 2
    assert forms("ru", 1, 2, 5) == 3
    assert forms("ru", 1, 21, 101) == 1
    assert forms("ar", 0, 1, 2, 3, 11, 100) >= 4
    one, many = (
        f"So that no machine signs people up: please wait about %(num)s second{s}, then press the "
        "button."
        for s in ("", "s")
    )
    assert forms("ru", 1, 2) == forms("ru", 2, 21) == 2
    assert "ثوانٍ" in catalogue.words("ar").ngettext(one, many, 10)
    assert "ثانية" in catalogue.words("ar").ngettext(one, many, 15)
    assert catalogue.words("xx").ngettext(one, many, 2) == many


def test_names_of_languages() -> None:
    assert [catalogue.language_name(code) for code in LANGUAGES] == [
        "العربية", "Deutsch", "English", "Қазақ тілі", "Русский",
    ]  # fmt: skip
    assert catalogue.language_name("xx") == "xx"
    assert catalogue.language_name("") == ""


def test_dates() -> None:
    day = date(2026, 11, 5)
    assert catalogue.long_date(day, "en") == "5 November 2026"
    assert catalogue.long_date(day, "de") == "5. November 2026"
    assert catalogue.long_date(day, "ru") == "5 ноября 2026\u202fг."
    assert "қараша" in catalogue.long_date(day, "kk")
    assert catalogue.long_date(day, "xx") == "5 November 2026"


def test_an_end_on_the_same_day_is_an_hour() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    start = datetime(2026, 12, 5, 18, 0, tzinfo=berlin)
    assert catalogue.long_end(start.replace(hour=20, minute=30), start, "ru") == "20:30"
    assert catalogue.long_end(start.replace(day=6), start, "en").startswith("Sunday, 6 December")
    assert catalogue.long_end(None, start, "en") == ""


def test_greetings() -> None:
    assert catalogue.greeting("Anna", "en") == "Dear Anna,"
    assert catalogue.greeting(" ", "en") == "Dear friends,"
    assert "100%(x)s" in catalogue.greeting("100%(x)s", "ru")
    for code in LANGUAGES:
        assert "Anna" in catalogue.greeting("Anna", code)
        assert "Anna" not in catalogue.greeting("", code)


def test_the_countries_are_those_that_have_names() -> None:
    named = {code for code in Locale("en").territories if len(code) == 2 and code.isalpha()}
    assert named - {"ZZ"} == country.CODES
    assert not set(country.MISTAKEN) & country.CODES
    assert set(country.MISTAKEN.values()) <= country.CODES
    assert catalogue.is_country("KZ") and not catalogue.is_country("ZZ")
