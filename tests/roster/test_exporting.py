"""Export: harmless in a spreadsheet, and read back as it was by our own import."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from command_line import CommandLine
from mailout.core.address import Address
from mailout.core.errors import UsageError
from mailout.core.mailing_list import SegmentSettings
from mailout.core.site import Site
from mailout.core.spelling import composed
from mailout.core.subscription import SubscriptionState
from mailout.core.suppression import SuppressionReason
from mailout.roster import exporting, people
from mailout.roster.entry import unquoted
from mailout.roster.exporting import Form, harmless
from mailout.roster.selecting import Selection
from mailout.store import export_log, members, suppressions
from mailout.store.engine import Store
from mailout.store.extracts import Row
from roster_tools import NOW, Import, import_into

DANGEROUS = "=+-@\t\r\n＝＋－＠"


def exported(site: Site, store: Store, selection: Selection = Selection()) -> str:  # noqa: B008
    return written(site, store, selection, Form.CSV).decode()


def written(site: Site, store: Store, selection: Selection, form: Form, reason: str = "") -> bytes:
    out = io.BytesIO()
    exporting.write(site, store, selection, form, out, reason, lambda: NOW)
    return out.getvalue()


@given(st.text(alphabet=DANGEROUS + "'ab", max_size=8) | st.text(max_size=30))
def test_harmless_cells_are_read_back(cell: str) -> None:
    assert unquoted(harmless(cell)) == cell
    assert not harmless(cell).startswith(tuple(DANGEROUS))


_CELLS = st.sampled_from(["", "a", "b;c", "=1", "'+2", "d,e", 'f"g', "h\ni", "j\rk", "\\", "ж"])
_FIELDS = st.sampled_from(["{}", '{"branch": "rail"}', '{"branch": "=x,y", "signatory": "Z"}'])
_ROWS = st.lists(st.tuples(*[_CELLS] * len(exporting.COLUMNS), _FIELDS), max_size=4)


@given(st.lists(_ROWS, max_size=3))
def test_what_is_written_quickly_is_what_a_writer_of_csv_and_json_writes(
    batches: list[list[tuple[str, ...]]],
) -> None:
    # The columns between the addresses' own words hold codes and times of ours.
    ours = ("a", "ru", "KZ", "b;c", "list", "active", "now", "", "weekly")
    typed = (0, 1, 4)
    some = [
        [
            Row(*[row[at] if at in typed else ours[at % 9] for at in range(10)], row[-1])
            for row in rows
        ]
        for rows in batches
    ]
    expected = io.StringIO()
    writer = csv.writer(expected)
    writer.writerow([*exporting.COLUMNS, "fields.branch"])
    lines = []
    for row in (row for rows in some for row in rows):
        fields = json.loads(row.fields)
        writer.writerow([harmless(cell) for cell in (*row[:-1], fields.get("branch", ""))])
        fields.pop("signatory", None)
        entry = dict(zip(exporting.COLUMNS, row, strict=False))
        entry |= {"tags": row.tags.split(";") if row.tags else []}
        lines.append(entry | ({"fields": fields} if fields else {}))
    # Batches without rows do not come.
    full = [rows for rows in some if rows]
    assert "".join(exporting.texts(full, ["branch"], Form.CSV)) == expected.getvalue()
    said = "".join(exporting.texts(full, [], Form.JSON_LINES))
    assert said == "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    assert json.loads("".join(exporting.texts(full, [], Form.JSON))) == lines


def test_a_line_a_person_and_list(site: Site, store: Store, take: Import) -> None:
    site.lists["appeals"] = site.lists["bulletin"]  # type: ignore[index]
    head = "email,name,language,country,tags,status\n"
    take(head + '=cmd@x.org,"=1+1",ru,KZ,"b;a",\nb@x.org,"Böll, ""B""",,,,paused\n')
    take("email\nb@x.org\n", list_id="appeals")
    lines = exported(site, store).splitlines()
    assert lines[0] == "address,name,language,country,tags,list,status,joined,edition,frequency"
    joined = "2026-11-24T12:00:00+00:00"
    assert lines[1:] == [
        f"'=cmd@x.org,'=1+1,ru,KZ,a;b,bulletin,active,{joined},,",
        f'b@x.org,"Böll, ""B""",,,,appeals,active,{joined},,',
        f'b@x.org,"Böll, ""B""",,,,bulletin,paused,{joined},,',
    ]
    only = exported(site, store, Selection("bulletin", state=SubscriptionState.PAUSED))
    assert [line.split(",")[0] for line in only.splitlines()] == ["address", "b@x.org"]
    lines = written(site, store, Selection(), Form.JSON_LINES).decode().splitlines()
    objects = [json.loads(line) for line in lines]
    assert json.loads(written(site, store, Selection(), Form.JSON)) == objects
    assert json.loads(written(site, store, Selection(tag="none"), Form.JSON)) == []
    assert objects[0]["address"] == "=cmd@x.org" and objects[0]["tags"] == ["a", "b"]
    assert [one["list"] for one in objects] == ["bulletin", "appeals", "bulletin"]


def test_an_export_is_imported_into_an_empty_store(
    site: Site, store: Store, take: Import, sqlite_store: Callable[[], Store]
) -> None:
    head = "email,name,language,country,tags,status\n"
    take(
        head + "'=a@x.org,-Anna,ru,KZ,-t;u,\nb@x.org,,,,,unsubscribed\nинфо@письмо.рф,,,,,pending\n"
    )
    text = exported(site, store)
    other = sqlite_store()
    report = import_into(site, other, text)
    assert (report.added, report.refused, report.warnings) == (3, (), ())
    assert exported(site, other) == text
    again = import_into(site, store, text)
    assert again.unchanged == 3
    other.close()


_name = st.text(
    alphabet=st.characters(
        blacklist_categories=["Cs", "Cc", "Zl", "Zp"],
        blacklist_characters="\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
    ),
    max_size=20,
).map(str.strip).map(composed) | st.text(alphabet=DANGEROUS[:4] + DANGEROUS[7:] + "'ab", max_size=6)
_tag = st.text(alphabet="abcäя -=+@'._", min_size=1, max_size=8).map(
    lambda tag: tag.strip(" '").lower()
)
_local = st.text(alphabet="abz09=+-'@!#{}", min_size=1, max_size=8).filter(
    lambda local: "@" not in local and not local.startswith("'")
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(
            _local,
            _name,
            st.sampled_from(["", "ru", "pt-br"]),
            st.sampled_from(["", "KZ", "DE"]),
            st.lists(_tag.filter(bool), max_size=3),
            st.sampled_from(list(SubscriptionState)),
        ),
        max_size=8,
    )
)
def test_import_of_export_is_the_same(
    site: Site,
    sqlite_store: Callable[[], Store],
    rows: list[tuple[str, str, str, str, list[str], SubscriptionState]],
) -> None:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["email", "name", "language", "country", "tags", "status"])
    for local, name, language, country, tags, state in rows:
        cells = [f"{local}@x.org", name, language, country, ";".join(tags), state.value]
        writer.writerow([harmless(cell) for cell in cells])
    first, second = sqlite_store(), sqlite_store()
    report = import_into(site, first, out.getvalue())
    assert report.refused == ()
    text = exported(site, first)
    assert import_into(site, second, text).refused == ()
    assert exported(site, second) == text
    by_key = {row[0]: row for row in reversed(rows)}
    for row in csv.DictReader(io.StringIO(text)):
        local = unquoted(row["address"]).removesuffix("@x.org")
        _, name, language, country, _, _ = by_key[local]
        assert (unquoted(row["name"]), row["language"], row["country"]) == (name, language, country)
    first.close()
    second.close()


@pytest.mark.parametrize("file", ["unions.csv", "journalists.csv", "socialists.csv"])
def test_the_people_of_the_demo(site: Site, take: Import, file: str) -> None:
    import mailout

    raw = (Path(mailout.__file__).parent / "demo_site" / "people" / file).read_bytes()
    report = take(raw)
    assert report.added >= 80
    assert all("@" not in refused.value or " " in refused.value for refused in report.refused)
    assert len(report.by_language) == 4
    assert Address.parse("a@x.org").key(site.keys.address)


def test_the_status_of_whom_we_do_not_mail_says_why(site: Site, store: Store, take: Import) -> None:
    take("email\na@x.org\nb@x.org\nc@x.org\nd@works.example.org\ne@x.org\n")
    reasons = (SuppressionReason.COMPLAINED, SuppressionReason.DEAD, SuppressionReason.SHARED)
    with store.writing() as tx:
        for name, reason in zip("abc", reasons, strict=True):
            key = Address.parse(f"{name}@x.org").key(site.keys.address)
            suppressions.add(tx, key, reason, NOW, list_id="bulletin" if name == "b" else "")
        suppressions.add_domain(tx, "works.example.org", NOW)
    rows = list(csv.DictReader(io.StringIO(exported(site, store))))
    assert [row["status"] for row in rows] == [
        "complained", "bounced", "blocklisted", "blocklisted", "active"
    ]  # fmt: skip


def test_own_fields_are_columns(site: Site, store: Store, take: Import) -> None:
    take("email\na@x.org\nb@x.org\n")
    held = {"branch": "=rail", "member": True, "shifts": ["early", "late"], "signatory": {"x": 1}}
    with store.writing() as tx:
        members.change(tx, 1, fields=held)
    rows = list(csv.DictReader(io.StringIO(exported(site, store))))
    assert [rows[0][f"fields.{name}"] for name in ("branch", "member", "shifts")] == [
        "'=rail", "yes", "early;late"
    ]  # fmt: skip
    assert rows[1]["fields.branch"] == "" and "fields.signatory" not in rows[0]
    first = json.loads(written(site, store, Selection(), Form.JSON_LINES).splitlines()[0])
    assert first["fields"] == {"branch": "=rail", "member": True, "shifts": ["early", "late"]}


def test_a_workbook_holds_texts_alone(site: Site, store: Store, take: Import) -> None:
    take('email,name\n=cmd@x.org,"=1+1"\n')
    book = openpyxl.load_workbook(io.BytesIO(written(site, store, Selection(), Form.XLSX)))
    head, row = list(book["people"].iter_rows())
    assert [cell.value for cell in head] == list(exporting.COLUMNS)
    assert [cell.value for cell in row[:2]] == ["'=cmd@x.org", "'=1+1"]
    assert {cell.data_type for cell in row if cell.value} == {"s"}


def test_sensitive_segments_need_a_reason_and_all_is_logged(
    site: Site, store: Store, take: Import
) -> None:
    take("email,tags\na@x.org,unions\nb@x.org,\n")
    one = site.lists["bulletin"]
    segments = dict(one.settings.segments)
    segments["unions"] = SegmentSettings(rule="tag = unions", sensitive=True)
    segments["both"] = SegmentSettings(rule="segment unions or tag = press")
    segments["press"] = SegmentSettings(rule="tag = press")
    changed = replace(one, settings=replace(one.settings, segments=segments))
    site.lists["bulletin"] = changed  # type: ignore[index]
    for selection in (
        Selection(segment="unions"),
        Selection(segment="both"),
        Selection(rule="segment unions"),
        Selection(tag="unions"),
        Selection(),
    ):
        with pytest.raises(UsageError, match="sensitive"):
            written(site, store, selection, Form.CSV)
    written(site, store, Selection(segment="press"), Form.CSV)
    written(site, store, Selection(segment="unions"), Form.JSON_LINES, "asked by the board")
    rule = Selection(rule='name = "Anna" or tag = press')
    written(site, store, rule, Form.CSV, "a count")
    with store.reading() as tx:
        found = export_log.listed(tx)
    assert [(one.what, one.rows, one.reason) for one in found] == [
        ("list bulletin; a rule about name, tag", 0, "a count"),
        ("segment bulletin/unions", 1, "asked by the board"),
        ("segment bulletin/press", 0, ""),
    ]
    assert all(one.ended_at for one in found)


def test_an_export_that_breaks_off_says_so(site: Site, store: Store, take: Import) -> None:
    take("email\na@x.org\n")

    class Full(io.BytesIO):
        def write(self, text: object) -> int:
            raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        exporting.write(site, store, Selection(), Form.CSV, Full(), "", lambda: NOW)
    with store.reading() as tx:
        assert export_log.listed(tx)[0].ended_at is None


def test_names_are_sorted_with_capitals_set_aside_in_any_script(
    site: Site, store: Store, take: Import
) -> None:
    take("email,name\na@x.org,Яна\nb@x.org,анна\nc@x.org,Борис\nd@x.org,БОРИС\n")
    for sort, order in (("name", "bcda"), ("-name", "adcb")):
        found = people.listed(site, store, Selection(), sort=sort)
        assert [one.address[0] for one in found] == list(order)


def test_a_sorted_list_has_everybody_once_whoever_is_renamed_meanwhile(
    site: Site, store: Store, take: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    take("email,name\na@x.org,A\nb@x.org,B\nc@x.org,C\nd@x.org,D\n")
    monkeypatch.setattr(people, "_PAGE", 2)
    seen = []
    for person in people.listed(site, store, Selection(), sort="name"):
        if not seen:
            take("email,name\na@x.org,Z\n")
        seen.append(person.address[0])
    assert seen == ["a", "b", "c", "d"]


def test_lists_as_csv_keep_their_order(shell: CommandLine, take: Import) -> None:
    take("email,name\n+a@x.org,Z\nb@x.org,Y\nc@x.org,X\n")
    said = shell("subscribers", "list", "--sort", "name", "--limit", "2", "--csv").out
    assert [line.split(",")[0] for line in said.splitlines()] == ["address", "c@x.org", "b@x.org"]
    said = shell("subscribers", "list", "--sort", "-name", "--limit", "2", "--json")
    assert [one["name"] for one in said.json] == ["Z", "Y"]
    said = shell("subscribers", "list", "--sort", "name", "--limit", "2", "--page", "2", "--json")
    assert [one["name"] for one in said.json] == ["Z"]
    said = shell("subscribers", "list", "--rule", "name = Y", "--json")
    assert [one["address"] for one in said.json] == ["b@x.org"]
    assert "list" not in shell("exports").err
    assert shell("exports", "--json").json[0]["rows"] == 2
