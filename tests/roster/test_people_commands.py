"""`subscribers edit`, `tag`, `note` and `merge`: what they say, refuse, and leave alone when they fail."""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime

import pytest

from command_line import CommandLine
from mailout.cli import console
from mailout.store import merged, people
from mailout.store.engine import Store
from newcomers import dump
from roster_tools import DECLARED

ANNA, OLD, NOBODY = "anna@example.org", "anna@old.example.org", "nobody@example.org"


@pytest.fixture
def known(shell: CommandLine) -> CommandLine:
    """A shell in a site with two people and fields of each type."""
    with (shell.root / "lists" / "bulletin.toml").open("a", encoding="utf-8") as file:
        file.write(DECLARED)
    shell.import_people(
        f"email,name,language,tags,home-town\n{ANNA},,ru,unions,\n{OLD},Anna,de,press,Ust\n"
    )
    return shell


def of(shell: CommandLine, address: str = ANNA) -> dict[str, object]:
    found: dict[str, object] = shell("subscribers", "show", address, "--json").json
    return found


def test_edit_changes_what_is_named_and_empties_what_is_empty(known: CommandLine) -> None:
    said = known(
        "subscribers", "edit", ANNA.upper(), "--name", " Anna Weiss ", "--country", "de",
        "--set", "branch=rail", "--set", "skills=Drawing;oil, gas", "--set", "delegate=yes",
        "--set", "age=2.5", "--set", "since=2026-01-31", "--set", "home-town=Ust = Kut",
    )  # fmt: skip
    assert said.out.startswith(f"{ANNA}: Anna Weiss; ru; DE; ")
    assert "branch: rail, skills: Drawing, oil, gas, delegate: yes" in said.out
    fields = {
        "branch": "rail", "skills": ["Drawing", "oil, gas"], "delegate": True, "age": 2.5,
        "since": "2026-01-31", "home-town": "Ust = Kut",
    }  # fmt: skip
    person = of(known)
    assert (person["name"], person["language"], person["country"]) == ("Anna Weiss", "ru", "DE")
    assert person["fields"] == fields
    emptied = known("subscribers", "edit", ANNA, "--name", "", "--set", "age=", "--json").json
    assert emptied["name"] == "" and "age" not in emptied["fields"]
    words = [word for name in fields for word in ("--set", f"{name}=")]
    said = known("subscribers", "edit", ANNA, *words, "-l", "", "--country", "")
    assert said.out == f"{ANNA}: nothing else is known\n"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ((), 2, "nothing to do"),
        (("--language", "kz"), 2, "`kz` is a country, not a language. Write `kk`."),
        (("--language", "martian language"), 2, "is no language"),
        (("--country", "UK"), 2, "GB"),
        (("--country", "Atlantis"), 2, "is no country"),
        (("--name", "Anna\r\nBcc: x@example.org"), 2, "the name"),
        (("--set", "rail"), 2, "Write NAME=VALUE"),
        (("--set", "brunch=rail"), 2, "Did you mean `branch`"),
        (("--set", "branch=trains"), 2, "trains"),
        (("--set", "skills=Writing;Flying"), 2, "Flying"),
        (("--set", "age=old"), 2, "old"),
        (("--set", "delegate=perhaps"), 2, "perhaps"),
        (("--set", "since=31.1.2026"), 2, "Write it as YYYY-MM-DD"),
        (("--set", "home-town=a\u202eb"), 2, "--set home-town"),
        (("--set", f"home-town={'x' * 1001}"), 2, "longer than 1000"),
        (("--name", "Anne", "--set", "age=old"), 2, "old"),
    ],
)
def test_edit_refuses_and_changes_nothing(
    known: CommandLine, store: Store, words: tuple[str, ...], code: int, says: str
) -> None:
    before = dump(store)
    said = known("subscribers", "edit", ANNA, *words, code=code)
    assert says in said.err and not said.out
    assert dump(store) == before


@pytest.mark.parametrize(
    "words",
    [("edit", "--name", "x"), ("tag", "--add", "x"), ("note", "x"), ("note",)],
    ids=" ".join,
)  # fmt: skip
def test_who_is_not_known_was_erased_or_merged_is_told(
    known: CommandLine, words: tuple[str, ...]
) -> None:
    command, *rest = words
    assert f"{NOBODY}: there is nobody" in known("subscribers", command, NOBODY, *rest, code=1).err
    assert "is no address" in known("subscribers", command, "anna", *rest, code=2).err
    known("subscribers", "merge", ANNA, OLD, "--yes")
    said = known("subscribers", command, OLD, *rest, code=1).err
    assert f"merged into {ANNA}" in said and "Name that one" in said
    known("subscribers", "erase", ANNA, "--yes")
    assert "suppressed (erased)" in known("subscribers", command, ANNA, *rest, code=1).err


def test_tags_are_given_and_taken(known: CommandLine, store: Store) -> None:
    said = known("subscribers", "tag", ANNA, "--add", "Press, rail", "--add", "x", "--remove", "x2")
    assert said.out == f"{ANNA}: press rail unions x\n"
    known("subscribers", "tag", ANNA, "--remove", "UNIONS", "--remove", "press;rail;x")
    assert known("subscribers", "tag", ANNA, "--remove", "x").out == f"{ANNA}: no tags\n"
    before = dump(store)
    for words, says in (
        ((), "nothing to do"),
        (("--add", "a", "--remove", "A"), "`a` cannot be added and removed at once"),
        (("--add", "a\nb"), "the tag"),
    ):
        assert says in known("subscribers", "tag", ANNA, *words, code=2).err
    assert dump(store) == before


def test_notes_are_written_listed_and_taken_away(known: CommandLine, store: Store) -> None:
    said = known("subscribers", "note", ANNA, " speaks in May\nnot in June ").out
    assert "speaks in May" in said
    known("subscribers", "note", ANNA, "has moved")
    first, second = known("subscribers", "note", ANNA, "--json").json
    assert (first["text"], second["text"]) == ("speaks in May\nnot in June", "has moved")
    assert abs(datetime.now(UTC) - datetime.fromisoformat(first["at"])).days == 0
    assert known("subscribers", "note", OLD, "--json").json == []
    before = dump(store)
    for words, code, says in (
        (("  ",), 2, "the note is empty"),
        (("a\x1bb",), 2, "control character"),
        (("x" * 5001,), 2, "longer than 5000"),
        (("x", "--drop", str(first["id"])), 2, "not both"),
        (("--drop", str(first["id"]), "--drop", "999"), 1, "there is no note 999"),
    ):
        assert says in known("subscribers", "note", ANNA, *words, code=code).err
    # Somebody else's note cannot be taken away by a slip in the address.
    assert "no note" in known("subscribers", "note", OLD, "--drop", str(first["id"]), code=1).err
    assert dump(store) == before
    known("subscribers", "note", ANNA, "--drop", str(first["id"]))
    assert [one["text"] for one in known("subscribers", "note", ANNA, "--json").json] == [
        "has moved"
    ]


def test_a_merge_is_shown_asked_about_and_done(
    known: CommandLine, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    known("subscribers", "note", OLD, "has moved")
    known("subscribers", "edit", ANNA, "--set", "branch=rail")
    known("subscribers", "edit", OLD, "--set", "branch=harbour")
    before = dump(store)
    assert "Add --yes if you are sure" in known("subscribers", "merge", ANNA, OLD, code=2).err
    said = known("subscribers", "merge", ANNA, OLD, "--dry-run")
    assert said.out.startswith(f"A dry run: nothing was written.\n{OLD} -> {ANNA}\n")
    assert "bulletin\tactive\tactive\tactive" in said.out and "Tags: press unions" in said.out
    assert "Notes: 1 moved" in said.out and "Fields taken over: home-town" in said.out
    assert f"They differ in language, branch: what {ANNA} has stays." in said.err
    monkeypatch.setattr(console, "at_terminal", lambda: True)
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    known("subscribers", "merge", ANNA, OLD, code=75)
    assert dump(store) == before
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert "Merge them" in known("subscribers", "merge", ANNA, OLD).err
    person = of(known)
    assert (person["name"], person["language"]) == ("Anna", "ru")
    assert person["fields"] == {"branch": "rail", "home-town": "Ust"}
    assert [one["text"] for one in known("subscribers", "note", ANNA, "--json").json] == [
        "has moved"
    ]
    assert "merged into" in known("subscribers", "merge", ANNA, OLD, "--yes", code=1).err


def test_a_merge_refuses(known: CommandLine, store: Store) -> None:
    before = dump(store)
    for words, code, says in (
        ((ANNA, NOBODY), 1, f"{NOBODY}: there is nobody"),
        ((NOBODY, ANNA), 1, f"{NOBODY}: there is nobody"),
        ((ANNA, ANNA.upper()), 2, "the same person already"),
        ((ANNA, "anna"), 2, "is no address"),
    ):
        assert says in known("subscribers", "merge", *words, "--yes", code=code).err
    assert dump(store) == before


def test_a_merge_tells_in_json_and_carries_a_suppression(known: CommandLine) -> None:
    known("suppressions", "add", OLD)
    dry = known("subscribers", "merge", ANNA, OLD, "--dry-run", "--json").json
    done = known("subscribers", "merge", ANNA, OLD, "--yes", "--json").json
    assert done | {"dry_run": True} == dry and done["suppressed"] == [["", "by hand"]]
    assert of(known)["suppressions"]


@pytest.mark.parametrize(
    ("module", "function", "words"),
    [
        (merged, "move_history", ("merge", ANNA, OLD, "--yes")),
        (people, "remove", ("merge", ANNA, OLD, "--yes")),
        (people, "change_tags", ("tag", ANNA, "--add", "x")),
    ],
    ids=["merge, history", "merge, end", "tag"],
)
def test_what_fails_midway_leaves_everything_as_it_was(
    known: CommandLine, store: Store, monkeypatch: pytest.MonkeyPatch,
    module: object, function: str, words: tuple[str, ...],
) -> None:  # fmt: skip
    known("subscribers", "note", OLD, "has moved")
    before = dump(store)

    def failing(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, function, failing)
    assert "stopped" in known("subscribers", *words, code=75).err
    monkeypatch.undo()
    assert dump(store) == before
