"""What comes back, for scripts: each command that changes something says as JSON what it did."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from command_line import CommandLine
from mailout.config.site import read_site
from mailout.core.rest import Rest, Why
from mailout.preferences import leaving
from mailout.smtp.catcher import Catcher
from mailout.store import rests
from mailout.store.engine import open_store
from returns import dsn, letter

ANNA, BORIS = "anna@example.org", "boris@example.org"
PEOPLE = f"email,tags\n{ANNA},unions\n{BORIS},unions\n"


@pytest.fixture
def paths(shell: CommandLine, catcher: Catcher) -> dict[str, str]:
    """The return path of what was sent to each reader. The site reads a Maildir."""
    shell.import_people(PEOPLE)
    with shell.relay(catcher):
        shell("send", "--segment", "unions", "--yes")
    for part in ("new", "cur", "tmp"):
        (shell.root / "box" / part).mkdir(parents=True)
    config = shell.root / "config.toml"
    config.write_text(config.read_text("utf-8").replace("maildir = []", 'maildir = ["box"]'))
    return {one.recipients[0]: one.sender for one in catcher.messages}


def drop(shell: CommandLine, name: str, to: str, raw: bytes) -> None:
    """Nothing, once a mail lies in the Maildir as a mail server puts it there."""
    (shell.root / "box/new" / name).write_bytes(f"Delivered-To: {to}\r\n".encode() + raw)


def test_from_picking_up_to_lifting(shell: CommandLine, paths: dict[str, str]) -> None:
    drop(shell, "1", paths[ANNA], dsn(paths[ANNA], ANNA))
    drop(shell, "2", paths[BORIS], letter(paths[BORIS], BORIS, "unsubscribe", ""))
    [way] = shell("inbound", "fetch", "--json").json
    assert way == {"where": str(shell.root / "box"), "mails": 2, "new": 2, "error": None}
    [way] = shell("inbound", "fetch", "--json").json
    assert (way["mails"], way["new"]) == (0, 0)
    assert shell("inbound", "process", "--json").json == {
        "kinds": {"bounce": 1, "unsubscribe": 1},
        "standings": {"stopped": 1},
    }
    assert shell("inbound", "process", "--json").json == {"kinds": {}, "standings": {}}
    again = shell("inbound", "replay", "--all", "--json").json
    assert again == {
        "mails": 2,
        "refusals": 0,
        "kinds": {"bounce": 1, "unsubscribe": 1},
        "standings": {},
    }
    # The bounce log has the leave, once, though the mail was looked at twice.
    kinds = [one["kind"] for one in shell("bounces", "list", "--all", "--json").json]
    assert sorted(kinds) == ["bounced", "left", "stopped"]
    assert [one["kind"] for one in shell("bounces", "list", "--json").json] == ["bounced"]
    [left] = [
        one
        for one in shell("bounces", "show", BORIS, "--json").json["events"]
        if one["kind"] == "left"
    ]
    assert (left["category"], left["text"], left["inbound"]) == ("unsubscribe", "bulletin", 2)
    assert left["issue"] and left["provider"] == "example.org"

    lifted = shell("bounces", "lift", ANNA, "--json").json
    assert lifted == {"address": ANNA, "standing": "well", "suppressed": []}
    assert "neither paused nor stopped" in shell("bounces", "lift", ANNA, "--json", code=1).err


def test_a_way_that_fails_is_in_the_answer_too(shell: CommandLine, paths: dict[str, str]) -> None:
    drop(shell, "1", paths[ANNA], dsn(paths[ANNA], ANNA))
    config = shell.root / "config.toml"
    config.write_text(config.read_text("utf-8").replace('["box"]', '["gone", "box"]'))
    said = shell("inbound", "fetch", "--json", code=1)
    gone, box = said.json
    assert (gone["new"], box["new"], box["error"]) == (0, 1, None)
    assert str(shell.root / "gone") in gone["error"] and gone["error"] in said.err


def test_a_provider_goes_on(shell: CommandLine) -> None:
    site = read_site(shell.root)
    store = open_store(site.store.url, site.root)
    now = datetime.now(UTC)
    with store.writing() as tx:
        for provider in ("example.net", "example.com"):
            until = now + timedelta(hours=1)
            rests.put(tx, Rest(provider, Why.BLOCKED, "550 5.7.1 No", 1, now, until))
    store.close()
    assert shell("bounces", "resume", "EXAMPLE.net", "--json").json == {
        "provider": "example.net",
        "resting": ["example.com"],
    }
    assert "These do: example.com." in shell("bounces", "resume", "example.net", code=1).err


def test_who_left_by_a_link_is_not_in_the_bounce_log(
    shell: CommandLine, paths: dict[str, str], catcher: Catcher
) -> None:
    site = read_site(shell.root)
    store = open_store(site.store.url, site.root)
    sent = catcher.messages[0].content.decode()
    [link] = set(re.findall(r"(?m)^List-Unsubscribe: <[^>]*/u/([^>]+)>", sent))
    assert leaving.leave(store, site.keys, link, datetime.now(UTC), source="page")
    store.close()
    assert shell("bounces", "list", "--all", "--json").json == []
