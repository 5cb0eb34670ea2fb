"""A site's own bounce rules: read before the program's, and mistakes named with their line."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailout.config.bounce_rules import FILE, package_rules, read_rules, standard_rules
from mailout.core.errors import BadFile
from mailout.core.inbound.category import Category, Kind
from mailout.core.inbound.reason import explain
from mailout.core.inbound.report import read

OWN = """\
# What our members' provider says.
[[rules]]
pattern = 'box is asleep'
category = "mailbox-full"
provider = "harbour"
example = "550 5.1.1 The box is asleep"
since = "2026-11-26"

[[signs]]
pattern = '^gone sailing'
kind = "auto-reply"
place = "subject"
example = "Gone sailing"
since = "2026-11-26"
"""


def write(root: Path, text: str) -> Path:
    (root / FILE).write_text(text, encoding="utf-8")
    return root


def test_a_site_without_rules_has_those_of_the_program(tmp_path: Path) -> None:
    assert read_rules(tmp_path) is standard_rules()
    rules, signs = package_rules()
    assert len(rules) > 300 and len(signs) > 100


def test_a_sites_rules_are_asked_first(tmp_path: Path) -> None:
    rules = read_rules(write(tmp_path, OWN))
    said = "550 5.1.1 User unknown: the box is asleep"
    assert explain(rules, diagnostic=said).category is Category.MAILBOX_FULL
    assert explain(standard_rules(), diagnostic=said).category is Category.NO_MAILBOX
    mail = b"From: anna@example.net\nSubject: Gone sailing\n\nUntil May.\n"
    assert read(mail, rules).kind is Kind.AUTO_REPLY
    assert read(mail, standard_rules()).kind is Kind.REPLY


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("'box is asleep'", "'box (is asleep'", 3, "no regular expression"),
        ("'box is asleep'", "'box .* asleep'", 3, "has no end"),
        ("'^gone sailing'", "'Gone'", 10, "capital letter"),
        ('"mailbox-full"', '"full"', 4, "mailbox-full"),
        ('"auto-reply"', '"holiday"', 11, "auto-reply"),
        ("provider =", "providor =", 5, "Did you mean `provider`?"),
        ('since = "2026-11-26"', 'since = "soon"', 7, "no day"),
        ("example =", "# example =", 2, "`example` is missing"),
    ],
)
def test_a_mistake_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, line: int, words: str
) -> None:
    with pytest.raises(BadFile) as caught:
        read_rules(write(tmp_path, OWN.replace(old, new, 1)))
    assert f"{FILE}:{line}" in str(caught.value)
    assert words in str(caught.value)


def test_an_example_must_show_what_its_rule_finds(tmp_path: Path) -> None:
    text = OWN.replace('"550 5.1.1 The box is asleep"', '"550 5.1.1 The box is awake"')
    with pytest.raises(BadFile, match="does not match its own example"):
        read_rules(write(tmp_path, text))
