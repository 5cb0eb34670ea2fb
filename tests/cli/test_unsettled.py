"""A restored store that nobody has looked at says so wherever one asks how things stand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from command_line import CommandLine
from mailout.cli import doctor
from mailout.cli.console import opened
from mailout.config.site import read_site
from mailout.store import restored

MADE = datetime(2026, 11, 24, 3, 30, tzinfo=UTC)
SAID = "estored from a backup of 2026-11-24 03:30 UTC"


def test_status_and_doctor_say_that_a_restore_waits_to_be_settled(shell: CommandLine) -> None:
    assert shell("status", "--json").json["restored_from"] is None
    with opened(read_site(shell.root)) as store, store.writing() as tx:
        restored.hold(tx, MADE, MADE + timedelta(hours=9))
    assert datetime.fromisoformat(shell("status", "--json").json["restored_from"]) == MADE
    said = shell("status").out
    assert SAID in said.splitlines()[0] and "`mailout settle` shows" in said
    problem = doctor._unsettled(read_site(shell.root))
    assert SAID in problem and "`mailout settle` shows" in problem
    shell("settle", "--yes")
    assert "estored" not in shell("status").out
    assert not doctor._unsettled(read_site(shell.root))
