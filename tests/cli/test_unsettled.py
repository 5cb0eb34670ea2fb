"""A restored store that nobody has looked at says so wherever one asks how things stand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from command_line import CommandLine
from mailout.cli.console import opened
from mailout.config.site import read_site
from mailout.store import restored

MADE = datetime(2026, 11, 24, 3, 30, tzinfo=UTC)
SAID = "estored from a backup of 2026-11-24 03:30 UTC"


def test_status_and_doctor_say_that_a_restore_waits_to_be_settled(shell: CommandLine) -> None:
    assert shell("status", "--json").json["restored_from"] is None
    assert "restored" not in shell("status").out + shell("doctor", code=1).out
    with opened(read_site(shell.root)) as store, store.writing() as tx:
        restored.hold(tx, MADE, MADE + timedelta(hours=9))
    assert datetime.fromisoformat(shell("status", "--json").json["restored_from"]) == MADE
    said = shell("status").out
    assert SAID in said.splitlines()[0] and "`mailout settle` shows" in said
    (line,) = [one for one in shell("doctor", code=1).out.splitlines() if "FAIL  restored" in one]
    assert SAID in line and "`mailout settle` shows" in line
    (check,) = [one for one in shell("doctor", "--json", code=1).json if one["check"] == "restored"]
    assert not check["ok"]
    shell("settle", "--yes")
    assert "restored" not in shell("status").out + shell("doctor", code=1).out
