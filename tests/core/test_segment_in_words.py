"""Segment rules told in plain words."""

from __future__ import annotations

import pytest

from mailout.core.segment import Kind, Vocabulary, in_words, own_field, parse

VOCABULARY = Vocabulary(
    {"skills": own_field(Kind.CHOICES, ("print", "translate")), "age": own_field(Kind.NUMBER)},
    ("bulletin", "press"),
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("everyone", "are on the list"),
        ("tag = unions", "have the tag unions"),
        ("tag not in (a, b, c)", "have not the tag a, b or c"),
        (
            "tag = unions and (language = ru or joined > 30 days ago)",
            "have the tag unions, and (have the language ru, or joined after 30 days ago)",
        ),
        ("not received(last 3 issues)", "did not get any of the last 3 issues of the list"),
        ("received(w47) or bounced(last issue)",
         "got the issue w47, or could not be reached with the last issue of the list"),
        ("joined by import", "came on the list by an import"),
        ("country is not empty", "have a country"),
        ("age >= 18 and skills = print",
         "have an age at least 18, and have print among their skills"),
        ("list != press and segment near",
         "are not on the list press, and are in the segment near"),
        ("not (tag = a and name contains Anna)",
         "it is not so that they (have the tag a, and have Anna in their name)"),
    ],
)  # fmt: skip
def test_in_words(text: str, says: str) -> None:
    assert in_words(parse(text, vocabulary=VOCABULARY)) == says
