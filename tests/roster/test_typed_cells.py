"""Fields that lists declare: cells become values of their type, or are left out and reported."""

from __future__ import annotations

import json
import secrets
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailout.config.site import read_site
from mailout.core.segment import Field, Kind
from mailout.core.segment.fields import own_field
from mailout.core.site import Site
from mailout.roster import importing, own, reader, segments
from mailout.roster.importing import Order
from mailout.store import people
from mailout.store.engine import Store
from roster_tools import DECLARED, NOW, accounted, import_into

SKILLS = own_field(Kind.CHOICES, ("Writing", "Drawing", "oil, gas"))


@pytest.fixture
def site(site_root: Path) -> Site:
    declare(site_root, DECLARED)
    return read_site(site_root)


def declare(site_root: Path, fields: str) -> None:
    with (site_root / "lists" / "bulletin.toml").open("a", encoding="utf-8") as file:
        file.write(fields)


@pytest.mark.parametrize(
    ("kind", "cell", "expected"),
    [
        (Kind.TEXT, " Dock 4 ", "Dock 4"),
        (Kind.NUMBER, "12", 12),
        (Kind.NUMBER, "-2.5", -2.5),
        (Kind.NUMBER, "2,5", 2.5),
        (Kind.NUMBER, "٣", 3),
        (Kind.DATE, "2026-01-31", "2026-01-31"),
        (Kind.DATE, "2026-01-31T09:30:00+02:00", "2026-01-31"),
        (Kind.DATE, "2026-01-31 09:30", "2026-01-31"),
        (Kind.DATE, "31.1.2026", "2026-01-31"),
        (Kind.YES_NO, "Ja", True),
        (Kind.YES_NO, "нет", False),
    ],
)
def test_a_cell_becomes_a_value(kind: Kind, cell: str, expected: object) -> None:
    assert own.value(cell, own_field(kind)) == expected


@pytest.mark.parametrize(
    ("kind", "cell"),
    [
        (Kind.NUMBER, "1,234"), (Kind.NUMBER, "1.2.3"), (Kind.NUMBER, "twelve"),
        (Kind.NUMBER, "nan"), (Kind.NUMBER, "1e400"),
        (Kind.DATE, "01/02/2026"), (Kind.DATE, "2026-02-30"), (Kind.DATE, "30 days ago"),
        (Kind.DATE, "30.2.2026"), (Kind.YES_NO, "maybe"), (Kind.TEXT, "a\x1bb"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_not_guessed_at(kind: Kind, cell: str) -> None:
    with pytest.raises(ValueError):
        own.value(cell, own_field(kind))


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("drawing; WRITING;drawing", ["Writing", "Drawing"]),
        ("writing, drawing", ["Writing", "Drawing"]),
        ("oil, gas; writing", ["Writing", "oil, gas"]),
        ('["Drawing", "oil, gas"]', ["Drawing", "oil, gas"]),
        (";", []),
    ],
)
def test_several_choices(cell: str, expected: list[str]) -> None:
    assert own.value(cell, SKILLS) == expected


@given(
    st.one_of(
        st.tuples(st.just(own_field(Kind.NUMBER)), st.integers(-(10**15) + 1, 10**15 - 1)),
        st.tuples(st.just(own_field(Kind.DATE)), st.dates().map(date.isoformat)),
        st.tuples(st.just(own_field(Kind.YES_NO)), st.booleans()),
        st.tuples(st.just(own_field(Kind.CHOICE, SKILLS.choices)), st.sampled_from(SKILLS.choices)),
        st.tuples(st.just(SKILLS), st.sets(st.sampled_from(SKILLS.choices))),
    )
)
def test_a_value_as_json_is_read_back(pair: tuple[Field, object]) -> None:
    field, kept = pair
    if isinstance(kept, set):
        kept = [choice for choice in field.choices if choice in kept]
    cell = kept if isinstance(kept, str) else json.dumps(kept)
    assert own.value(cell, field) == kept


@given(st.text(max_size=30), st.sampled_from(list(Kind)[7:]))
def test_any_cell_is_a_value_or_a_reason(cell: str, kind: Kind) -> None:
    choices = SKILLS.choices if kind in (Kind.CHOICE, Kind.CHOICES) else ()
    try:
        json.dumps(own.value(cell, own_field(kind, choices)), allow_nan=False)
    except ValueError as error:
        assert str(error)


HEAD = "email,Branch,skills,Delegate,fields.age,Since,Home Town,Shoe\n"


def test_columns_of_declared_fields_are_known_by_their_names(site: Site, store: Store) -> None:
    report = accounted(
        import_into(
            site, store,
            HEAD + "a@x.org,RAIL,writing;drawing,yes,41,1.5.2020,'=Almaty,44\n"
            "b@x.org,mining,painting,perhaps,old,soon,,\n",
        )
    )  # fmt: skip
    with store.reading() as tx:
        first, second = people.page(tx)
    assert first.fields == {
        "branch": "rail", "skills": ["Writing", "Drawing"], "delegate": True, "age": 41,
        "since": "2020-05-01", "home-town": "=Almaty",
    }  # fmt: skip
    assert second.fields == {}
    ignored, *rest = report.warnings
    assert ignored.value == "Shoe"
    assert [one.value for one in rest] == ["mining", "painting", "perhaps", "old", "soon"]
    assert all("left as it was" in one.why for one in rest)
    for rule in (
        "branch = rail", "skills = Drawing", "delegate = yes", "age > 40", "since < 2021-01-01",
        'home-town = "=almaty"',
    ):  # fmt: skip
        assert segments.matching(site, store, segments.written_down(site, rule)) == 1, rule
    again = import_into(site, store, HEAD + "a@x.org,Rail,drawing;writing,1,41,2020-05-01,,\n")
    assert again.unchanged == 1


def test_a_bag_fills_declared_fields_and_none_that_mean_something_else(
    site: Site, store: Store
) -> None:
    bag = {"Home town": "Oral", "skills": ["Drawing"], "delegate": True, "signatory": {"name": "x"}}
    quoted = json.dumps(bag).replace('"', '""')
    rows = [f'{one}@x.org,,"{quoted}"\n' for one in "ab"]
    report = accounted(import_into(site, store, "email,name,attributes\n" + "".join(rows)))
    with store.reading() as tx:
        first, second = people.page(tx)
    assert first.fields == {"home-town": "Oral", "skills": ["Drawing"], "delegate": True}
    assert second.fields == first.fields
    assert [one.value for one in report.warnings] == ["signatory"]


def test_a_reader_of_its_own_knows_the_types(
    site: Site, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "LARGE", 0)
    path = tmp_path / "people.csv"
    path.write_text("email,branch,age,delegate,skills\na@x.org,Rail,7,no,drawing\n")
    with path.open("rb") as file:
        report = importing.import_people(
            site, store, file, path.name, Order("bulletin", "signed"), NOW, secrets.token_bytes
        )
    assert report.added == 1
    with store.reading() as tx:
        assert people.page(tx)[0].fields == {
            "branch": "rail", "age": 7, "delegate": False, "skills": ["Drawing"],
        }  # fmt: skip


def test_a_column_of_those_who_left_is_never_a_mere_field(site_root: Path, store: Store) -> None:
    declare(site_root, '[fields.unsubscribed]\ntype = "date"\n')
    import_into(read_site(site_root), store, "email,unsubscribed\na@x.org,2026-01-01\n")
    with store.reading() as tx:
        person = people.page(tx)[0]
    assert person.memberships[0].state == "unsubscribed" and person.fields == {}
