"""Notes about people go out by themselves, with a reason, and come in for people who are known."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from command_line import CommandLine
from mailout.config.site import read_site
from mailout.core.errors import BadFile, UsageError
from mailout.core.site import Site
from mailout.roster import editing, merging, notebook
from mailout.roster.notebook import Taken
from mailout.roster.selecting import Selection
from mailout.store import export_log
from mailout.store.engine import Store
from roster_tools import NOW, Import, import_into

ANNA, BORIS = "anna@example.org", "boris@example.org"
PEOPLE = f"email,tags\n{ANNA},unions\n{BORIS},\n"
LATER = NOW + timedelta(days=2)
_words = st.text(
    alphabet="abя=+-@'\"\n,;.: 1", min_size=1, max_size=30
).filter(str.strip)  # fmt: skip


def out(site: Site, store: Store, selection: Selection = Selection()) -> bytes:  # noqa: B008
    raw = io.BytesIO()
    whose = notebook.chosen(site, selection, "we move")
    notebook.write(site, store, whose, raw, "we move", lambda: LATER)
    return raw.getvalue()


def taken(
    site: Site, store: Store, file: bytes | str, column: str = "", *, dry_run: bool = False
) -> Taken:
    raw = io.BytesIO(file.encode() if isinstance(file, str) else file)
    return notebook.take_in(site, store, raw, "notes.csv", column, LATER, dry_run=dry_run)


def notes(site: Site, store: Store, address: str = ANNA) -> list[tuple[str, datetime]]:
    return [(one.text, one.at) for one in editing.noted(site, store, address)]


def test_a_line_a_note_however_many_lists(site: Site, store: Store, take: Import) -> None:
    site.lists["appeals"] = site.lists["bulletin"]  # type: ignore[index]
    take(PEOPLE)
    take(PEOPLE, list_id="appeals")
    editing.note(site, store, ANNA, "speaks in May\nnot in June", NOW)
    editing.note(site, store, BORIS, "=1+1", LATER)
    lines = [json.loads(line) for line in out(site, store).splitlines()]
    assert lines == [
        {
            "address": ANNA,
            "at": "2026-11-24T12:00:00+00:00",
            "note": "speaks in May\nnot in June",
        },
        {"address": BORIS, "at": "2026-11-26T12:00:00+00:00", "note": "=1+1"},
    ]
    assert len(out(site, store, Selection("bulletin", tag="unions")).splitlines()) == 1
    with store.reading() as tx:
        one, *_ = export_log.listed(tx)
    assert (one.what, one.rows, one.reason) == ("notes about list bulletin; one tag", 1, "we move")


def test_without_a_reason_none_goes_out(site: Site, store: Store) -> None:
    with pytest.raises(UsageError, match="can betray"):
        notebook.chosen(site, Selection(), " ")
    with store.reading() as tx:
        assert export_log.listed(tx) == []


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(written=st.lists(st.tuples(st.sampled_from((ANNA, BORIS)), _words), max_size=5))
def test_notes_come_back_as_they_were(
    site: Site, sqlite_store: Callable[[], Store], written: list[tuple[str, str]]
) -> None:
    first, second = sqlite_store(), sqlite_store()
    for store in (first, second):
        import_into(site, store, PEOPLE)
    for number, (address, text) in enumerate(written):
        editing.note(site, first, address, text, NOW + timedelta(seconds=number, microseconds=7))
    raw = out(site, first)
    if written:
        assert taken(site, second, raw).added == len(written)
        assert taken(site, second, raw).unchanged == len(written)
    assert out(site, second) == raw
    first.close()
    second.close()


def test_rows_that_cannot_be_taken_are_told(site: Site, store: Store, take: Import) -> None:
    take(PEOPLE + "old@example.org,\n")
    merging.unite(site, store, BORIS, "old@example.org", NOW)
    file = (
        "Address,Notes,At\n"
        f"{ANNA.upper()},from the old system,2026-05-03\n"
        f"{ANNA},,\n"
        f"{ANNA},\x07,\n"
        f"{ANNA},{'x' * 5001},\n"
        f"{ANNA},when?,03/05/2026\n"
        f"{ANNA},in a hundred years,2126-05-03\n"
        "nobody@example.org,who?,\n"
        "old@example.org,moved,\n"
        "no address,x,\n"
        f"{ANNA},a,cell,too much\n"
    )
    dry = taken(site, store, file, dry_run=True)
    assert notes(site, store) == []
    report = taken(site, store, file)
    assert (dry.added, dry.refused, dry.empty) == (report.added, report.refused, report.empty)
    assert (report.rows_read, report.added, report.empty, report.refused_count) == (10, 2, 1, 7)
    assert notes(site, store) == [
        ("from the old system", datetime(2026, 5, 3, tzinfo=UTC)),
        ("in a hundred years", LATER),
    ]
    why = {one.row: one.why for one in report.refused}
    assert "control character" in why[4] and "longer than 5000" in why[5]
    assert "no moment such as" in why[6] and "import the people first" in why[8]
    assert f"merged into {BORIS}" in why[9] and "4 cells" in why[11]
    again = taken(site, store, file)
    assert (again.added, again.unchanged) == (0, 2)


def test_a_column_of_any_name_and_one_that_is_not_there(
    site: Site, store: Store, take: Import
) -> None:
    take(PEOPLE)
    file = f"Email Address,NOTES_BY_US\n{ANNA},met in May\n"
    with pytest.raises(BadFile, match="no column is called note"):
        taken(site, store, file)
    with pytest.raises(BadFile, match="Known: Email Address, NOTES_BY_US"):
        taken(site, store, file, "remarks")
    assert taken(site, store, file, "notes by us").added == 1
    assert notes(site, store) == [("met in May", LATER)]
    assert taken(site, store, file, "notes by us").unchanged == 1


def test_the_commands(shell: CommandLine, tmp_path: Path) -> None:
    shell.import_people(PEOPLE)
    shell("subscribers", "note", ANNA, "speaks in May")
    assert "speaks in May" not in shell("subscribers", "export").out
    assert "--reason" in shell("subscribers", "export", "--notes", code=2).err
    for form in ("--xlsx", "--json"):
        said = shell("subscribers", "export", "--notes", form, "--reason", "x", code=2)
        assert "as JSON lines" in said.err
    printed = shell("subscribers", "export", "--notes", "--reason", "we move").out
    file = tmp_path / "notes.jsonl"
    said = shell("subscribers", "export", "--notes", "--reason", "we move", "-o", str(file))
    assert "holds 1 note; only you can read it" in said.err
    assert file.read_text("utf-8") == printed and file.stat().st_mode & 0o777 == 0o600
    assert "notes about everybody" in shell("exports").out
    shell("subscribers", "note", ANNA, "--drop", "1")
    said = shell("subscribers", "import-notes", str(file), "--dry-run")
    assert said.out.startswith("A dry run: nothing was written.") and "added\t1" in said.out
    assert shell("subscribers", "import-notes", str(file), "--json").json == {
        "rows_read": 1, "added": 1, "unchanged": 0, "empty": 0, "refused_count": 0,
        "dry_run": False, "refused": [],
    }  # fmt: skip
    file.write_text("address,note\n" + "x,y\n" * 60)
    said = shell("subscribers", "import-notes", str(file))
    assert "refused\t60" in said.out and ".. and 10 more" in said.err
    (one,) = shell("subscribers", "note", ANNA, "--json").json
    assert one["text"] == "speaks in May"


def test_naive_moments_are_those_of_the_site(site_root: Path, store: Store) -> None:
    path = site_root / "config.toml"
    text = path.read_text("utf-8")
    assert 'timezone = "UTC"' in text
    path.write_text(text.replace('"UTC"', '"Europe/Berlin"'), "utf-8")
    site = read_site(site_root)
    import_into(site, store, PEOPLE)
    taken(site, store, f"address,note,at\n{ANNA},x,2026-05-03 10:00\n")
    assert notes(site, store) == [("x", datetime(2026, 5, 3, 8, tzinfo=UTC))]
