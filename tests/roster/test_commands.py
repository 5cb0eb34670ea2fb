"""The commands `subscribers` and `segments`: their words, their JSON, their refusals."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import click
import pytest

from command_line import CommandLine
from mailout.cli import console
from mailout.cli.segments import segments_command
from mailout.cli.subscribers import subscribers_command

PEOPLE = (
    "email,name,language,tags\nanna@x.org,Anna,ru,unions\nb@x.org,,de,\nnope,,,\nanna@x.org,,,\n"
)


def test_import_prints_one_object(shell: CommandLine) -> None:
    found = shell.import_people(PEOPLE, "--json", "--tag", "gate").json
    assert found == {
        "rows_read": 4, "added": 2, "updated": 0, "unchanged": 0, "duplicates": 1,
        "refused": [{"row": 4, "value": "nope", "why": "An email address must have an @-sign"}],
        "warnings": [], "by_status": {"active": 2}, "by_tag": {"gate": 2, "unions": 1},
        "by_language": {"ru": 1, "de": 1}, "dry_run": False, "refused_count": 1,
        "warnings_count": 0, "roles": 0, "import_id": 1, "preset": "none", "kind": "csv",
        "encoding": "utf-8", "delimiter": "comma", "says": [],
    }  # fmt: skip
    assert shell.import_people(PEOPLE, "--json", "--tag", "gate").json["unchanged"] == 2


def test_import_prints_tables(shell: CommandLine) -> None:
    said = shell.import_people("email,phone\na@x.org,1\nnope,2\n", "--dry-run").out
    assert said.startswith("A dry run: nothing was written.")
    assert "added\t1" in said and "2\tphone" not in said
    assert "3\tnope\tAn email address must have an @-sign" in said
    assert "1\tphone\tcolumns that are not known" in said
    assert shell("subscribers", "list", "--json").json == []


def test_import_reads_standard_input(shell: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "email\nanna@x.org\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    words = ("subscribers", "import", "-", "--list", "bulletin", "--consent", "x", "--json")
    assert shell(*words).json["added"] == 1
    (consent,) = shell("subscribers", "show", "anna@x.org", "--json").json["consents"]
    assert consent["source"].startswith("import:standard input sha256:")


@pytest.mark.parametrize(
    ("text", "words", "code", "says"),
    [
        ("name,phone\nA,1\n", (), 1, "people.csv:1: no column is called email; the columns are `name`, `phone`"),
        ("anna@x.org,Anna\n", (), 1, "the first line holds an address"),
        ("", (), 1, "the file is empty"),
        ("email\na@x.org\n", ("--map", "x"), 2, "--map"),
        ("email\na@x.org\n", ("--map", "Mail=email"), 2, "no column `Mail`"),
        ("email\na@x.org\n", ("--encoding", "utf-99"), 2, "no encoding `utf-99`"),
        ("email\na@x.org\n", ("--list", "buletin"), 2, "Did you mean `bulletin`"),
        ("email\na@x.org\n", ("--consent", " "), 2, "how these people agreed"),
        ("email\na@x.org\n", ("--nonsense",), 2, "No such option"),
    ],
)  # fmt: skip
def test_import_refuses(
    shell: CommandLine, text: str, words: tuple[str, ...], code: int, says: str
) -> None:
    shell.write("people.csv", text)
    file = str(shell.root / "people.csv")
    said = shell(
        "subscribers", "import", file, "--list", "bulletin", "--consent", "x", *words, code=code
    )
    assert says in said.err and not said.out
    if code == 1:
        assert len(said.err.splitlines()) == 1


def test_consent_is_asked_for_at_a_terminal(
    shell: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.write("p.csv", "email\nanna@x.org\n")
    words = ("subscribers", "import", str(shell.root / "p.csv"), "--list", "bulletin")
    assert "--consent" in shell(*words, code=2).err
    monkeypatch.setattr(console, "at_terminal", lambda: True)
    monkeypatch.setattr(sys, "stdin", io.StringIO("signed at the gate\n"))
    shell(*words)
    said = shell("subscribers", "show", "anna@x.org").out
    assert "imported: “signed at the gate” [import:p.csv sha256:" in said


def test_a_file_that_is_not_there(shell: CommandLine) -> None:
    said = shell(
        "subscribers", "import", "none.csv", "--list", "bulletin", "--consent", "x", code=2
    )
    assert "none.csv" in said.err


def test_one_person_from_add_to_erase(shell: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("subscribers", "add", "anna@x.org", "--list", "bulletin", "--consent", "by phone")
    assert shell(*words, "--tag", "a", "-l", "ru").out == "anna@x.org is on the list `bulletin`.\n"
    assert "already (active)" in shell(*words, code=1).err
    assert (
        shell("subscribers", "tag", "anna@x.org", "--add", "b", "--remove", "a").out
        == "anna@x.org: b\n"
    )
    assert "nothing to do" in shell("subscribers", "tag", "anna@x.org", code=2).err
    found = shell("subscribers", "show", "ANNA@x.org", "--json").json
    assert found["tags"] == ["b"] and found["language"] == "ru"
    assert found["lists"][0]["state"] == "active" and found["consents"][0]["wording"] == "by phone"
    assert {"suppressions", "deliveries", "missed", "events"} <= found.keys()

    assert "--yes" in shell("subscribers", "erase", "anna@x.org", code=2).err
    monkeypatch.setattr(console, "at_terminal", lambda: True)
    monkeypatch.setattr(sys, "stdin", io.StringIO("b@x.org\n"))
    assert "another address" in shell("subscribers", "erase", "anna@x.org", code=1).err
    monkeypatch.setattr(sys, "stdin", io.StringIO("Anna@X.org\n"))
    assert shell("subscribers", "erase", "anna@x.org").out.startswith("Erased.")
    assert "suppressed (erased)" in shell("subscribers", "show", "anna@x.org", code=1).err
    assert shell("subscribers", "erase", "anna@x.org").out.startswith("Erased.")
    assert "there is nobody" in shell("subscribers", "erase", "b@x.org", "--yes", code=1).err
    assert "suppressed (erased)" in shell(*words, code=1).err
    report = shell.import_people("email\nanna@x.org\n", "--json").json
    assert report["added"] == 0 and "erased" in report["refused"][0]["why"]


def test_list_goes_on_where_it_ended(shell: CommandLine) -> None:
    shell.import_people("email\n" + "".join(f"p{n}@x.org\n" for n in range(5)))
    said = shell("subscribers", "list", "--limit", "2")
    assert [line.split("\t")[1] for line in said.out.splitlines()] == [
        "address",
        "p0@x.org",
        "p1@x.org",
    ]
    after = said.err.split("--after ")[1].split(",")[0]
    rest = shell("subscribers", "list", "--after", after, "--limit", "0", "--json").json
    assert [one["address"] for one in rest] == ["p2@x.org", "p3@x.org", "p4@x.org"]
    assert shell("subscribers", "list", "--segment", "unions", "--json").json == []
    assert "no segment" in shell("subscribers", "list", "--segment", "x", code=2).err


def test_export(shell: CommandLine) -> None:
    shell.import_people("email,name,tags\nanna@x.org,=1+1,unions\nб@письмо.рф,Бо,\n")
    out = shell("subscribers", "export").out.splitlines()
    assert out[1].startswith("anna@x.org,'=1+1,,,unions,bulletin,active,")
    assert len(shell("subscribers", "export", "--json").json) == 2
    assert (
        len(shell("subscribers", "export", "--json-lines", "--segment", "unions").out.splitlines())
        == 1
    )
    assert shell("subscribers", "export", "-o", "-").out.splitlines() == out
    file = shell.root / "out.csv"
    assert "only you can read it" in shell("subscribers", "export", "-o", str(file)).err
    assert file.stat().st_mode & 0o777 == 0o600
    assert "б@письмо.рф,Бо," in file.read_text(encoding="utf-8")
    assert "already" in shell("subscribers", "export", "-o", str(file), code=1).err
    assert "cannot be written" in shell("subscribers", "export", "-o", "/no/where", code=1).err
    again = shell.import_people(file.read_text(encoding="utf-8"), "--json").json
    assert (again["unchanged"], again["refused"], again["warnings"]) == (2, [], [])


def test_segments(shell: CommandLine) -> None:
    shell.import_people(
        "email,language,tags,status\na@x.org,ru,unions,\nb@x.org,ru,unions,paused\n"
    )
    first = shell("segments", "list", "--json").json[0]
    assert first == {
        "segment": "bulletin/unions", "rule": "tag = unions", "count": 1, "matching": 2,
        "by_language": {"ru": 1}, "left_out": {"paused by the reader": 1},
    }  # fmt: skip
    assert "bulletin/unions\ttag = unions\t1\t1" in shell("segments", "list").out
    assert shell("segments", "show", "unions", "--count").out == "1\n"
    shown = shell("segments", "show", "bulletin/unions", "--sample", "9", "--explain").out
    assert "tag = unions\t2" in shown and "a@x.org\tru\tunions" in shown
    found = shell("segments", "show", "unions", "--sample", "9", "--explain", "--json").json
    assert sorted(found["sample"]) == ["a@x.org", "b@x.org"]
    assert found["explain"] == [{"depth": 0, "text": "tag = unions", "count": 2}]
    assert "Did you mean `unions`" in shell("segments", "show", "unoins", code=2).err


@pytest.mark.parametrize("group", [subscribers_command, segments_command], ids=lambda g: g.name)
def test_every_help_has_an_example(group: click.Group) -> None:
    for command in (group, *group.commands.values()):
        assert command.help and re.search(r"Example:\s+mailout ", command.help)


def test_a_pipe_is_read_too(shell: CommandLine, tmp_path: Path) -> None:
    import os
    from threading import Thread

    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_text, args=("email\nanna@x.org\n",))
    writer.start()
    words = ("subscribers", "import", str(pipe), "--list", "bulletin", "--consent", "x", "--json")
    assert shell(*words).json["added"] == 1
    writer.join()
