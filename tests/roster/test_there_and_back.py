"""There and back: what an export writes comes back by an import, and the two know merges and domains."""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from command_line import CommandLine
from mailout.config.site import read_site
from mailout.core.address import Address
from mailout.core.edition import CHOICES
from mailout.core.errors import MailoutError, UsageError
from mailout.core.frequency import Frequency
from mailout.core.site import Site
from mailout.core.suppression import SuppressionReason
from mailout.preferences import rights
from mailout.roster import editing, exporting, importing, merging, people, undoing
from mailout.roster.counting import ImportReport
from mailout.roster.exporting import Form
from mailout.roster.importing import Order
from mailout.roster.selecting import Selection
from mailout.store import suppressions
from mailout.store.engine import Store
from roster_tools import DECLARED, NOW, Import, accounted, import_into

FORMS = {Form.CSV: "people.csv", Form.XLSX: "people.xlsx", Form.JSON_LINES: "people.jsonl"}
LATER = NOW + timedelta(hours=1)
KEPT, GONE = "anna@example.org", "anna@old.example.org"
STATUSES = (
    "active", "pending", "paused", "unsubscribed", "complained", "bounced", "blocklisted",
)  # fmt: skip
OURS = dict.fromkeys(exporting.COLUMNS, "")
_text = st.text(alphabet="abÄя =+-@'1,;\"", max_size=8).map(str.strip)
_tag = st.text(alphabet="abcäя=+@.", min_size=1, max_size=6).map(str.lower)
_person = st.fixed_dictionaries(
    {
        "name": _text,
        "language": st.sampled_from(("", "ru", "pt-br", "de")),
        "country": st.sampled_from(("", "DE", "KZ")),
        "tags": st.lists(_tag, max_size=3),
        "status": st.sampled_from(STATUSES),
        "edition": st.sampled_from(CHOICES),
        "frequency": st.sampled_from(sorted(Frequency)),
        "fields": st.fixed_dictionaries(
            {},
            optional={
                "branch": st.sampled_from(("harbour", "rail", "oil, gas")),
                "skills": st.lists(st.sampled_from(("Writing", "Drawing", "oil, gas")), min_size=1),
                "delegate": st.booleans(),
                "age": st.integers(-9999, 9999) | st.sampled_from((2.5, -0.25, 4.0)),
                "since": st.dates().map(str),
                "home-town": _text,
                "no-list-has-it": _text,
            },
        ),
    }
)


@pytest.fixture
def site(site_root: Path) -> Site:
    with (site_root / "lists" / "bulletin.toml").open("a", encoding="utf-8") as file:
        file.write(DECLARED)
    return read_site(site_root)


def written(site: Site, store: Store, form: Form) -> bytes:
    out = io.BytesIO()
    exporting.write(site, store, Selection(), form, out, "", lambda: NOW)
    return out.getvalue()


def taken(site: Site, store: Store, raw: bytes, name: str) -> ImportReport:
    order = Order(list_id="bulletin", consent="signed at the gate")
    return importing.import_people(
        site, store, io.BytesIO(raw), name, order, NOW, secrets.token_bytes
    )


def lines(persons: Iterable[dict[str, object]]) -> bytes:
    return b"".join(
        json.dumps({**OURS, "address": f"p{number}@example.org", **one}).encode() + b"\n"
        for number, one in enumerate(persons)
    )


def there_and_back(site: Site, store: Store, other: Store, form: Form) -> None:
    raw = written(site, store, form)
    report = accounted(taken(site, other, raw, FORMS[form]))
    assert (report.refused, report.warnings) == ((), ())
    before = json.loads(written(site, store, Form.JSON))
    assert json.loads(written(site, other, Form.JSON)) == before
    assert report.added == len(before)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(persons=st.lists(_person, min_size=1, max_size=5), form=st.sampled_from(sorted(FORMS)))
def test_an_import_of_an_export_is_what_was_exported(
    site: Site, sqlite_store: Callable[[], Store], persons: list[dict[str, object]], form: Form
) -> None:
    store, other = sqlite_store(), sqlite_store()
    try:
        assert taken(site, store, lines(persons), "people.jsonl").added == len(persons)
        there_and_back(site, store, other, form)
    finally:
        store.close()
        other.close()


@pytest.mark.parametrize("form", FORMS)
def test_one_example_on_each_database(
    site: Site, store: Store, sqlite_store: Callable[[], Store], form: Form
) -> None:
    fields = {
        "branch": "oil, gas", "skills": ["Drawing", "oil, gas"], "delegate": False, "age": 4.0,
        "since": "2026-01-31", "home-town": "=Ust", "no-list-has-it": "12",
    }  # fmt: skip
    chosen = {"edition": "low-data", "frequency": "urgent"}
    persons: list[dict[str, object]] = [
        {"name": "=1+1", "tags": ["-t", "u"], "status": status, "fields": fields, **chosen}
        for status in STATUSES
    ]
    assert taken(site, store, lines(persons), "people.jsonl").added == len(STATUSES)
    (first, *_) = json.loads(written(site, store, Form.JSON))
    assert first["fields"] == fields and first.items() >= chosen.items()
    said = [one["status"] for one in json.loads(written(site, store, Form.JSON))]
    assert said == list(STATUSES)
    other = sqlite_store()
    there_and_back(site, store, other, form)
    raw = written(site, store, form)
    again = taken(site, other, raw, FORMS[form])
    assert again.added == again.updated == 0  # who is suppressed here may be refused or unchanged
    other.close()


def test_nobody_of_a_suppressed_domain_comes_in(site: Site, store: Store, take: Import) -> None:
    take("email\nold@mill.example.org\n")
    with store.writing() as tx:
        suppressions.add_domain(tx, "mill.example.org", NOW)
        suppressions.add_domain(tx, "dock.example.org", NOW, list_id="bulletin")
        suppressions.add_domain(tx, "elsewhere.example.org", NOW, list_id="appeals")
    report = take(
        "email,status\na@mill.example.org,\nb@DOCK.example.org,\nc@elsewhere.example.org,\n"
        "old@mill.example.org,unsubscribed\n"
    )
    assert (report.added, report.updated) == (1, 1)
    assert [one.row for one in report.refused] == [2, 3]
    assert "mailout suppressions lift mill.example.org" in report.refused[0].why


def test_an_export_says_whose_domain_is_suppressed(site: Site, store: Store, take: Import) -> None:
    take("email\na@mill.example.org\nb@dock.example.org\nc@x.example.org\n")
    with store.writing() as tx:
        suppressions.add_domain(tx, "mill.example.org", NOW)
        suppressions.add_domain(tx, "dock.example.org", NOW, list_id="bulletin")
        suppressions.add_domain(tx, "x.example.org", NOW, list_id="appeals")
    said = [one["status"] for one in json.loads(written(site, store, Form.JSON))]
    assert said == ["blocklisted", "blocklisted", "active"]


def test_show_tells_the_imports_of_a_person(
    shell: CommandLine, site: Site, store: Store, take: Import
) -> None:
    take("email\nanna@example.org\n")
    take("email,name\nanna@example.org,Anna\n")
    told = shell("subscribers", "show", KEPT).out
    assert "import 1 (people.csv): added them, on the list bulletin" in told
    assert "import 2 (people.csv): changed something of them" in told
    found = json.loads(shell("subscribers", "show", KEPT, "--json").out)
    assert [(one["import"], one["did"]) for one in found["imports"]] == [
        (1, "added"),
        (2, "changed"),
    ]


def test_an_undo_keeps_whoever_another_person_was_merged_into(
    site: Site, store: Store, take: Import
) -> None:
    take(f"email\n{KEPT}\n{GONE}\n")
    merging.unite(site, store, KEPT, GONE, LATER)
    undone = undoing.undo(store, 1, LATER)
    assert (undone.removed, undone.kept) == (0, 1)
    assert people.show(site, store, KEPT).person.memberships
    with pytest.raises(MailoutError, match="was merged into anna@"):
        people.show(site, store, GONE)


def test_an_undo_leaves_a_merged_address_merged(site: Site, store: Store, take: Import) -> None:
    take(f"email,status\n{KEPT},\n{GONE},blocklisted\n")
    merging.unite(site, store, KEPT, GONE, LATER)
    undoing.undo(store, 1, LATER)
    key = Address.parse(GONE).key(site.keys.address)
    with store.reading() as tx:
        held = suppressions.of_key(tx, key, [""])
    assert [one.reason for one in held] == [SuppressionReason.MERGED]
    assert import_into(site, store, f"email\n{GONE}\n").added == 0


def test_a_reader_gets_a_copy_of_the_notes_about_them(
    site: Site, store: Store, take: Import
) -> None:
    take(f"email\n{KEPT}\n")
    editing.note(site, store, KEPT, "speaks in May", NOW)
    copy = rights.export(store, people.show(site, store, KEPT).person, LATER)
    assert copy["notes"] == [{"text": "speaks in May", "at": "2026-11-24T12:00:00+00:00"}]
    [came_by] = copy["imports"]  # type: ignore[misc]
    assert came_by["did"] == "added" and came_by["file"].endswith(".csv")


def test_a_note_names_nobody_else_by_an_address(site: Site, store: Store, take: Import) -> None:
    """Its subject can read it, and whose address it is could not erase it there."""
    take(f"email\n{KEPT}\n")
    for text in (f"ask {GONE} first", "sends mail as Ben <ben@example.net>, he says"):
        with pytest.raises(UsageError, match="not this person's"):
            editing.note(site, store, KEPT, text, NOW)
    for text in (f"also writes as {KEPT.upper()}", "works @ the harbour", "paid 5 @ 2 each"):
        editing.note(site, store, KEPT, text, NOW)
    assert len(editing.noted(site, store, KEPT)) == 3
