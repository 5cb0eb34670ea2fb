"""Export: harmless in a spreadsheet, and read back as it was by our own import."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailout.core.address import Address
from mailout.core.site import Site
from mailout.core.subscription import SubscriptionState
from mailout.roster import exporting, people
from mailout.roster.entry import unquoted
from mailout.roster.exporting import harmless
from mailout.roster.people import Selection
from mailout.store.engine import Store
from roster_tools import Import, import_into

DANGEROUS = "=+-@\t\r\n＝＋－＠"


def exported(site: Site, store: Store, selection: Selection = Selection()) -> str:  # noqa: B008
    found = people.listed(site, store, selection)
    return "".join(exporting.csv_lines(found, selection))


@given(st.text(alphabet=DANGEROUS + "'ab", max_size=8) | st.text(max_size=30))
def test_harmless_cells_are_read_back(cell: str) -> None:
    assert unquoted(harmless(cell)) == cell
    assert not harmless(cell).startswith(tuple(DANGEROUS))


def test_a_line_a_person_and_list(site: Site, store: Store, take: Import) -> None:
    site.lists["appeals"] = site.lists["bulletin"]  # type: ignore[index]
    head = "email,name,language,country,tags,status\n"
    take(head + '=cmd@x.org,"=1+1",ru,KZ,"b;a",\nb@x.org,"Böll, ""B""",,,,paused\n')
    take("email\nb@x.org\n", list_id="appeals")
    lines = exported(site, store).splitlines()
    assert lines[0] == "address,name,language,country,tags,list,status,joined"
    joined = "2026-11-24T12:00:00+00:00"
    assert lines[1:] == [
        f"'=cmd@x.org,'=1+1,ru,KZ,a;b,bulletin,active,{joined}",
        f'b@x.org,"Böll, ""B""",,,,appeals,active,{joined}',
        f'b@x.org,"Böll, ""B""",,,,bulletin,paused,{joined}',
    ]
    only = exported(site, store, Selection("bulletin", state=SubscriptionState.PAUSED))
    assert [line.split(",")[0] for line in only.splitlines()] == ["address", "b@x.org"]
    selection = Selection()
    found = people.listed(site, store, selection)
    objects = [json.loads(line) for line in exporting.json_lines(found, selection)]
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
).map(str.strip) | st.text(alphabet=DANGEROUS[:4] + DANGEROUS[7:] + "'ab", max_size=6)
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
