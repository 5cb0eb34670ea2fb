"""What is told at the command line of relays that fail, and of providers known by their MX."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from command_line import CommandLine, IssueCatcher
from mailout.smtp.catcher import Catcher
from name_server import name_server

PEOPLE = "email,tags\n" + "".join(f"p{n}@union.example,unions\n" for n in range(6))


def set_relays(shell: CommandLine, *ports: int) -> None:
    path = shell.root / "config.toml"
    text = path.read_text("utf-8")
    begin, end = text.index("[[relays]]"), text.index("# Domains that one company")
    tables = "".join(
        f'[[relays]]\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\n\n' for port in ports
    )
    path.write_text(text[:begin] + tables + text[end:], "utf-8")


def test_a_relay_that_fails_beside_another_is_told_once(
    shell: CommandLine, catcher: IssueCatcher
) -> None:
    with Catcher() as dead:
        port = dead.port
    set_relays(shell, port, catcher.port)
    shell.import_people(PEOPLE)
    said = shell("send", "--segment", "unions", "--yes").err
    told = [line for line in said.splitlines() if "The other relays take its share." in line]
    assert len(told) == 1 and f"127.0.0.1:{port}" in told[0]
    assert len(catcher.messages) == 6

    shell.write("posts/2026-11-26-new.en.md", "---\ntitle: New\n---\n\nNews.\n")
    shell.fall_back_to_english()
    at = (datetime.now(UTC) + timedelta(seconds=2)).isoformat(timespec="seconds")
    shell("send", "--segment", "unions", "--yes", "--at", at)
    events: list[dict[str, str]] = []
    while "done" not in {event["event"] for event in events}:
        lines = shell("worker", "--once", "--log", "json").err.splitlines()
        events += [json.loads(line) for line in lines]
    broken = [event for event in events if event["event"] == "broken"]
    assert [event["relay"] for event in broken] == [f"127.0.0.1:{port}"]
    assert "no server answers there" in broken[0]["why"]


def test_mail_servers_that_nobody_tells_are_told_once_and_hold_up_nobody(
    shell: CommandLine, catcher: IssueCatcher
) -> None:
    shell.import_people(PEOPLE + "anna@broken.example,unions\n")
    path = shell.root / "config.toml"
    text = path.read_text("utf-8")
    table = '[[providers]]\nname = "big"\nmx = ["*.mx.big.example"]\nper_minute = 600\n\n[sending]'
    asked: list[str] = []
    with (
        name_server({}, {"union.example.": ("10 a.mx.big.example.",)}, asked) as address,
        shell.relay(catcher),
    ):
        text = text.replace("[sending]", table, 1)
        path.write_text(text.replace('name_server = ""', f'name_server = "{address}"'), "utf-8")
        said = shell("send", "--segment", "unions", "--yes")
    told = "No name server told the mail servers of 1 domain: mail there went without the limit"
    assert said.err.count(told) == 1
    assert len(catcher.messages) == 7
    assert sorted(asked) == ["broken.example.", "union.example."]
