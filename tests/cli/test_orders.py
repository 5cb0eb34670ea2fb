"""An order that is there already: moved, hastened, late, called off; and what is said of it."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from command_line import CommandLine
from mailout.config.site import read_site
from mailout.core import throttle
from mailout.core.dispatch import DispatchState
from mailout.core.throttle import Limit
from mailout.send import plan
from mailout.smtp.catcher import Catcher
from mailout.store import buckets, claims, dispatches
from mailout.store.dispatches import Dispatch
from mailout.store.engine import Store, open_store
from send_desk import take

PEOPLE = "email,tags\nanna@example.org,unions\nboris@example.org,unions\n"
BERLIN = ('timezone = "UTC"', 'timezone = "Europe/Berlin"')


def later(**parts: int) -> str:
    return (datetime.now(UTC) + timedelta(**parts)).isoformat(timespec="seconds")


def set_(shell: CommandLine, old: str, new: str) -> None:
    path = shell.root / "config.toml"
    source = path.read_text("utf-8")
    assert old in source
    path.write_text(source.replace(old, new), "utf-8")


@contextmanager
def stored(shell: CommandLine) -> Iterator[Store]:
    store = open_store(read_site(shell.root).store.url, shell.root)
    yield store
    store.close()


def ordered(shell: CommandLine) -> Dispatch:
    """The only dispatch of the site."""
    with stored(shell) as store, store.reading() as tx:
        return dispatches.get(tx, 1)


def begun(shell: CommandLine, store: Store) -> Dispatch:
    """A dispatch whose people are queued, not yet sent."""
    shell.import_people(PEOPLE + "vera@example.org,unions\n")
    shell("send", "--segment", "unions", "--yes", "--at", later(hours=5))
    with store.writing() as tx:
        dispatch = dispatches.get(tx, 1)
        plan.enqueue(tx, read_site(shell.root).lists["bulletin"], dispatch, datetime.now(UTC))
        return dispatches.get(tx, 1)


def make_late(shell: CommandLine) -> None:
    with stored(shell) as store:
        plan.move(store, ordered(shell), datetime.now(UTC) - timedelta(hours=3))


def test_cancel_waits_until_the_sender_has_given_its_part_back(shell: CommandLine) -> None:
    with stored(shell) as store:
        dispatch = begun(shell, store)
        now = datetime.now(UTC)
        with store.writing() as tx:
            held = take(tx, dispatch.id, "w", now, now + timedelta(minutes=2), 2)

        def give_back() -> None:
            time.sleep(0.6)
            with store.writing() as tx:
                claims.give_back(tx, [one.id for one in held], "w")

        sender = threading.Thread(target=give_back)
        sender.start()
        name = shell("status", "--json").json["issue"]
        said = shell("cancel", name, "--yes")
        sender.join()
    assert said.out.splitlines()[0] == "3 deliveries were called off."
    assert "cancelled (3 cancelled)" in said.out and said.err == ""
    assert shell("status", "--json").json["state"] == "cancelled", "nobody has it"


def test_cancel_says_so_if_a_sender_still_has_some(shell: CommandLine) -> None:
    with stored(shell) as store:
        dispatch = begun(shell, store)
        now = datetime.now(UTC)
        with store.writing() as tx:
            held = take(tx, dispatch.id, "w", now, now + timedelta(minutes=2), 2)
        name = shell("status", "--json").json["issue"]
        said = shell("cancel", name, "--yes")
        assert "1 cancelled" in said.out and "2 sending" in said.out
        assert "still has some on the wire" in said.err
        assert shell("status", "--json").json["state"] == "approved", "it is not known yet"
        with store.writing() as tx:
            claims.give_back(tx, [one.id for one in held], "w")
        assert "cancelled (3 cancelled)" in shell("cancel", name, "--yes").out
    assert shell("status", "--json").json["state"] == "cancelled"


def test_who_has_it_and_who_only_has_a_delivery(shell: CommandLine, catcher: Catcher) -> None:
    with stored(shell) as store:
        begun(shell, store)
    name = shell("status", "--json").json["issue"]
    shell("subscribers", "tag", "anna@example.org", "--add", "socialists")
    dry = ("send", name, "--segment", "socialists", "--dry-run", "--json")
    assert shell(*dry).json["left_out"] == {"queued for it already": 1}
    shell("cancel", name, "--segment", "unions", "--yes")
    assert shell(*dry).json["left_out"] == {"called off before": 1}
    with shell.relay(catcher):
        shell("resend", name, "--cancelled")
    assert shell(*dry).json["left_out"] == {"have it already": 1}


def test_those_that_were_called_off_can_be_reached_again(
    shell: CommandLine, catcher: Catcher
) -> None:
    with stored(shell) as store:
        begun(shell, store)
    name = shell("status", "--json").json["issue"]
    with shell.relay(catcher):
        shell("cancel", name, "--segment", "unions", "--yes")
        assert "Nobody is missing" in shell("resend", name, "--missing").out
        assert catcher.messages == []
        assert "Add --missing or --cancelled" in shell("resend", name, code=2).err
        said = shell("resend", name, "--cancelled")
        assert f"{name}: 3 accepted" in said.out
        assert len(catcher.messages) == 3
        assert "Nothing was called off" in shell("resend", name, "--cancelled").out
        assert shell("status", "--json").json["state"] == "sent"


def test_an_issue_that_was_called_off_as_a_whole_is_not_sent_again(shell: CommandLine) -> None:
    with stored(shell) as store:
        begun(shell, store)
    name = shell("status", "--json").json["issue"]
    shell("cancel", name, "--yes")
    said = shell("resend", name, "--cancelled", code=1)
    assert "called off as a whole" in said.err and "free for another" in said.err


def test_a_scheduled_order_is_moved(shell: CommandLine) -> None:
    set_(shell, *BERLIN)
    shell.import_people(PEOPLE)
    shell("send", "--segment", "unions", "--yes", "--at", later(hours=5))
    day = datetime.now(UTC).year + 1
    said = shell("send", "--segment", "unions", "--yes", "--at", f"{day}-12-01 18:00")
    assert f"to {day}-12-01 18:00 CET." in said.err
    assert f"is scheduled for {day}-12-01 18:00 CET" in said.out
    assert ordered(shell).at == datetime(day, 12, 1, 17, tzinfo=UTC)
    # One that is held since its time has passed is moved, too.
    with stored(shell) as store:
        plan.hold(store, ordered(shell), "it was to begin long ago")
    shell("send", "--segment", "unions", "--yes", "--at", f"{day}-12-02 18:00")
    moved = ordered(shell)
    assert (moved.state, moved.held_why) == ("queued", "")
    assert moved.at == datetime(day, 12, 2, 17, tzinfo=UTC)


def test_what_has_begun_is_not_moved(shell: CommandLine) -> None:
    with stored(shell) as store:
        begun(shell, store)
    said = shell("send", "--segment", "unions", "--yes", "--at", later(hours=9), code=1)
    assert "--at: " in said.err and "has begun already" in said.err


def test_an_order_becomes_urgent(shell: CommandLine) -> None:
    shell.import_people(PEOPLE)
    words = ("send", "--segment", "unions", "--yes")
    shell(*words, "--at", later(hours=5))
    assert "is urgent from now on" in shell(*words, "--urgent").err
    assert ordered(shell).priority == 10
    assert "is urgent from now on" not in shell(*words, "--urgent").err
    shell(*words)
    assert ordered(shell).priority == 10, "it stays so"


def test_a_late_order_is_held_although_a_script_says_yes(
    shell: CommandLine, catcher: Catcher
) -> None:
    set_(shell, *BERLIN)
    shell.import_people(PEOPLE)
    words = ("send", "--segment", "unions", "--yes")
    with shell.relay(catcher):
        shell(*words, "--at", later(hours=5))
        make_late(shell)
        said = shell(*words, code=75)
        assert re.search(r"held: it was to begin at \S+ \d\d:\d\d CES?T,", said.err)
        assert "`--late-ok`" in said.err
        assert catcher.messages == []
        (dispatch,) = shell("status", "--json").json["dispatches"]
        assert dispatch["state"] == "held" and "no sender was running" in dispatch["held_why"]
        shell(*words, "--late-ok")
        assert len(catcher.messages) == 2


def test_what_was_compiled_anew_is_approved_again_before_it_goes(
    shell: CommandLine, catcher: Catcher
) -> None:
    shell.import_people(PEOPLE)
    words = ("send", "--segment", "unions")
    with shell.relay(catcher):
        shell(*words, "--yes", "--at", later(hours=5))
        with stored(shell) as store:
            plan.move(store, ordered(shell), datetime.now(UTC) - timedelta(minutes=1))
        (file,) = (path for path in (shell.root / "issues").glob("*.en.md"))
        file.write_text(file.read_text("utf-8").replace("subject:", "subject: Anew -", 1), "utf-8")
        name = shell("status", "--json").json["issue"]
        shell("compile", name)
        assert shell("status", "--json").json["state"] == "compiled"
        said = shell(*words, code=2)
        assert "was compiled anew" in said.err and catcher.messages == []
        shell(*words, "--yes")
        assert len(catcher.messages) == 2
        assert shell("issues", "list", "--json").json[0]["approved_at"] is not None


def test_a_pause_says_if_it_was_one_already(shell: CommandLine) -> None:
    set_(shell, *BERLIN)
    shell.import_people(PEOPLE)
    shell(
        "send", "--segment", "unions", "--yes", "--at", f"{datetime.now(UTC).year + 1}-12-01 18:00"
    )
    name = shell("status", "--json").json["issue"]
    assert ": paused (" in shell("pause", name).out
    assert ": was paused already (" in shell("pause", name).out
    assert "paused (scheduled for" in shell("status").out
    assert "18:00 CET)" in shell("status").out


def test_the_worker_ends_with_75_while_one_is_held(shell: CommandLine, catcher: Catcher) -> None:
    shell.import_people(PEOPLE)
    with shell.relay(catcher):
        shell("send", "--segment", "unions", "--yes", "--at", later(hours=5))
        said = shell("worker", "--once")
        assert (said.out, said.err) == ("", ""), "cron mails every line"
        make_late(shell)
        said = shell("worker", "--once", code=75)
        lines = [line for line in said.err.splitlines() if " letters " not in line]
        assert [re.sub(r"^\S+ UTC (\w+).*", r"\1", line) for line in lines[:3]] == [
            "started", "held", "stopped",
        ]  # fmt: skip
        assert "`mailout resume " in lines[3]
        again = shell("worker", "--once", code=75).err.splitlines()
        (line,) = [line for line in again if " letters " not in line]
        assert "held, nobody was skipped" in line


def test_slowed_providers_are_shown(shell: CommandLine, catcher: Catcher) -> None:
    set_(shell, *BERLIN)
    assert shell("status", "--json").json["slow_providers"] == []
    shell.import_people(PEOPLE)
    with shell.relay(catcher), stored(shell) as store:
        shell("send", "--segment", "unions", "--yes")
        now = datetime.now(UTC)
        with store.writing() as tx:
            held = buckets.locked(tx, {"to big": Limit()}, now)
            buckets.write(tx, [throttle.slowed(held["to big"], now)])
        (slow,) = shell("status", "--json").json["slow_providers"]
        until = (now + throttle.RECOVERY).isoformat(timespec="seconds")
        assert slow == {"provider": "big", "steps": 1, "until": until}
        said = shell("status").out
        assert re.search(r"big has asked for less and gets 1/4 of its rate .* CES?T\n", said)
        said = shell("worker", "--once")
        assert said.err == "", "nothing was to be done"
        shell.import_people("email,tags\nnew@example.com,journalists\n")
        name = shell("status", "--json").json["issue"]
        shell("send", name, "--segment", "journalists", "--yes", "--at", later(seconds=2))
        time.sleep(2.5)
        said = shell("worker", "--once", "--log", "json")
    events = [json.loads(line) for line in said.err.splitlines()]
    told = [event["event"] for event in events if event["event"] != "letters"]
    assert told == ["started", "begun", "slowed", "done", "stopped"]
    assert (events[2]["provider"], events[2]["steps"], events[2]["until"]) == ("big", 1, until)


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_log_is_in_the_zone_of_the_site_for_people(shell: CommandLine, form: str) -> None:
    set_(shell, *BERLIN)
    shell.import_people(PEOPLE)
    shell("send", "--segment", "unions", "--yes", "--at", later(hours=5))
    make_late(shell)
    line = shell("worker", "--once", "--log", form, code=75).err.splitlines()[0]
    if form == "text":
        assert re.match(r"\d\d:\d\d:\d\d CES?T started ", line)
    else:
        assert json.loads(line)["at"].endswith("+00:00")


WHY = "9 of 20 who got it call it spam (45.00%)."


def hold(shell: CommandLine) -> None:
    """As complaints do: nothing but a person lets it go on."""
    with stored(shell) as store, store.writing() as tx:
        assert dispatches.set_state(tx, 1, DispatchState.HELD, of=(DispatchState.SENDING,), why=WHY)


def test_no_script_goes_on_with_what_was_held_under_way(
    shell: CommandLine, catcher: Catcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stored(shell) as store:
        begun(shell, store)
    hold(shell)
    name = shell("status", "--json").json["issue"]
    words = ("send", "--segment", "unions")
    with shell.relay(catcher):
        for more in (("--yes",), ("--yes", "--wait"), ("--yes", "--late-ok"), ()):
            said = shell(*words, *more, code=75)
            assert f"held: {WHY}" in said.err and f"`mailout resume {name}`" in said.err
        assert catcher.messages == []
        shell("worker", "--once", code=75)
        assert catcher.messages == []
        with monkeypatch.context() as patch:
            patch.setattr("mailout.cli.console.at_terminal", lambda: True)
            patch.setattr("click.prompt", lambda *_, **__: "3")
            assert WHY in shell(*words).err
        assert len(catcher.messages) == 3


def test_a_send_that_is_held_under_way_ends_and_says_why(
    shell: CommandLine, catcher: Catcher
) -> None:
    with stored(shell) as store:
        begun(shell, store)
    with shell.relay(catcher):
        os.environ["MAILOUT_RELAY_URL"] += "&per_minute=20"
        timer = threading.Timer(2.0, hold, [shell])
        timer.start()
        said = shell("send", "--segment", "unions", "--yes", "--wait", code=75)
        timer.join()
    assert f"held, nobody was skipped: {WHY}" in said.err
    assert "`mailout resume` lets it go on" in said.err
    assert 0 < len(catcher.messages) < 3
    assert shell("status", "--json").json["dispatches"][0]["state"] == "held"


def test_unknown_ends_are_settled_by_a_person(shell: CommandLine, catcher: Catcher) -> None:
    set_(shell, 'unknown = "resend"', 'unknown = "hold"')
    with stored(shell) as store:
        dispatch = begun(shell, store)
        now = datetime.now(UTC)
        with store.writing() as tx:
            take(tx, dispatch.id, "gone", now, now - timedelta(minutes=1), 2)
    name = shell("status", "--json").json["issue"]
    with shell.relay(catcher):
        said = shell("send", "--segment", "unions", "--yes").err
        assert "2 were on the wire when a sender died; they are kept for you" in said
        assert "Of 2 nobody can know whether they arrived" in said
        rows = shell("deliveries", "list", name, "--state", "unknown", "--json").json
        one, other = (row["address"] for row in rows)
        assert len(catcher.messages) == 1
        shell("deliveries", "resolve", name, one, "--arrived")
        shell("deliveries", "resolve", name, one, "--arrived", code=1)
        shell("deliveries", "resolve", name, other, "--again")
        shell("send", "--segment", "unions", "--yes")
    assert [m.recipients[0] for m in catcher.messages][1:] == [other]
    counts = shell("status", "--json").json["deliveries"]
    assert (counts["accepted"], counts["unknown"]) == (3, 0)
