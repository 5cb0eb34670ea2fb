"""`mailout consent` and `mailout sheets` as an organiser calls them, on both databases."""

from __future__ import annotations

import json
import re
import sqlite3

import pytest

from command_line import CommandLine

PEOPLE = "email,name\nanna@example.org,Anna\nben@example.org,Ben\n"


def test_show_and_verify_and_export(shell: CommandLine) -> None:
    assert "no evidence yet" in shell("consent", "verify").out
    shell.import_people(PEOPLE)
    shown = shell("consent", "show", "ANNA@example.org", "--json").json
    assert [one["action"] for one in shown] == ["imported"]
    assert len(shown[0]["wording_version"]) == 12
    assert "imported" in shell("consent", "show", "anna@example.org").out
    assert "no evidence about" in shell("consent", "show", "nobody@example.org").out
    assert "2 links, all of it holds" in shell("consent", "verify").out
    (found,) = shell("consent", "verify", "--json").json
    assert (found["list"], found["links"], found["broken_at"]) == ("bulletin", 2, None)
    out = shell.root / "consent.jsonl"
    shell("consent", "export", "--list", "bulletin", "--out", str(out))
    lines = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [line["number"] for line in lines] == [1, 2]
    assert lines[-1]["hash"] == found["last_hash"]
    assert "@" not in out.read_text("utf-8")
    again = shell("consent", "export", "--list", "bulletin", "--out", str(out), code=2)
    assert "already" in again.err and "consent.jsonl" in again.err


def test_no_address(shell: CommandLine) -> None:
    assert "is no address" in shell("consent", "show", "anna", code=2).err


@pytest.mark.parametrize("shell", ["sqlite"], indirect=True)
def test_a_broken_chain_ends_with_one(shell: CommandLine) -> None:
    shell.import_people(PEOPLE)
    with sqlite3.connect(shell.root / "mailout.db") as connection:
        connection.execute("UPDATE consent SET wording = 'x' WHERE number = 2")
    said = shell("consent", "verify", code=1)
    assert "broken at number 2" in said.out and "Compare it with a backup" in said.err


def test_a_sheet_is_printed_with_its_words_and_code(shell: CommandLine) -> None:
    out = shell.root / "sheet.html"
    said = shell("sheets", "new", "--language", "de", "--rows", "9", "--out", str(out)).out
    page = out.read_text("utf-8")
    (one,) = shell("sheets", "list", "--json").json
    assert re.fullmatch(r"[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}", one["code"])
    assert one["code"] in said and one["code"] in page and one["wording"] in page
    assert page.count("<td>9</td>") == 1 and "<td>10</td>" not in page
    assert 'lang="de"' in page and "http" not in re.sub(r"<!--.*?-->", "", page)
    assert one["code"] in shell("sheets", "list").out
    assert "already" in shell("sheets", "new", "--out", str(out), code=2).err
    other = shell("sheets", "new", "--language", "fr", "--out", str(out) + "2", code=2)
    assert "not written in `fr`" in other.err


def test_an_import_from_a_sheet_carries_its_words(shell: CommandLine) -> None:
    shell("sheets", "new", "--language", "de", "--out", str(shell.root / "sheet.html"))
    (one,) = shell("sheets", "list", "--json").json
    said = f"Sheet {one['code'].lower()}, signed 2026-11-20"
    shell.write("stall.csv", PEOPLE)
    stall = str(shell.root / "stall.csv")
    shell("subscribers", "import", stall, "--list", "bulletin", "--consent", said)
    (row,) = shell("consent", "show", "anna@example.org", "--json").json
    assert row["wording"] == f"{said}: {one['wording']}"
    assert row["language"] == "de"  # of the words, whatever the file says of the person
    wrong = "sheet AAAA-AAAA, signed yesterday"
    other = shell("subscribers", "import", stall, "--list", "bulletin", "--consent", wrong, code=2)
    assert "there is no sheet" in other.err
    bulletin = shell.root / "lists" / "bulletin.toml"
    other_list = bulletin.read_text().replace("bulletin.", "appeals.")
    (shell.root / "lists" / "appeals.toml").write_text(other_list)
    other = shell("subscribers", "import", stall, "--list", "appeals", "--consent", said, code=2)
    assert "is one of the list `bulletin`" in other.err
    (shell.root / "lists" / "appeals.toml").unlink()
