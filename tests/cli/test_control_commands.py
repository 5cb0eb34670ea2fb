"""Schedules, pauses and what is missing, at the command line, on both databases."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest

from command_line import CommandLine
from mailout.smtp.catcher import Catcher

PEOPLE = "email,tags\nanna@example.org,unions\nboris@example.org,unions\n"


def later(**parts: int) -> str:
    return (datetime.now(UTC) + timedelta(**parts)).isoformat(timespec="seconds")


def issue(shell: CommandLine) -> str:
    name = shell("status", "--json").json["issue"]
    assert isinstance(name, str)
    return name


def test_a_scheduled_send_is_sent_by_the_worker(shell: CommandLine, catcher: Catcher) -> None:
    shell.import_people(PEOPLE)
    with shell.relay(catcher):
        said = shell("send", "--segment", "unions", "--yes", "--at", later(seconds=8))
        assert "is scheduled for" in said.out
        assert shell("send", "--segment", "unions", "--yes").out == said.out
        (dispatch,) = shell("status", "--json").json["dispatches"]
        assert (dispatch["state"], dispatch["urgent"]) == ("queued", False)
        shell("worker", "--once")
        assert catcher.messages == []
        shell.import_people("email,tags\nlate@example.org,unions\n")
        time.sleep(8)
        said = shell("worker", "--once", "--log", "json")
        events = [json.loads(line) for line in said.err.splitlines()]
        told = [event["event"] for event in events if event["event"] != "letters"]
        assert told == ["started", "begun", "done", "stopped"]
        assert "example.org" not in said.err, "no address is logged"
        to_readers = [m for m in catcher.messages if "contact@" not in str(m.recipients)]
        assert len(to_readers) == 3, "who joined in between is in"
        assert shell("status", "--json").json["deliveries"]["accepted"] == 3


def test_a_time_must_be_one(shell: CommandLine) -> None:
    shell.import_people(PEOPLE)
    for text, says in (
        ("tomorrow", "is no time"),
        ("2020-01-01 10:00", "is past"),
        ("25:00", "is no time"),
        ("", "is no time"),
        ("9999-12-31 23:59-12:00", "more than ten years ahead"),
    ):
        said = shell("send", "--segment", "unions", "--yes", "--at", text, code=2)
        assert says in said.err and "--at" in said.err


def test_a_scheduled_send_can_be_called_off(shell: CommandLine, catcher: Catcher) -> None:
    shell.import_people(PEOPLE)
    with shell.relay(catcher):
        shell("send", "--segment", "unions", "--yes", "--at", later(hours=5))
        name = issue(shell)
        assert "nobody has a delivery yet" in shell("pause", name).out
        said = shell("send", "--segment", "unions", "--yes", code=1)
        assert f"`mailout resume {name}`" in said.err
        shell("resume", name)
        shell("cancel", name, code=2)
        shell("cancel", name, "--yes")
        assert shell("status", name, "--json").json["state"] == "cancelled"
        # Its posts are free: the next send composes them anew.
        assert shell("send", "--segment", "unions", "--yes").code == 0
        assert issue(shell) != name
        assert len(catcher.messages) == 2


def test_nothing_to_pause_resume_cancel_or_resend(shell: CommandLine, catcher: Catcher) -> None:
    shell.import_people(PEOPLE)
    with shell.relay(catcher):
        shell("send", "--segment", "unions", "--yes")
        name = issue(shell)
        for command in (("pause",), ("resume",), ("cancel", "--yes")):
            assert f"no send of {name}" in shell(command[0], name, *command[1:], code=1).err
        assert "Nobody is missing" in shell("resend", name, "--missing").out
        said = shell("deliveries", "resolve", name, "anna@example.org", "--arrived", code=1)
        assert "has an unknown end" in said.err
        shell("deliveries", "resolve", name, "anna@example.org", code=2)


def test_json_lines_end_with_the_report(shell: CommandLine, catcher: Catcher) -> None:
    shell.import_people(PEOPLE)
    with shell.relay(catcher):
        said = shell("send", "--segment", "unions", "--yes", "--urgent", "--json-lines")
        lines = [json.loads(line) for line in said.out.splitlines()]
        assert lines[-1]["event"] == "end"
        assert lines[-1]["urgent"] is True
        assert lines[-1]["deliveries"]["accepted"] == 2


def test_a_worker_stops_when_told_and_shows_its_metrics(
    shell: CommandLine, catcher: Catcher
) -> None:
    shell.import_people(PEOPLE)
    with shell.relay(catcher):
        shell("send", "--segment", "unions", "--yes", "--at", later(seconds=8))
        words = [sys.executable, "-m", "mailout", "--site", str(shell.root), "worker"]
        with socket.create_server(("127.0.0.1", 0)) as free:
            where = f"127.0.0.1:{free.getsockname()[1]}"
        process = subprocess.Popen(
            [*words, "--metrics", where],
            env=os.environ.copy(),
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            ends = time.monotonic() + 30
            while len(catcher.messages) < 2 and time.monotonic() < ends:
                time.sleep(0.05)
            time.sleep(0.7)  # one look later the dispatch is closed
            with urllib.request.urlopen(f"http://{where}/metrics", timeout=5) as answer:
                page = answer.read().decode()
        finally:
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert 'mailout_attempts_total{state="accepted"} 2.0' in page
    assert "mailout_relay_usable" in page and "example.org" not in page
    assert "done" in err and "stopped" in err and "Traceback" not in err


@pytest.mark.parametrize("where", ["9109", "127.0.0.1:x", "127.0.0.1:99999999"])
def test_metrics_need_an_address(shell: CommandLine, where: str) -> None:
    said = shell("worker", "--once", "--metrics", where, code=2)
    assert "HOST:PORT" in said.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_send_that_waits_stops_when_told(shell: CommandLine, number: signal.Signals) -> None:
    shell.import_people(PEOPLE)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "mailout", "--site", str(shell.root),
         "send", "--segment", "unions", "--yes", "--wait"],
        env={**os.environ, "MAILOUT_RELAY_URL": f"smtp+plain://127.0.0.1:{port}"},
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if "Trying again in" in line:
                break
        process.send_signal(number)
        _, err = process.communicate(timeout=10)
    finally:
        process.kill()
    assert process.returncode == 75
    assert "stopped; nothing is lost, the same command goes on" in err


def test_a_send_that_was_stopped_while_it_composed_goes_on(
    shell: CommandLine, catcher: Catcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.import_people(PEOPLE)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with shell.relay(catcher):
        with monkeypatch.context() as patch:
            patch.setattr("mailout.cli.publishing.compile_plan", interrupted)
            said = shell("send", "--segment", "unions", "--yes", code=75)
        assert "the same command goes on" in said.err
        assert not list((shell.root / "issues").glob("*.md"))
        shell("send", "--segment", "unions", "--yes")
    assert len(catcher.messages) == 2


def test_a_terminal_shows_rate_states_and_time_left(shell: CommandLine, catcher: Catcher) -> None:
    shell.import_people(PEOPLE)
    ours, theirs = os.openpty()
    with shell.relay(catcher):
        process = subprocess.Popen(
            [sys.executable, "-m", "mailout", "--site", str(shell.root),
             "send", "--segment", "unions", "--yes"],
            env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
            stdout=subprocess.DEVNULL,
            stderr=theirs,
        )  # fmt: skip
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 4096):
                shown += piece
        except OSError:
            pass  # how the end of a terminal is told
        finally:
            os.close(ours)
        assert process.wait(20) == 0
    words = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    (last,) = re.findall(r"Sending[^\r\n]*", words)[-1:]
    assert re.search(r"2/2 \S+/s \d:\d\d:\d\d 2 accepted", last), last


def test_the_pages_show_metrics_and_end_when_told(shell: CommandLine) -> None:
    shell.import_people(PEOPLE)
    with socket.create_server(("127.0.0.1", 0)) as free:
        where = f"127.0.0.1:{free.getsockname()[1]}"
    process = subprocess.Popen(
        [sys.executable, "-m", "mailout", "--site", str(shell.root),
         "serve", "--port", "0", "--metrics", where],
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        said = process.stdout.readline()
        assert "Serving the pages" in said
        pages = said.rpartition("http://")[2].strip()
        with urllib.request.urlopen(f"http://{pages}", timeout=20) as answer:  # listens already
            assert answer.status == 200
        with urllib.request.urlopen(f"http://{where}/metrics", timeout=5) as answer:
            page = answer.read().decode()
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    assert 'mailout_dispatches{state="sending"} 0.0' in page and "example.org" not in page
    assert process.returncode == 0
