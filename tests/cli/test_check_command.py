"""`mailout check`, and what `mailout send` makes of its findings, on both databases."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from command_line import CommandLine
from mailout.smtp.catcher import Catcher
from name_server import name_server

PEOPLE = "email,tags,name\nanna@example.org,unions,Anna\nboris@example.org,unions,\n"
SHORTENED = "\nRead [the demands](https://bit.ly/harbour) of the dockers.\n"
PHISHING = "\nRead [www.example.org](https://evil.example.net/x) today.\n"


def add_to_post(shell: CommandLine, words: str) -> str:
    """The English post's file, with more words at its end."""
    (post,) = (shell.root / "posts").glob("*-welcome.en.md")
    post.write_text(post.read_text("utf-8") + words, "utf-8")
    return f"posts/{post.name}"


def drafted(shell: CommandLine) -> str:
    shell("issues", "new")
    (file, *_) = sorted((shell.root / "issues").glob("*.md"))
    return file.name.partition(".")[0]


def test_a_fresh_site_has_notes_and_nothing_worse(shell: CommandLine) -> None:
    shell.import_people(PEOPLE)
    name = drafted(shell)
    report = shell("check", name, "--json").json
    assert {one["severity"] for one in report["findings"]} == {"note"}
    assert (report["issue"], report["rendered"]) == (name, 2)
    assert "0 errors, 0 warnings" in shell("check", name).out


def test_a_warning_wants_to_be_accepted(shell: CommandLine, catcher: Catcher) -> None:
    shell.import_people(PEOPLE)
    file = add_to_post(shell, SHORTENED)
    name = drafted(shell)
    said = shell("check", name)
    assert "warning B11" in said.out and file in said.out
    with shell.relay(catcher):
        said = shell("send", name, "--segment", "unions", "--yes", code=1)
        assert "--accept B11" in said.err and catcher.messages == []
        assert "no rule `B1`" in shell(
            "send", name, "--segment", "unions", "--yes", "--accept", "B1", code=2
        ).err  # fmt: skip
        shell("send", name, "--segment", "unions", "--yes", "--accept", "B11")
    assert len(catcher.messages) == 2


def test_an_error_cannot_be_accepted(shell: CommandLine, catcher: Catcher) -> None:
    shell.import_people(PEOPLE)
    add_to_post(shell, PHISHING)
    name = drafted(shell)
    assert "error B10" in shell("check", name, code=1).out
    with shell.relay(catcher):
        order = ("send", name, "--segment", "unions", "--yes")
        assert "not fit to be sent: B10" in shell(*order, code=1).err
        assert "not fit to be sent" in shell(*order, "--accept", "B10", code=1).err
        assert catcher.messages == []
        assert shell("status", "--json").json["dispatches"] == [], "nothing was ordered"


def test_the_rules_can_be_listed(shell: CommandLine) -> None:
    rules = shell("check", "--rules", "--json").json
    assert {"H01", "M01", "T01", "B13", "C02", "D03"} <= {one["rule"] for one in rules}
    assert "which issue?" in shell("check", code=2).err
    assert "no issue" in shell("check", "nonsense", code=2).err


def test_names_are_asked_for_when_that_is_wanted(shell: CommandLine) -> None:
    name = drafted(shell)
    assert not {"D01", "D02"} & {
        one["rule"] for one in shell("check", name, "--json").json["findings"]
    }
    with name_server({"news.example.org.": '"v=spf1 -all"'}) as address:
        report = shell("check", name, "--name-server", address, "--json").json
    assert {"D01", "D02"} <= {one["rule"] for one in report["findings"]}
    said = shell("check", name, "--dns", "--name-server", "127.0.0.1:1", code=75)
    assert "no name server answers" in said.err


def test_what_was_ordered_and_compiled_anew_is_checked_again(
    shell: CommandLine, catcher: Catcher
) -> None:
    shell.import_people(PEOPLE)
    name = drafted(shell)
    with shell.relay(catcher):
        order = ("send", name, "--segment", "unions", "--yes")
        shell(*order, "--at", (datetime.now(UTC) + timedelta(seconds=4)).isoformat())
        add_to_post(shell, PHISHING)
        shell("compile", name)
        assert "not fit to be sent: B10" in shell("approve", name, code=1).err
        time.sleep(4)
        assert "not fit to be sent: B10" in shell(*order, code=1).err
        shell("worker", "--once", code=75)
        assert catcher.messages == [], "neither by the command nor by the worker"


def test_a_table_can_be_mailed(shell: CommandLine) -> None:
    add_to_post(shell, "\n| place | hours |\n|---|---|\n| gate one | 6 to 14 |\n")
    report = shell("check", drafted(shell), "--json").json
    assert "B05" not in {one["rule"] for one in report["findings"]}


def test_rules_are_accepted_in_small_letters_too(shell: CommandLine) -> None:
    add_to_post(shell, SHORTENED)
    name = drafted(shell)
    shell("compile", name)
    assert "--accept B11" in shell("approve", name, code=1).err
    assert "Approved" in shell("approve", name, "--accept", "b11").out
