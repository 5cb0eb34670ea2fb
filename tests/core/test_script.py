"""Scripts: what the letters of a text say of its language."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailout.core import script

RUSSIAN = "Крановщики голосовали в порту под дождём."
UKRAINIAN = "Кранівники голосували в порту під дощем, і всі за страйк."


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        (RUSSIAN, "Cyrillic"),
        ("Οι χειριστές γερανών ψήφισαν.", "Greek"),
        ("صوت عمال الرافعات على الإضراب.", "Arabic"),
        ("The crane drivers voted.", "Latin"),
        (RUSSIAN + " The crane drivers voted in the rain.", ""),
        (RUSSIAN + " https://harbour.example.org/the-crane-drivers-voted-in-the-rain", "Cyrillic"),
        ("罢工罢工罢工罢工罢工罢工罢工", ""),
        ("Да.", ""),
        ("", ""),
    ],
)
def test_the_script_of_a_text(text: str, letters: str) -> None:
    assert script.of_text(text) == letters


@pytest.mark.parametrize(
    ("code", "letters"),
    [("en", "Latin"), ("kk", "Cyrillic"), ("kk-latn", "Latin"), ("uz-Cyrl", "Cyrillic"), ("sr", ""),
     ("ja", ""), ("fa", "Arabic"), ("el", "Greek"), ("pt-br", "Latin")],
)  # fmt: skip
def test_the_script_of_a_language(code: str, letters: str) -> None:
    assert script.of_language(code) == letters


def test_one_letter_that_kazakh_shares_with_ukrainian_makes_no_kazakh() -> None:
    assert script.fitting(UKRAINIAN, ("en", "kk", "ru")) == "ru"
    assert script.fitting(UKRAINIAN, ("en", "de")) == ""


@given(st.text(), st.text(max_size=12))
def test_any_text_fits_or_not(text: str, code: str) -> None:
    script.contradicts(code, text)
    assert script.fitting(text, ("en", "ru", "ar")) in ("", "en", "ru", "ar")
