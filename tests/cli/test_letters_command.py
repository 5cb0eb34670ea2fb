"""`mailout letters`, and who mails letters: `worker`, `serve`, `send`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from command_line import CommandLine
from letter_desk import PostOffice, read
from mailout.cli import upkeep
from mailout.config.site import read_site
from mailout.core.letter import LetterKind
from mailout.core.subscription import SubscriptionState
from mailout.smtp.catcher import Catcher, Faults
from mailout.store import letters
from mailout.store.engine import open_store
from newcomers import join


@pytest.fixture
def catcher() -> Iterator[Catcher]:
    """One that shows letters among all that it has caught."""
    with Catcher() as running:
        yield running


@contextmanager
def office(shell: CommandLine) -> Iterator[PostOffice]:
    site = read_site(shell.root)
    store = open_store(site.store.url, site.root)
    yield PostOffice(site, store)
    store.close()


def soon(condition: Callable[[], object]) -> None:
    """Waits until the condition holds; fails if it does not for long."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_no_letters(shell: CommandLine, catcher: Catcher) -> None:
    assert shell("letters", "list").out == "No letter has been written.\n"
    found = shell("letters", "list", "--json").json
    assert found == {"letters": [], "failing": [], "oldest_waits_since": None}
    with shell.relay(catcher):
        assert shell("letters", "send").out == "No letter is due.\n"


def test_letters_are_listed_and_mailed(shell: CommandLine) -> None:
    with Catcher(rules={"ben@example.org": "550 5.1.1 <ben@example.org> unknown"}) as catcher:
        with shell.relay(catcher), office(shell) as desk:
            desk.write()
            desk.write(LetterKind.KNOWN, "ben@example.org")
            assert shell("letters", "send").out == "Letters: 1 accepted, 1 refused.\n"
        assert len(catcher.messages) == 1
    found = shell("letters", "list", "--json").json
    assert found["letters"] == [
        {"kind": "confirm", "state": "accepted", "number": 1},
        {"kind": "known", "state": "refused", "number": 1},
    ]
    (failing,) = found["failing"]
    assert failing["said"] == "550 5.1.1 <(address)> unknown"
    listed = shell("letters", "list").out
    assert "550 5.1.1" in listed
    assert "@" not in listed


def test_a_relay_that_is_down(shell: CommandLine, catcher: Catcher) -> None:
    with shell.relay(catcher), office(shell) as desk:
        catcher.stop()
        desk.write(ago=timedelta(minutes=5))
        said = shell("letters", "send", code=75)
        assert "held, no letter is lost" in said.err
        waits = shell("status").out
        assert "1 letter waits to be mailed, the oldest for 5 minutes" in waits
        report = shell("status", "--json").json
        assert report["letters"]["waiting"] == 1
        assert report["alerts"] == []
    listed = shell("letters", "list").out
    assert "no server answers there" in listed


def test_status_shows_alerts(shell: CommandLine) -> None:
    with office(shell) as desk:
        desk.write(LetterKind.ALERT)
    assert "alert of the list bulletin: Held: w47 (not mailed yet)" in shell("status").out
    (alert,) = shell("status", "--json").json["alerts"]
    assert {**alert, "at": ""} == {
        "list": "bulletin", "about": "held", "subject": "Held: w47", "at": "", "mailed": False,
    }  # fmt: skip


def test_a_worker_that_is_called_once(shell: CommandLine, catcher: Catcher) -> None:
    with shell.relay(catcher), office(shell) as desk:
        assert shell("worker", "--once").err == ""
        desk.write()
        paused = join(desk.store, desk.site, "ben@example.org", state=SubscriptionState.PAUSED)
        assert paused.id
        assert "letters accepted=1" in shell("worker", "--once").err
        assert len(catcher.messages) == 1


def test_a_worker_that_stays(shell: CommandLine, catcher: Catcher) -> None:
    with shell.relay(catcher), office(shell) as desk:
        told: list[tuple[str, Any]] = []
        tell = lambda what, fields: told.append((what, fields.get("accepted")))  # noqa: E731
        with upkeep.beside(desk.site, desk.store, tell):
            desk.write()
            soon(lambda: catcher.messages)
            desk.write(address="ben@example.org")
            soon(lambda: len(catcher.messages) == 2)
        # The second may still have come in time for the round of the first.
        assert {what for what, _ in told} == {"letters"}
        assert sum(number for _, number in told) == 2
        assert not [one for one in threading.enumerate() if one.name == "upkeep"]
        assert not list((shell.root / "build" / "workers").glob("*.lock"))


def test_letters_that_others_are_to_mail(shell: CommandLine, catcher: Catcher) -> None:
    with shell.relay(catcher), office(shell) as desk:
        desk.write(ago=timedelta(days=8))
        with upkeep.beside(desk.site, desk.store, lambda *_: None, post=False):
            soon(lambda: desk.rows()[0].address == "")  # by the upkeep
            desk.write()
            time.sleep(0.3)
        assert not catcher.messages


def test_what_is_wrong_is_told_once_and_ends_nothing(
    shell: CommandLine, catcher: Catcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "_EVERY", 0.05)
    with shell.relay(catcher), office(shell) as desk:
        folder = shell.root / "templates" / "letters" / "confirm.txt.j2"
        good = folder.read_bytes()
        folder.write_bytes(b"\xff\xfe")
        desk.write()
        told: list[tuple[str, object]] = []
        tell = lambda what, fields: told.append((what, fields.get("why")))  # noqa: E731
        with upkeep.beside(desk.site, desk.store, tell):
            soon(lambda: told)
            time.sleep(0.3)
            assert [what for what, _ in told] == ["trouble"]
            assert "confirm.txt.j2" in str(told[0][1])
            folder.write_bytes(good)
            soon(lambda: catcher.messages)


def test_a_stop_waits_for_no_relay(shell: CommandLine) -> None:
    with (
        Catcher(faults=Faults(hang="data")) as catcher,
        shell.relay(catcher),
        office(shell) as desk,
    ):
        desk.write()
        with upkeep.beside(desk.site, desk.store, lambda *_: None):
            soon(lambda: catcher.connections)
        assert not [one for one in threading.enumerate() if one.name == "upkeep"]
        assert desk.rows()[0].worker == ""


def test_a_send_mails_its_report(shell: CommandLine, catcher: Catcher) -> None:
    shell.fall_back_to_english()
    shell.import_people("email,language\nanna@example.org,en\n")
    with shell.relay(catcher), office(shell) as desk:
        desk.write()
        segment = "everyone"
        lists = shell.root / "lists" / "bulletin.toml"
        lists.write_text(
            f'{lists.read_text("utf-8")}\n[segments.{segment}]\nrule = "everyone"\n', "utf-8"
        )
        shell("send", "--segment", segment, "--yes", "--accept", "B05")
        subjects = [str(read(one.content)["Subject"]) for one in catcher.messages]
    assert len(subjects) == 3
    assert subjects[0].startswith("Please confirm")
    assert subjects[2].startswith("Sent: ")


def test_oldest_is_told_in_hours(shell: CommandLine) -> None:
    with office(shell) as desk:
        desk.write(ago=timedelta(hours=5))
        desk.write()
        with desk.store.reading() as tx:
            assert letters.waiting(tx).count == 2
    assert "2 letters wait to be mailed, the oldest for 5 hours" in shell("status").out
