"""`mailout subscribers ask-pending`, from an import to the letter."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import default

import pytest

from command_line import CommandLine, IssueCatcher

PEOPLE = "email,language,status\nanna@example.org,de,pending\nben@example.org,en,active\n"


def test_from_an_import_to_the_letter(shell: CommandLine) -> None:
    shell.import_people(PEOPLE)
    tried = shell("subscribers", "ask-pending", "--dry-run")
    assert tried.out == "1 would be asked.\n"
    assert shell("letters", "list").out == "No letter has been written.\n"
    said = shell("subscribers", "ask-pending", "--yes", "--json").json
    assert said == {
        "list": "bulletin", "can_be_asked": 1, "asked": 1, "left_out": {}, "more": 0,
        "dry_run": False,
    }  # fmt: skip
    again = shell("subscribers", "ask-pending", "--yes")
    assert again.out == "0 asked to confirm.\n" and "Left out, asked already: 1." in again.err
    with IssueCatcher() as catcher, shell.relay(catcher):
        shell("letters", "send")
        (letter,) = catcher.letters
    text = " ".join(message_from_bytes(letter.content, policy=default).get_content().split())
    assert letter.recipients == ("anna@example.org",)
    assert "/j/" in text and "ist noch nicht" in text and "gelöscht" not in text


def test_the_count_is_typed(shell: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.import_people(PEOPLE)
    said = shell("subscribers", "ask-pending", code=2)
    assert "--yes" in said.err
    monkeypatch.setattr("mailout.cli.console.at_terminal", lambda: True)
    monkeypatch.setattr("click.prompt", lambda *words, **more: "2")
    said = shell("subscribers", "ask-pending", code=1)
    assert "`2` is not 1: nobody was asked" in said.err
    monkeypatch.setattr("click.prompt", lambda *words, **more: "1")
    assert shell("subscribers", "ask-pending").out == "1 asked to confirm.\n"
