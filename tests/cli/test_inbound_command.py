"""`mailout inbound classify`: without a site, a line for each file, and nothing makes it fail."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command_line import CommandLine, Said
from mailout.cli.main import main

CORPUS = Path(__file__).parent.parent / "data" / "inbound"
KEYS = ["recipient", "action", "status", "category", "fault", "permanent", "diagnostic"]


class Shell(CommandLine):
    """A command line in a folder that may be no site."""

    def __call__(self, *words: str, code: int = 0) -> Said:
        self.capsys.readouterr()
        found = main(list(words))
        out, err = self.capsys.readouterr()
        assert found == code, f"{words} ended with {found}\n{out}\n{err}"
        assert "Traceback" not in err
        return Said(found, out, err)


@pytest.fixture
def shell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Shell:
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path, capsys)


def path(name: str) -> str:
    return str(CORPUS / f"{name}.eml")


def test_one_object_a_file_in_order(shell: Shell) -> None:
    names = ["two-recipients", "reply", "arf-abuse", "auto-german", "sendmail-warning"]
    said = shell("inbound", "classify", *map(path, names), "--json-lines")
    found = [json.loads(line) for line in said.out.splitlines()]
    assert [one["file"] for one in found] == [path(name) for name in names]
    assert [one["kind"] for one in found] == ["bounce", "reply", "feedback", "auto-reply", "delay"]
    for one in found:
        assert list(one) == ["file", "kind", "reports", "original_message_id"]
        assert all(list(report) == KEYS for report in one["reports"])
    assert found[0]["reports"][1] == {
        "recipient": "bert@example.com",
        "action": "failed",
        "status": "5.2.2",
        "category": "mailbox-full",
        "fault": "address",
        "permanent": True,
        "diagnostic": "552 5.2.2 mailbox full",
    }
    assert found[0]["original_message_id"] == "<b7.two-recipients@news.example.org>"


def test_known_addresses_are_a_filter(shell: Shell) -> None:
    people = shell.root / "people.txt"
    people.write_text("# to whom we wrote\n\nBert@Example.com\n", encoding="utf-8")
    words = ("inbound", "classify", path("exim-two"), "--json-lines")
    [line] = shell(*words, "--known-file", str(people)).out.splitlines()
    assert [report["recipient"] for report in json.loads(line)["reports"]] == ["Bert@Example.com"]
    [line] = shell(
        *words, "--known", "anna@example.net", "--known", "bert@example.com"
    ).out.splitlines()
    assert len(json.loads(line)["reports"]) == 2


def test_what_cannot_be_read_is_named_and_the_rest_goes_on(shell: Shell) -> None:
    (shell.root / "odd.eml").write_bytes(b"\xff\x00Subject: \xed\xa0\x80\n\n\x80")
    (shell.root / "empty.eml").write_bytes(b"")
    files = ("missing.eml", str(shell.root), "odd.eml", "empty.eml", path("qmail"))
    said = shell("inbound", "classify", *files, "--json-lines", code=1)
    found = [json.loads(line) for line in said.out.splitlines()]
    assert [one["kind"] for one in found] == [None, None, "other", "other", "bounce"]
    assert "missing.eml: cannot be read: No such file" in said.err
    assert len(said.err.splitlines()) == 2


def test_a_table_for_people(shell: Shell) -> None:
    said = shell("inbound", "classify", path("qmail"), path("reply"))
    head, bounce, reply = said.out.splitlines()
    assert head.split("\t") == ["file", "kind", "recipient", "category", "fault", "reply"]
    assert bounce.split("\t")[1:5] == ["bounce", "anna@example.net", "no-mailbox", "address"]
    assert reply.split("\t")[1] == "reply"


def test_mistakes_of_usage(shell: Shell) -> None:
    assert "no address" in shell("inbound", "classify", path("qmail"), "--known", "x", code=2).err
    (shell.root / "people.txt").write_text("anna@example.net\nbert\n", encoding="utf-8")
    words = ("inbound", "classify", path("qmail"), "--known-file")
    assert "people.txt:2" in shell(*words, "people.txt", code=1).err
    assert "cannot be read" in shell(*words, "nothing.txt", code=1).err


def test_the_rules_of_a_site_are_asked_first(
    shell: Shell, site_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(site_root)
    (site_root / "bounce-rules.toml").write_text(
        "[[rules]]\npattern = 'no mailbox here'\ncategory = \"moved\"\n"
        'example = "no mailbox here"\nsince = "2026-11-26"\n',
        encoding="utf-8",
    )
    assert "\tmoved\t" in shell("inbound", "classify", path("qmail")).out
    (site_root / "bounce-rules.toml").write_text("[[rules]]\npattern = '('\n", encoding="utf-8")
    assert "bounce-rules.toml" in shell("inbound", "classify", path("qmail"), code=1).err
