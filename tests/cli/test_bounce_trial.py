"""`mailout doctor --bounce`, with a real Postfix as the relay and a real Dovecot behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from command_line import CommandLine, Said
from dovecot_server import dovecot_installed
from mailout.cli.doctor_bounce import SUBJECT
from mailout.smtp.catcher import Catcher
from post_office import PostOffice, post_office
from postfix_server import postfix_here

__all__ = ["dovecot_installed", "postfix_here"]


@pytest.fixture(scope="module")
def office(postfix_here: None, dovecot_installed: None) -> Iterator[PostOffice]:
    with post_office(["anna"]) as office:
        yield office


@pytest.fixture
def relayed(shell: CommandLine, office: PostOffice, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    monkeypatch.setenv("MAILOUT_RELAY_URL", office.relay)
    return shell


def bounce_lines(said: Said) -> list[str]:
    return [line for line in said.out.splitlines() if "  bounce" in line]


def test_a_bounce_comes_back_and_changes_nothing(relayed: CommandLine, office: PostOffice) -> None:
    office.read_by(relayed.root)
    lines = bounce_lines(relayed("doctor", "--bounce", "--wait", "30"))
    assert len(lines) == 2
    assert all(line.startswith("ok ") for line in lines)
    assert "the relay takes a mail to bounces+..@news.example.org" in lines[0]
    assert "it came back after" in lines[1] and lines[1].endswith("by imap")
    relayed("inbound", "process")
    [kept] = relayed("inbound", "list", "--json").json
    assert (kept["kind"], kept["subject"], kept["found_by"]) == ("other", SUBJECT, None)
    assert relayed("bounces", "list", "--all", "--json").json == []
    checks = relayed("doctor", "--bounce", "--wait", "30", "--json").json
    assert [one["ok"] for one in checks if one["check"].startswith("bounce")] == [True, True]


def test_a_box_that_nothing_comes_to(relayed: CommandLine, office: PostOffice) -> None:
    office.read_by(relayed.root, user="anna")
    lines = bounce_lines(relayed("doctor", "--bounce", "--wait", "2", code=1))
    assert lines[-1].startswith("FAIL  bounce: it came back within 2 s: The relay took it")
    assert f"/INBOX: look for a mail `{SUBJECT}` there" in lines[-1]
    assert "mailbox for bounces+ANYTHING@news.example.org?" in lines[-1]


def test_no_way_in_at_all(relayed: CommandLine) -> None:
    lines = bounce_lines(relayed("doctor", "--bounce", "--wait", "0", code=1))
    assert "config.toml names no way in ([inbound])" in lines[-1]


def test_a_way_in_that_cannot_be_read(relayed: CommandLine, office: PostOffice) -> None:
    office.read_by(relayed.root)
    (relayed.root / "imap-password").write_text("wrong")
    lines = bounce_lines(relayed("doctor", "--bounce", "--wait", "0", code=1))
    assert "can be read: " in lines[1] and lines[1].startswith("FAIL")


def test_a_relay_that_refuses_the_return_path(
    shell: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = "550 5.1.1 <bounces+x@news.example.org>: no such mailbox"
    with Catcher(rules={"news.example.org": refusal}) as catcher, shell.relay(catcher):
        lines = bounce_lines(shell("doctor", "--bounce", code=1))
    assert len(lines) == 1
    assert lines[0].startswith("FAIL")
    assert "answers: 550 5.1.1 <bounces+x@news.example.org>: no such mailbox" in lines[0]
    assert "recipient_delimiter = +" in lines[0]


def test_a_relay_that_puts_it_off(shell: CommandLine) -> None:
    with (
        Catcher(rules={"news.example.org": "451 4.7.1 Greylisted"}) as catcher,
        shell.relay(catcher),
    ):
        lines = bounce_lines(shell("doctor", "--bounce", code=1))
    assert "does not take it now: 451 4.7.1 Greylisted. Try again in some minutes" in lines[0]


def test_a_relay_that_is_not_there(shell: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILOUT_RELAY_URL", "smtp+plain://127.0.0.1:9")
    [line] = bounce_lines(shell("doctor", "--bounce", code=1))
    assert line.startswith("FAIL") and "127.0.0.1:9" in line
