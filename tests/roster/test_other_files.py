"""Spreadsheets, JSON lines and plain lists; and files that would rather be no files at all."""

from __future__ import annotations

import io
import json
import random
import re
import tracemalloc
import zipfile
from collections.abc import Callable
from datetime import datetime
from itertools import islice
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailout.core.errors import BadFile, MailoutError
from mailout.core.site import Site
from mailout.roster import importing, opening, sheet
from mailout.roster.entry import unquoted
from mailout.roster.reading import Broken, Row
from mailout.store import people
from mailout.store.engine import Store
from newcomers import dump
from roster_tools import Import, accounted


def workbook(*rows: list[object], hidden: bool = False) -> bytes:
    book = openpyxl.Workbook()
    if hidden:
        book.create_sheet("notes", 0).append(["not this one"])
        book.worksheets[0].sheet_state = "hidden"
        book.active = 1
    for row in rows:
        book.worksheets[-1].append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def rows(raw: bytes, name: str = "people.xlsx") -> list[Row | Broken]:
    return list(opening.opened(io.BytesIO(raw), name).table.rows)


def tall(count: int) -> bytes:
    """A sheet of so many people whose rows have a height, as LibreOffice writes them."""
    spare = workbook(["email"])
    lines = "".join(
        f'<row r="{n}" ht="15" customHeight="1"><c r="A{n}" t="inlineStr"><is><t>{text}</t></is>'
        "</c></row>"
        for n, text in enumerate(["email", *(f"p{n}@x.org" for n in range(count))], 1)
    )
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(spare)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            raw = old.read(name)
            if name == "xl/worksheets/sheet1.xml":
                raw = re.sub(
                    rb"<sheetData>.*</sheetData>", f"<sheetData>{lines}</sheetData>".encode(), raw
                )
            new.writestr(name, raw)
    return out.getvalue()


def test_a_tall_spreadsheet_is_not_held_in_memory() -> None:
    def held(count: int) -> int:
        """Bytes that are held when nearly all is read."""
        left = opening.opened(io.BytesIO(tall(count)), "people.xlsx").table.rows
        tracemalloc.start()
        try:
            read = sum(1 for _ in islice(left, count - 1))
            assert read == count - 1
            return tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()

    assert held(20_000) < held(2_000) + 500_000


def test_a_spreadsheet(take: Import, store: Store) -> None:
    raw = workbook(
        ["Email", "Name", "Joined", "Card", "Tags"],
        ["anna@x.org", "Анна", datetime(2024, 5, 6, 7, 8), 17.0, "unions"],  # noqa: DTZ001
        [None, None, None],
        ["boris@x.org", True],
        ["nope", "X"],
        ["c@x.org", "C", None, None, None, "more"],
        hidden=True,
    )
    report = accounted(take(raw, columns={"Card": "fields.card"}))
    assert (report.kind, report.encoding, report.added) == ("xlsx", "xlsx", 2)
    assert [(one.row, one.value) for one in report.refused] == [(5, "nope"), (6, "more")]
    with store.reading() as tx:
        anna, boris = people.page(tx)
    assert (anna.name, anna.fields, boris.name) == ("Анна", {"card": "17"}, "true")


def test_formulas_stand_for_what_they_came_to(take: Import) -> None:
    raw = workbook(["email", "name"], ["=LOWER(B2)", "a"], ["b@x.org", "=1+1"])
    report = accounted(take(raw))
    assert report.added == 1 and report.refused[0].row == 2
    assert report.says == (sheet.FORMULAS,)


def test_further_sheets_are_told(take: Import) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    book.active.append(["email"])
    book.active.append(["a@x.org"])
    book.create_sheet("empty")
    book.create_sheet("left").append(["email", "name"])
    book.create_sheet("hidden").append(["email", "name"])
    book["hidden"].sheet_state = "hidden"
    out = io.BytesIO()
    book.save(out)
    (told,) = take(out.getvalue()).says
    assert told.endswith("save as a file of its own `left`")


def packed(**parts: bytes) -> bytes:
    """A spreadsheet of ours with some of its parts replaced, or more of them."""
    whole = zipfile.ZipFile(io.BytesIO(workbook(["email"], ["a@x.org"])))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name in whole.namelist():
            if name not in parts:
                made.writestr(name, whole.read(name))
        for name, body in parts.items():
            made.writestr(name, body)
    return out.getvalue()


_SHEET = "xl/worksheets/sheet1.xml"
_OPEN = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"xl/sharedStrings.xml": b" " * 101_000_000}, "unpacks to more than 100 MB"),
        ({"xl/styles.xml": b" " * 6_000_000}, "unpacks to more than 5 MB"),
        ({_SHEET: _OPEN + b"<row><c t='inlineStr'><is><t>" + b"x" * 9_000_000}, "a row or a text"),
        ({_SHEET: _OPEN + b"<row r='1'>" + b"<c><v>1</v></c>" * 1_000_000}, "a row or a text"),
        ({_SHEET: b'<!DOCTYPE x [<!ENTITY a "aaaa">]>' + _OPEN}, "defines things of its own"),
        ({_SHEET: _OPEN + b"<row></row>" * 1_048_577}, "more rows than"),
        ({_SHEET: _OPEN + b"<row spans='1:1' r='1048577'/>"}, "more rows than"),
        ({_SHEET: _OPEN.replace(b"xmlns", b"xmlns:x").replace(b"<", b"<x:")
          + b'<x:row r="999999999999"><x:c/></x:row>'}, "more rows than"),
        ({_SHEET: b"no xml"}, "no spreadsheet that can be read"),
        ({_SHEET: _OPEN + b"<row><c t='s'><v>99</v></c></row></sheetData></worksheet>"},
         "no spreadsheet that can be read"),
        ({_SHEET: _OPEN + b"</sheetData></worksheet>"}, "the first sheet is empty"),
        ({"xl/workbook.xml": b"<x/>"}, "no spreadsheet"),
    ],
)  # fmt: skip
def test_a_spreadsheet_that_is_a_bomb_or_broken(
    store: Store, take: Import, parts: dict[str, bytes], says: str
) -> None:
    before = dump(store)
    with pytest.raises(BadFile, match=says):
        take(packed(**parts))
    assert dump(store) == before


def test_a_zip_that_is_no_spreadsheet_and_an_old_one() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("export/cleaned_members.csv", "email\na@x.org\n")
        made.writestr("__MACOSX/export/._cleaned_members.csv", "")
    bare = io.BytesIO()
    with zipfile.ZipFile(bare, "w") as made:
        made.writestr("content.xml", "<x/>")
    for raw, says in (
        (out.getvalue(), r"holds cleaned_members\.csv\. Unpack it"),
        (bare.getvalue(), "Save it as CSV"),
        (sheet.MAGIC + b"nothing", "Save it as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old Excel file"),
    ):
        with pytest.raises(BadFile, match=says):
            rows(raw)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=8), st.booleans())
def test_a_damaged_spreadsheet_is_a_table_or_a_clear_error(
    at: int, noise: bytes, cut: bool
) -> None:
    raw = workbook(["email", "name"], ["anna@x.org", "Anna"], ["b@x.org", "Böll"])
    at %= len(raw)
    damaged = raw[:at] if cut else raw[:at] + noise + raw[at + len(noise) :]
    try:
        rows(damaged)
    except MailoutError as error:
        assert str(error)


def test_json_lines(take: Import, store: Store) -> None:
    lines = [
        {"email": "anna@x.org", "name": "Анна", "tags": ["a", "b"], "age": 30},
        {"email": "b@x.org", "status": "unsubscribed", "attributes": {"x": 1}},
        {"email": None},
    ]
    text = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    report = accounted(take(text + '\n[1]\nnope\n{"email": "c@x.org"}'))
    assert (report.kind, report.added, report.by_tag) == ("json", 3, {"a": 1, "b": 1})
    assert [one.row for one in report.refused] == [3, 4, 5]
    assert report.by_status == {"active": 2, "unsubscribed": 1}
    again = accounted(take(json.dumps(lines, indent=1)))
    assert (again.unchanged, again.refused_count) == (2, 1)


def test_keys_that_are_alike_are_one_column(take: Import, store: Store) -> None:
    lines = [
        {"email": "anna@x.org", "First Name": "Anna", "tags": ["a"]},
        {"Email": "boris@x.org", "first_name": "Boris", "Tags": "b"},
        {"email": "", "Email": "carol@x.org", "TAGS": ["c"], "tags": ["c"]},
        {"email": "d@x.org", "E-mail": "d@x.org"},
        {"email": "e@x.org", "EMAIL": "f@x.org"},
    ]
    report = accounted(take("\n".join(map(json.dumps, lines))))
    assert report.by_tag == {"a": 1, "b": 1, "c": 1}
    assert [(one.row, one.value) for one in report.refused] == [(5, "EMAIL")]
    with store.reading() as tx:
        names = {one.address: one.name for one in people.page(tx)}
    assert names["anna@x.org"] == "Anna" and names["boris@x.org"] == "Boris"


def test_a_json_list_may_stand_on_one_long_line() -> None:
    listed = json.dumps([{"email": f"p{number}@x.org"} for number in range(20_000)])
    assert len(listed) > 400_000
    found = rows(listed.encode())
    assert len(found) == 20_000 and all(isinstance(row, Row) for row in found)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (b'{"email": "a@x.org", "age": ' + b"9" * 5000 + b"}\n", "a number of thousands of digits"),
        (
            b'{"email": "a@x.org", "x": "' + b"x" * 300_000 + b'"}\n',
            "a line of JSON of more than 200000",
        ),
        (b'{"email": \n', "x.jsonl:1: no JSON object: Expecting value"),
        (b'{"email": "a@x.org", "x": ' + b"[" * 60_000, "nested too deep"),
    ],
)
def test_json_lines_of_which_none_is_an_object_say_why(lines: bytes, says: str) -> None:
    with pytest.raises(MailoutError, match=says):
        rows(lines, "x.jsonl")
    # And where another one is, they are rows that are refused.
    broken, row = rows(lines.rstrip() + b'\n{"email": "b@x.org"}\n', "x.jsonl")
    assert isinstance(broken, Broken) and broken.row == 1 and isinstance(row, Row)


def test_a_value_that_no_program_means_is_named() -> None:
    long = json.dumps({"email": "a@x.org", "name": "x" * 10_001})
    zero = json.dumps({"email": "b@x.org", "name": "a\0b"})
    whys = [row.why for row in rows(f"{long}\n{zero}\n".encode()) if isinstance(row, Broken)]
    assert whys == ["10001 characters in `name` (at most 10000)", "a zero byte in `name`"]


def test_a_quote_in_front_is_taken_off_a_spreadsheet_and_not_off_json() -> None:
    found = rows(b'{"email": "a@x.org", "name": "\'=1"}\n{"email": "b@x.org", "name": "=1"}\n')
    assert [unquoted(row.cells[1]) for row in found if isinstance(row, Row)] == ["'=1", "=1"]


@settings(max_examples=150)
@given(
    st.lists(
        st.sampled_from(['{"email": "a@x.org"}', "{", "}", "[", "]", '"', "\n", " ", "null",
                         '{"email": 1}', "\0", "{}", "[" * 3000, '{"é": "ü"}']),
        max_size=12,
    ).map("".join)
)  # fmt: skip
def test_any_json_is_a_table_or_a_clear_error(text: str) -> None:
    try:
        assert all(isinstance(row, Row | Broken) for row in rows(text.encode(), "people.jsonl"))
    except MailoutError as error:
        assert str(error)


def test_a_key_that_comes_late_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from mailout.roster import objects

    monkeypatch.setattr(objects, "_FIRST", 2)
    text = '{"email": "a@x.org"}\n' * 3 + '{"email": "b@x.org", "optout": true}\n'
    found = rows(text.encode())
    assert isinstance(found[3], Broken) and found[3].value == "optout"


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (
            lambda: ",".join(f"c{n}" for n in range(1_000_000)).encode(),
            "opened in this row|longer|columns|more than",
        ),
        (lambda: b"email," + b"x" * 100_000_000, "longer|opened|more than"),
        (lambda: bytes(1_000_000), "zero bytes|encoding|utf-16|empty|column"),
        (lambda: b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 400, "not utf-8|zero"),
        (
            lambda: b"%PDF-1.7\n" + bytes(random.Random(1).randbytes(50_000)),
            "not utf-8|zero|column",
        ),
        (lambda: b"[" * 5_000_000, "longer|more than"),
        (lambda: b"{" * 5_000_000, "JSON"),
        (lambda: b'"' + b"a@x.org\n" * 200_000, "quotation|column"),
    ],
    ids=["columns", "cell", "zeros", "png", "pdf", "list", "braces", "quote"],
)
def test_a_monstrous_file_is_a_clear_error(
    raw: Callable[[], bytes], says: str, store: Store, take: Import
) -> None:
    before = dump(store)
    with pytest.raises(MailoutError, match=says):
        take(raw())
    assert dump(store) == before


def test_a_row_of_a_million_cells_and_one_of_a_hundred_megabytes(take: Import) -> None:
    raw = (
        b"email,name\na@x.org,A\n"
        + b"x," * 1_000_000
        + b"\n"
        + b"y" * 30_000_000
        + b"\nb@x.org,B\n"
    )
    report = accounted(take(raw))
    assert report.added == 2 and [one.row for one in report.refused] == [3, 4]


def test_a_reader_of_its_own_says_the_same(
    tmp_path: Path, site: Site, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    import secrets

    from mailout.roster import reader
    from roster_tools import HEAD, NOW

    file = tmp_path / "people.csv"
    file.write_text(
        HEAD + "".join(f"p{n}@x.org,Имя {n},ru,KZ,t{n % 3};u,\n" for n in range(50))
        + 'nope,,,,,\n"x@x.org",=1,kz,,,cleaned\np3@x.org,,,,z,paused\n,,,,\n',
        encoding="utf-8",
    )  # fmt: skip
    monkeypatch.setattr(importing, "CHUNK", 7)
    order = importing.Order("bulletin", "said so", dry_run=True)
    found = []
    for large in (10**9, 0):
        monkeypatch.setattr(reader, "LARGE", large)
        with file.open("rb") as opened:
            found.append(
                importing.import_people(
                    site, store, opened, "people.csv", order, NOW, secrets.token_bytes
                )
            )
    assert found[0] == found[1] and found[0].by_tag["z"] == 1


def test_a_spreadsheet_is_unpacked_once_to_see_what_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = io.BytesIO(workbook(["email"], ["=1+1"], ["a@x.org"]))
    first = opening.opened(file, "people.xlsx")
    looked = []
    monkeypatch.setattr(sheet, "_inspect", lambda *_: looked.append(1))
    again = opening.opened(file, "people.xlsx", **first.asked)
    assert not looked and list(again.table.rows) == list(first.table.rows)
    # Another file in its place is looked at.
    opening.opened(io.BytesIO(workbook(["email"], ["b@x.org"])), "people.xlsx", **first.asked)
    assert looked


def test_a_reader_that_dies_is_a_clear_error(
    tmp_path: Path, site: Site, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    import secrets

    from mailout.roster import reader
    from roster_tools import NOW

    file = tmp_path / "people.csv"
    file.write_text("email\na@x.org\n")
    monkeypatch.setattr(reader, "LARGE", 0)
    monkeypatch.setattr(reader.sys, "executable", "/bin/true")
    with file.open("rb") as opened, pytest.raises(MailoutError, match="ended early"):
        importing.import_people(
            site, store, opened, "p.csv", importing.Order("bulletin", "x"), NOW, secrets.token_bytes
        )
