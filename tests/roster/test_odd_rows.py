"""Rows as messy files have them, what is told of addresses, custom fields, and files to mend."""

from __future__ import annotations

import csv
import io
import json
import stat
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from command_line import CommandLine
from mailout.cli import console
from mailout.core.address import Address
from mailout.core.errors import UsageError
from mailout.core.segment import RESERVED
from mailout.core.site import Site
from mailout.core.token import leave_token, leave_tokens
from mailout.roster import columns, importing, lookalikes, opening, reader, statuses
from mailout.roster.form import unpacked
from mailout.roster.statuses import Standing
from mailout.store import people
from mailout.store.engine import Store
from roster_tools import HEAD, Import, accounted

_standings = st.builds(
    Standing,
    st.sampled_from(["active", "pending", "paused", "unsubscribed"]),
    st.sampled_from([None, "by hand", "dead", "complained"]),
)


def test_an_address_cell_with_a_line_break_is_one_row(take: Import) -> None:
    report = accounted(take('email\n"anna@x.org\nboris@x.org"\n"c@x.org\n"\nd@x.org\n'))
    assert report.added == 2
    assert [(one.row, one.why) for one in report.refused] == [
        (2, "more than one address in a cell")
    ]
    report = accounted(take('email,name\n"e@x.org\n",E\nf@x.org,"F\nF"\n'))
    assert report.added == 1 and report.refused[0].row == 4  # a line break in a name


def test_totals_a_second_header_and_an_empty_first_column(take: Import) -> None:
    text = ";Email;Name\n;anna@x.org;A\n;Email;Name\n;b@x.org;B\n;;;\nTotal;;2\nИтого:;;2\n"
    report = accounted(take(text))
    assert report.added == 2
    assert [(one.row, one.why) for one in report.refused] == [
        (3, "the names of the columns again"),
        (6, "no address: a line of totals?"),
        (7, "no address: a line of totals?"),
    ]


def test_slips_and_look_alikes_are_told_and_never_mended(
    take: Import, store: Store, site: Site
) -> None:
    many = "".join(f"p{n}@harbour.example.org\n" for n in range(60))
    report = accounted(
        take("email\n" + many + "a@gmial.com\nb@gmial.com\nc@harbuor.example.org\nd@gmаil.com\n")
    )
    told = {one.value: (one.row, one.why) for one in report.warnings}
    assert told["gmial.com"][0] == 62 and "slip for gmail.com (2 addresses" in told["gmial.com"][1]
    assert "harbour.example.org (1 address," in told["harbuor.example.org"][1]
    assert any("gmail.com" in why for value, (_, why) in told.items() if value.startswith("xn--"))
    with store.reading() as tx:
        key = Address.parse("a@gmial.com").key(site.keys.address)
        assert people.find(tx, key) is not None


def test_a_domain_is_no_slip_of_itself_or_of_a_rare_one() -> None:
    assert list(lookalikes.found({"gmail.com": 5, "mail.ru": 3, "mail.com": 1, "x.org": 1})) == []
    assert list(lookalikes.found({"a.org": 100, "b.org": 90})) == []
    assert list(lookalikes.found({"a.org": 100, "b.org": 2})) == [("b.org", "a.org", 2)]


def test_roles_are_counted(take: Import) -> None:
    assert take("email\ninfo@x.org\nInfo@y.org\nanna@x.org\nofficer@x.org\n").roles == 2


def test_any_script_and_one_key_for_all_spellings(take: Import, store: Store) -> None:
    text = "email,name\nинфо@письмо.рф,Айгүл\nИНФО@xn--h1aigbl0e.xn--p1ai,\njosé@x.org,ひろし\njose\u0301@x.org,\n"
    report = accounted(take(text))
    assert (report.added, report.duplicates) == (2, 2)
    with store.reading() as tx:
        assert [one.name for one in people.page(tx)] == ["Айгүл", "ひろし"]


def test_custom_fields(take: Import, store: Store) -> None:
    mapped = {"Workplace": "fields.workplace", "Since": "fields.since"}
    head = "email,Workplace,Since\n"
    take(head + "a@x.org, Dock 4 ,2019\nb@x.org,'=1+1,\n", columns=mapped)
    with store.reading() as tx:
        first, second = people.page(tx)
    assert first.fields == {"workplace": "Dock 4", "since": "2019"}
    assert second.fields == {"workplace": "=1+1"}
    report = accounted(take(head + "a@x.org,Dock 5,\nb@x.org,,\n", columns=mapped))
    assert (report.updated, report.unchanged) == (1, 1)
    with store.reading() as tx:
        assert people.page(tx)[0].fields == {"workplace": "Dock 5", "since": "2019"}
    report = accounted(take(head + '"c@x.org","a\x1bb",\n', columns=mapped))
    assert report.added == 1 and "left as it was" in report.warnings[0].why


@pytest.mark.parametrize(
    "name", ["fields.", "fields.1a", "fields.a b!", "fields." + "x" * 42, "fields.signatory"]
)
def test_a_name_of_a_field_that_is_none(name: str) -> None:
    with pytest.raises(UsageError, match=r"no name for a custom field|cannot be called"):
        columns.parse_map([f"x={name}"])


@pytest.mark.parametrize("mark", ["|", "^", "tab", "\\t", ":"])
def test_any_delimiter_can_be_named(take: Import, mark: str) -> None:
    delimiter = opening.delimiter_named(mark)
    report = take(f"email{delimiter}name\na@x.org{delimiter}A;,B\n", delimiter=delimiter)
    assert report.added == 1 and report.warnings == ()


@pytest.mark.parametrize("mark", ["", "ab", '"', "\n", "é"])
def test_a_delimiter_that_is_none(mark: str) -> None:
    with pytest.raises(UsageError, match="--delimiter"):
        opening.delimiter_named(mark)


@given(_standings, _standings)
def test_of_two_standings_the_one_that_mails_least(one: Standing, other: Standing) -> None:
    both = statuses.strictest(one, other)
    assert both == statuses.strictest(other, one)
    assert both.state in (one.state, other.state)
    assert (both.suppressed is None) is (one.suppressed is None and other.suppressed is None)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("yes ja Oui ДА sí sim evet иә так", statuses.ACTIVE),
        ("no nein Non НЕТ não hayır жоқ ні", statuses.LEFT),
    ],
)
def test_yes_and_no_are_known_in_other_languages(words: str, meant: Standing) -> None:
    assert {statuses.standing(word) for word in words.split()} == {meant}
    assert statuses.standing("x") is None


@given(st.text())
def test_no_unknown_word_means_subscribed(word: str) -> None:
    found = statuses.standing(word)
    assert found != statuses.ACTIVE or word.strip().lower() in (
        "", "active", "subscribed", "enabled", "confirmed", "yes", "true", "1",
        "ja", "oui", "да", "sí", "sim", "evet", "иә", "так",
    )  # fmt: skip


@given(st.text() | st.dictionaries(st.text(), st.integers() | st.text()).map(repr))
def test_any_bag_is_fields_or_a_reason(packed: str) -> None:
    fields, why = unpacked(packed)
    for name in fields.keys() - RESERVED:  # which the form leaves out
        assert columns.parse_map([f"x=fields.{name}"])
    assert not fields or not why or "the rest" in why


@given(st.binary(max_size=200))
def test_many_tokens_are_those_made_one_by_one(random: bytes) -> None:
    whole = random[: len(random) // 16 * 16]
    each = [whole[at : at + 16] for at in range(0, len(whole), 16)]
    assert leave_tokens(whole) == [leave_token(one) for one in each]


def test_what_was_refused_can_be_mended_and_imported_again(shell: CommandLine) -> None:
    file = shell.root / "mend.csv"
    text = HEAD + 'anna@x.org,A,,,,\nboris(at)x.org,=1+1,ru,,t;u,\n"c@x.org,C\nd@x.org,D\n'
    said = shell.import_people(text, "--mend", str(file))
    assert "has the 3 refused rows" in said.err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with file.open(encoding="utf-8", newline="") as opened:
        found = list(csv.reader(opened))
    assert found[0] == ["mailout row", "mailout why", *HEAD.strip().split(",")]
    assert found[1][0] == "3" and found[1][2:5] == ["boris(at)x.org", "'=1+1", "ru"]
    assert [row[0] for row in found[1:]] == ["3", "4", "5"]
    mended = file.read_text("utf-8").replace("(at)", "@")
    again = shell.import_people(mended, "--json").json
    assert (again["added"], again["refused_count"], again["warnings"]) == (1, 2, [])
    listed = {one["address"]: one["name"] for one in shell("subscribers", "list", "--json").json}
    assert listed == {"anna@x.org": "A", "boris@x.org": "=1+1"}


@pytest.mark.parametrize(
    ("name", "options", "word", "state"),
    [
        ("people.csv", (), "", "active"),
        ("people.csv", ("--status", "unsubscribed"), "unsubscribed", "unsubscribed"),
        ("cleaned_people.csv", (), "cleaned", "unsubscribed"),
        ("nonsubscribed_people.csv", (), "pending", "pending"),
    ],
)
def test_a_mend_file_says_what_the_name_of_the_imported_one_did(
    shell: CommandLine, name: str, options: tuple[str, ...], word: str, state: str
) -> None:
    words = ("subscribers", "import", "--list", "bulletin", "--consent", "signed")
    shell.write(name, "email,name\nanna(at)x.org,A\nb(at)x.org,B\nshort@x.org\n")
    first, second = shell.root / "mend.csv", shell.root / "again.csv"
    shell(*words, str(shell.root / name), *options, "--mend", str(first))
    front = "mailout row,mailout why," + "mailout status," * bool(word)
    assert first.read_text().splitlines()[0] == front + "email,name"
    first.write_text(first.read_text().replace("anna(at)", "anna@"))
    shell(*words, str(first), "--mend", str(second))
    assert second.read_text().splitlines()[0] == front + "email,name"
    assert [row[-1] for row in csv.reader(second.read_text().splitlines())][1:] == [
        "B",
        "short@x.org",
    ]
    second.write_text(second.read_text().replace("b(at)", "b@"))
    assert shell(*words, str(second), "--json").json["by_status"] == {state: 1}
    people_ = shell("subscribers", "list", "--json").json
    assert [one["lists"][0]["state"] for one in people_] == [state] * 2


@pytest.mark.parametrize("large", [10**9, 0])
def test_what_became_of_every_row(
    shell: CommandLine, monkeypatch: pytest.MonkeyPatch, large: int
) -> None:
    monkeypatch.setattr(reader, "LARGE", large)
    monkeypatch.setattr(importing, "CHUNK", 4)
    file, out = shell.root / "people.csv", shell.root / "rows.csv"
    file.write_text(
        HEAD + "a@x.org,,kz,,,\n=b@x.org,,,,,\nA@X.org,,,,,\nnobody,,,,,\ninfo@x.org,,,,,\n"
        "a@x.org,,,,t,\n"
    )
    order = ["--list", "bulletin", "--consent", "x"]
    asked = ["subscribers", "import", str(file), *order, "--report", str(out)]
    assert "what became of each row" in shell(*asked).err
    rows = list(csv.reader(out.read_text().splitlines()))
    assert rows[0] == ["row", "address", "became", "why"]
    assert [(row[0], row[1], row[2]) for row in rows[1:]] == [
        ("2", "a@x.org", "added"),
        ("3", "'=b@x.org", "added"),
        ("4", "A@X.org", "duplicate"),
        ("5", "nobody", "refused"),
        ("6", "info@x.org", "added"),
        ("7", "a@x.org", "duplicate"),
    ]
    assert "perhaps kk" in rows[1][3] and "@" in rows[4][3] and "role" in rows[5][3]
    assert out.stat().st_mode & 0o777 == 0o600
    assert "such a file already" in shell(*asked, code=1).err
    again = shell.root / "again.csv"
    shell(*asked[:-1], str(again))
    became = [row[2] for row in csv.reader(again.read_text().splitlines())]
    assert became == [
        "became", "unchanged", "unchanged", "duplicate", "refused", "unchanged", "duplicate",
    ]  # fmt: skip


def test_a_mend_file_is_made_only_where_there_is_none_and_only_if_needed(
    shell: CommandLine,
) -> None:
    file = shell.root / "mend.csv"
    assert "so there is no" in shell.import_people("email\na@x.org\n", "--mend", str(file)).err
    assert not file.exists()
    file.write_text("")
    words = ("subscribers", "import", str(shell.root / "people.csv"), "--list", "bulletin",
             "--consent", "x", "--mend")  # fmt: skip
    assert "already" in shell(*words, str(file), code=1).err
    assert "no such folder" in shell(*words, "/no/where/x.csv", code=1).err


@pytest.mark.parametrize("file", ["-", "both.csv"])
def test_the_files_beside_an_import_are_two_and_not_the_screen(
    shell: CommandLine, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    monkeypatch.chdir(shell.root)
    shell.write("people.csv", "email\nno\n")
    before = {path.name for path in shell.root.iterdir()}
    options = ("--report", file, *(("--mend", f"./{file}") if file != "-" else ()))
    said = shell("subscribers", "import", "people.csv", "--list", "bulletin", "--consent", "so",
                 *options, code=2).err  # fmt: skip
    assert "`-` is no file" in said or "Name two files" in said
    assert {path.name for path in shell.root.iterdir()} == before


def test_the_guide_shows_columns_and_asks(
    shell: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.write("p.csv", "Kontakt;Wer\nanna@x.org;Anna\nb@x.org;B\n")
    words = ("subscribers", "import", str(shell.root / "p.csv"), "--list", "bulletin", "--guide")
    assert "needs a terminal" in shell(*words, code=2).err
    monkeypatch.setattr("mailout.cli.subscribers_guide.at_terminal", lambda: True)
    monkeypatch.setattr(console, "at_terminal", lambda: True)
    answers = "nonsense\nKontakt=email\nNobody=name\nWer=name\n\nsigned at the gate\ny\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(answers))
    said = shell(*words)
    assert "no column is called email" in said.err and "has no column `Nobody`" in said.err
    assert "Kontakt\temail\tanna@x.org" in said.out
    assert "Wer\tname\tAnna\tB" in said.out and "A dry run" in said.out
    assert len(shell("subscribers", "list", "--json").json) == 2
    monkeypatch.setattr(sys, "stdin", io.StringIO("\nsigned\nn\n"))
    shell.write("p.csv", "email,abo\nc@x.org,abgemeldet\n")
    monkeypatch.setattr(sys, "stdin", io.StringIO("\nabo=status\n\nsigned\nn\n"))
    said = shell(*words)  # Enter alone does not answer what the column tells
    assert "nothing else tells who left" in said.err and "unsubscribed\t1" in said.out
    monkeypatch.setattr(sys, "stdin", io.StringIO("\nsigned\nn\n"))
    shell.write("p.csv", "email\nc@x.org\n")
    assert "Nothing was written." in shell(*words).err
    assert len(shell("subscribers", "list", "--json").json) == 2


def test_the_report_says_how_the_file_was_read(shell: CommandLine) -> None:
    (shell.root / "alt.csv").write_bytes("email;name\na@x.org;Анна\n".encode("cp1251"))
    words = ("subscribers", "import", str(shell.root / "alt.csv"), "--list", "bulletin",
             "--consent", "x")  # fmt: skip
    said = shell(*words, "--dry-run").err
    assert "Read as csv, cp1251, semicolon." in said and "The encoding was guessed: cp1251" in said
    assert shell(*words, "--encoding", "cp1251", "--delimiter", ";", "--json").json["says"] == []


def test_json_of_a_report_can_be_read(shell: CommandLine) -> None:
    found = shell.import_people("email,status\ninfo@x.org,mystery\n", "--json").json
    assert found["warnings"] == [
        {"row": 2, "value": "mystery", "why": "an unknown status; taken as pending"}
    ]
    assert json.dumps(found) and found["roles"] == 1
