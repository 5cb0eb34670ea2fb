"""Reading CSV: encodings, delimiters, and broken rows that take no neighbour with them."""

from __future__ import annotations

import codecs
import io

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailout.core.errors import BadFile, MailoutError, UsageError
from mailout.roster import columns, reading, source
from mailout.roster.reading import Broken, Row, Table

TEXT = "email;name\r\nanna@example.org;Анна\r\nb@example.org;Бёлль\r\n"


def table(raw: bytes | str, encoding: str = "") -> Table:
    raw = raw.encode() if isinstance(raw, str) else raw
    found = source.inspect(io.BytesIO(raw), "people.csv", encoding)
    return reading.read(found, columns.fit)


def rows(raw: bytes | str, encoding: str = "") -> list[Row | Broken]:
    return list(table(raw, encoding).rows)


def cells(raw: bytes | str, encoding: str = "") -> list[tuple[str, ...]]:
    return [row.cells for row in rows(raw, encoding) if isinstance(row, Row)]


@pytest.mark.parametrize(
    ("raw", "encoding"),
    [
        (TEXT.encode(), ""),
        (codecs.BOM_UTF8 + TEXT.encode(), ""),
        (codecs.BOM_UTF8 + TEXT.encode(), "utf-8"),
        (codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"), ""),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), ""),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "UTF-16"),
        (TEXT.encode("utf-16-le"), "utf-16"),
        (TEXT.encode("utf-16-be"), "utf-16-be"),
        (TEXT.encode("utf-32"), ""),
        (TEXT.replace("ёлль", "").encode("cp1251"), "cp1251"),
        (TEXT.encode("koi8-r"), "koi8-r"),
        (TEXT.replace("\r\n", "\r").encode(), ""),
        (TEXT.replace("\r\n", "\n").rstrip().encode(), ""),
        (b"\n\r\n" + TEXT.encode(), ""),
        (b"sep=;\r\n" + TEXT.encode(), ""),
    ],
)
def test_the_same_people_in_many_encodings(raw: bytes, encoding: str) -> None:
    found = table(raw, encoding)
    assert found.delimiter == ";"
    assert found.header.cells == ("email", "name")
    first, second = found.rows
    assert isinstance(first, Row) and first.cells == ("anna@example.org", "Анна")
    assert isinstance(second, Row) and second.cells[0] == "b@example.org"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("named", ["", "utf-16"])
def test_utf_16_without_a_mark_whose_columns_have_no_ascii_letter(
    encoding: str, named: str
) -> None:
    raw = "Почта;Имя\nanna@example.org;Анна\n".encode(encoding)
    found = source.inspect(io.BytesIO(raw), "people.csv", named)
    assert found.encoding == encoding


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_the_delimiter_is_that_of_the_header(mark: str) -> None:
    raw = (
        mark.join(["email", '"name, first; last"', "tags"])
        + "\n"
        + mark.join(["a@b.org", "A", "x"])
    )
    found = table(raw)
    assert found.delimiter == mark
    assert [row.cells for row in found.rows if isinstance(row, Row)] == [("a@b.org", "A", "x")]


def test_another_delimiter_in_the_data_does_not_mislead() -> None:
    assert cells("email,tags\na@b.org,x;y;z\nb@b.org,x;y\n") == [
        ("a@b.org", "x;y;z"),
        ("b@b.org", "x;y"),
    ]


def test_one_column() -> None:
    assert cells("E-Mail\na@b.org\n\n  \nc@d.org") == [("a@b.org",), ("c@d.org",)]


def test_two_encodings_in_one_file_are_named_with_line_and_byte() -> None:
    raw = "email,name\na@b.org,Бёлль\n".encode() + b"b@b.org,B\xf6ll\n"
    with pytest.raises(BadFile) as caught:
        table(raw)
    assert str(caught.value).startswith("people.csv:3: byte 40 (0xf6) is not utf-8")
    assert "--encoding" in str(caught.value)
    assert cells(raw, "latin-1")[1] == ("b@b.org", "Böll")


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("cp1251", ["Анна Орлова", "Борис", "ПЁТР ЖУКОВ"]),
        ("cp1251", ["Олег"]),
        ("koi8-r", ["Анна Орлова", "Борис", "Эльвира Щукина"]),
        ("koi8-r", ["Олег"]),
        ("cp1252", ["Jörg Müller", "José Núñez", "Zoë", "Anne-Hélène"]),
        ("cp1252", ["Böll"]),
        ("cp1252", ["O’Brien, “Bo” Søren"]),
    ],
)
def test_an_encoding_with_one_byte_a_letter_is_told_by_its_words(
    encoding: str, names: list[str]
) -> None:
    text = "email;name\n" + "".join(f"p{n}@b.org;{name}\n" for n, name in enumerate(names))
    found = source.inspect(io.BytesIO(text.encode(encoding)), "people.csv")
    assert (found.encoding, found.guessed) == (encoding, True)
    assert [cells[1] for cells in cells(text.encode(encoding))] == names


def test_what_is_no_word_is_not_guessed() -> None:
    for raw in (b"email\n\xff\n", b"email\n\x8d\x8d\x8d@x.org\n", bytes(range(256)) * 3):
        with pytest.raises(BadFile):
            table(raw)


def test_a_file_cut_off_within_a_letter_is_still_utf_8() -> None:
    with pytest.raises(BadFile, match=r"people.csv:2: the file ends within a letter \(byte 12\)"):
        table("email\nanna,Ж\n".encode()[:-2])


@pytest.mark.parametrize("before", [0, 1, 65_535, 65_536, 65_537, 200_001])
def test_a_wrong_byte_is_found_anywhere(before: int) -> None:
    raw = b"email\n" + b"x" * before + "ё".encode() + b"\xff"
    with pytest.raises(BadFile, match=rf"people.csv:2: byte {before + 9} \(0xff\)"):
        table(raw)
    with pytest.raises(BadFile, match=r"people.csv:2: "):
        table(raw[:-2])


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_found_by_its_zeros(encoding: str) -> None:
    raw = "email,name\na@b.org,Анна\n".encode(encoding)
    assert source.inspect(io.BytesIO(raw), "people.csv").encoding == encoding
    assert cells(raw) == [("a@b.org", "Анна")]


@pytest.mark.parametrize(
    "encoding",
    ["nonsense", "base64", "rot13", "idna", "unicode_escape", "undefined", "x" * 500, "\0"],
)
def test_an_encoding_that_is_none(encoding: str) -> None:
    with pytest.raises(UsageError, match="there is no encoding"):
        table("email\na@b.org\n", encoding)


@pytest.mark.parametrize("raw", ["", "\n\n", " \r\n\t\n", "\ufeff"])
def test_an_empty_file(raw: str) -> None:
    with pytest.raises(BadFile, match="the file is empty"):
        table(raw)


def test_broken_rows_take_no_neighbours() -> None:
    raw = "\n".join(
        [
            "email,name,tags",  # 1
            "a@x.org,Anna,t",
            "b@x.org,Bob",  # 3: too few
            "c@x.org,C,t,u",  # 4: too many
            'd@x.org,"Dora,t',  # 5: never closed, until a quote further down
            "e@x.org,Egon,t",
            'f@x.org,"Fritz",t',
            '"g@x.org","G ""the"" G","t"',
            "h@x.org," + "x" * 10_001 + ",t",  # 9
            "i@x.org,\0,t",  # 10
            'j@x.org,"two\nlines",t',  # 11 and 12
            ",,",
            'k@x.org,"Kurt,t',  # 14: never closed at all
            "l@x.org,Luise,t",
        ]
    )
    found = rows(raw)
    assert [(row.row, row.why[:12]) for row in found if isinstance(row, Broken)] == [
        (3, "2 cells, whe"),
        (4, "4 cells, whe"),
        (5, "a quotation "),
        (9, "a cell of 10"),
        (10, "a zero byte "),
        (14, "a quotation "),
    ]
    good = {row.cells[0][0]: row for row in found if isinstance(row, Row)}
    assert "".join(good) == "aefgjl"
    assert good["g"].cells[1] == 'G "the" G'
    assert good["j"].cells[1] == "two\nlines"
    assert [good[name].number for name in "aefgjl"] == [2, 6, 7, 8, 11, 15]


def test_a_monstrous_line_is_one_broken_row() -> None:
    raw = "email,name\na@x.org," + "x" * 1_000_000 + "\nb@x.org,B\n"
    found = rows(raw)
    assert isinstance(found[0], Broken) and found[0].row == 2
    assert found[-1] == Row(3, ("b@x.org", "B"))


def test_an_open_quote_costs_one_row_of_thousands() -> None:
    lines = [f"p{n}@x.org,P" for n in range(40_000)]
    lines[7] = 'p7@x.org,"P'
    found = rows("email,name\n" + "\n".join(lines))
    assert [row.row for row in found if isinstance(row, Broken)] == [9]
    assert len(found) == 40_000


@pytest.mark.parametrize(
    ("header", "email"),
    [
        (["email", "name"], 0), (["Name", "E-Mail"], 1), (["EMAIL ADDRESS"], 0),
        (["Address", "Email Address"], 1), (["address"], 0), (["E_mail_address", "x"], 0),
    ],
)  # fmt: skip
def test_the_address_column(header: list[str], email: int) -> None:
    found = columns.recognise(Row(1, tuple(header)), {}, "people.csv")
    assert found.positions["email"] == (email,)


def test_every_known_name_and_what_is_ignored() -> None:
    header = ("Email", "First Name", "Last name", "LOCALE", "Country", "Segments", "Status",
              "Joined", "Phone", "UNSUB_TIME", "", "Phone")  # fmt: skip
    found = columns.recognise(Row(1, header), {}, "people.csv")
    assert {field: places[0] for field, places in found.positions.items() if places} == {
        "email": 0, "first_name": 1, "last_name": 2, "language": 3, "country": 4, "tags": 5,
        "status": 6, "joined": 7, "left": 9,
    }  # fmt: skip
    assert found.ignored == ("Phone", "Phone")


def test_map_overrides_a_name() -> None:
    header = Row(1, ("email", "Kontakt", "Wer"))
    mapped = columns.parse_map(["KONTAKT=address", "wer = name"])
    found = columns.recognise(header, mapped, "people.csv")
    assert found.positions["email"] == (1,) and found.positions["name"] == (2,)
    assert found.ignored == ("email",)


@pytest.mark.parametrize("pair", ["x", "=email", "x=", "x=phone", "  =name"])
def test_a_map_that_maps_nothing(pair: str) -> None:
    with pytest.raises(UsageError, match="--map"):
        columns.parse_map([pair])


@pytest.mark.parametrize(
    ("header", "mapped", "says"),
    [
        (["name", "phone"], {}, "`name`, `phone`. Say which one holds the address: --map"),
        (["anna@example.org", "Anna"], {}, "the first line holds an address"),
        (["a@example.org, b@example.org"], {}, "the first line holds several addresses"),
        (["A <a@example.org>", " B <b@example.org>"], {}, "holds several addresses"),
        (["Members in May", "", ""], {}, "If that is a title, delete all above the names."),
        (["email", "name", "Email"], {}, "2 columns could be the address: `email`, `Email`."),
        (["email"], {"mail": "email"}, "no column `mail`. Did you mean `email`"),
    ],
)
def test_a_header_that_does_not_do(header: list[str], mapped: dict[str, str], says: str) -> None:
    with pytest.raises(MailoutError) as caught:
        columns.recognise(Row(1, tuple(header)), mapped, "people.csv")
    assert says in str(caught.value)


@settings(max_examples=400)
@given(
    st.binary(max_size=300)
    | st.text(max_size=200).map(str.encode)
    | st.lists(
        st.sampled_from(
            [
                "email",
                "a@b.org",
                ",",
                ";",
                "\t",
                '"',
                '""',
                "\n",
                "\r",
                "\r\n",
                "\0",
                "'",
                "name",
                "=",
                "sep=",
            ]
        ),
        max_size=40,
    )
    .map("".join)
    .map(str.encode),
    st.sampled_from(["", "utf-8", "latin-1", "utf-16", "cp1251", "gb18030", "utf-8-sig"]),
)
@example(b'sep="\nemail\n', "")
@example(b'"\n\n"\n', "")
@example(b"\xff\xfe\x00", "")
def test_any_bytes_are_a_table_or_a_clear_error(raw: bytes, encoding: str) -> None:
    try:
        found = table(raw, encoding)
        columns.recognise(found.header, {}, "people.csv")
        for row in found.rows:
            assert row.number > 0 if isinstance(row, Row) else row.why
    except MailoutError as error:
        assert "people.csv" in str(error)


_cell = st.text(
    alphabet=st.characters(blacklist_categories=["Cs"], blacklist_characters="\0@"), max_size=20
)


@settings(max_examples=200)
@given(st.lists(st.tuples(_cell, _cell), max_size=6), st.sampled_from(",;\t"))
def test_what_csv_writes_is_read_back(written: list[tuple[str, str]], mark: str) -> None:
    import csv

    out = io.StringIO()
    writer = csv.writer(out, delimiter=mark)
    writer.writerow(["email", "name"])
    writer.writerows(written)
    expected = [row for row in written if any(cell.strip() for cell in row)]
    assert cells(out.getvalue()) == expected


def test_a_monstrous_line_is_one_refused_row() -> None:
    raw = "email,name\na@example.org,A\n" + "x" * 5_000_000 + ",B\nb@example.org,C\n"
    found = rows(raw)
    assert [type(row) for row in found] == [Row, Broken, Row]
    assert [row.row if isinstance(row, Broken) else row.number for row in found] == [2, 3, 4]
