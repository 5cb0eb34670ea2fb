"""How readers want their mail - edition, frequency - comes with an import, and never means more mail."""

from __future__ import annotations

import secrets
from datetime import timedelta
from io import BytesIO

import pytest

from command_line import CommandLine
from mailout.core.frequency import Frequency, rarer
from mailout.core.site import Site
from mailout.roster import choices, importing, people, undoing
from mailout.store.engine import Store
from roster_tools import NOW, Import

ANNA = "anna@example.org"
MAPPED = {"edition": "edition", "frequency": "frequency"}
LATER = NOW + timedelta(hours=1)


def held(site: Site, store: Store, address: str = ANNA) -> tuple[str, str]:
    (member,) = people.show(site, store, address).person.memberships
    return member.edition, member.frequency


def file(edition: str, frequency: str, more: str = "") -> str:
    return f"email,edition,frequency\n{ANNA},{edition},{frequency}\n{more}"


def test_of_two_frequencies_the_one_with_less_mail() -> None:
    assert rarer("", "weekly") == rarer("weekly", "") == "weekly"
    assert rarer("urgent", "monthly") == "urgent"


@pytest.mark.parametrize(
    ("before", "said", "after"),
    [
        (("", ""), ("text", "weekly"), ("text", "weekly")),
        (("full", "weekly"), ("text", "monthly"), ("full", "monthly")),
        (("full", "urgent"), ("", ""), ("full", "urgent")),
        (("", "monthly"), ("", "weekly"), ("", "monthly")),
    ],
)
def test_mail_gets_rarer_and_an_edition_that_was_chosen_stays(
    take: Import,
    site: Site,
    store: Store,
    before: tuple[str, str],
    said: tuple[str, str],
    after: tuple[str, str],
) -> None:
    assert take(file(*before), columns=MAPPED).added == 1
    assert held(site, store) == before
    report = take(file(*said), columns=MAPPED)
    assert held(site, store) == after
    assert (report.updated, report.unchanged) == ((1, 0) if after != before else (0, 1))
    assert take(file(*said), columns=MAPPED).unchanged == 1


def test_a_word_that_is_none_is_reported_and_a_column_that_is_not_ours_ignored(
    take: Import, site: Site, store: Store
) -> None:
    report = take(file("glossy", "each full moon"), columns=MAPPED)
    assert [one.value for one in report.warnings] == ["glossy", "each full moon"]
    assert "full, low-data, text" in report.warnings[0].why
    # How often somebody gives money is called so, too.
    report = take("email,frequency\nboris@example.org,monthly\n")
    assert [one.value for one in report.warnings] == ["frequency"]
    assert held(site, store, "boris@example.org") == ("", "")


def test_of_two_rows_the_rarer_mail_counts_in_another_chunk_too(
    site: Site, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = file("", "weekly", f"{ANNA},text,monthly\nboris@example.org,,\n{ANNA},full,urgent\n")
    monkeypatch.setattr(importing, "CHUNK", 2)
    order = importing.Order("bulletin", "signed at the gate", columns=MAPPED)
    report = importing.import_people(
        site, store, BytesIO(text.encode()), "people.csv", order, NOW, secrets.token_bytes
    )
    assert (report.added, report.duplicates) == (2, 2)
    assert held(site, store) == ("text", "urgent")
    undone = undoing.undo(store, report.import_id, LATER)
    assert (undone.removed, undone.kept) == (2, 0)


def test_an_undo_takes_back_what_the_file_said_and_keeps_what_the_reader_said(
    take: Import, site: Site, store: Store
) -> None:
    take(f"email\n{ANNA}\nboris@example.org\n")
    report = take(file("text", "weekly", "boris@example.org,,weekly\n"), columns=MAPPED)
    choices.set_frequency(site, store, "boris@example.org", "bulletin", Frequency.URGENT)
    undone = undoing.undo(store, report.import_id, LATER)
    assert (undone.restored, undone.kept) == (1, 1)
    assert held(site, store) == ("", "")
    assert held(site, store, "boris@example.org") == ("", "urgent")


def test_who_was_added_with_a_choice_and_chose_otherwise_since_is_kept(
    take: Import, site: Site, store: Store
) -> None:
    report = take(file("text", "weekly", "boris@example.org,text,weekly\n"), columns=MAPPED)
    choices.set_frequency(site, store, ANNA, "bulletin", Frequency.EVERY)
    undone = undoing.undo(store, report.import_id, LATER)
    assert (undone.removed, undone.kept) == (1, 1)
    assert held(site, store) == ("text", "")


def test_a_known_person_joins_another_list_as_they_chose_it_there(
    take: Import, site: Site, store: Store
) -> None:
    site.lists["appeals"] = site.lists["bulletin"]  # type: ignore[index]
    take(file("text", "weekly"), columns=MAPPED)
    report = take(file("full", ""), columns=MAPPED, list_id="appeals")
    lists = people.show(site, store, ANNA).person.memberships
    assert [(one.list_id, one.edition, one.frequency) for one in lists] == [
        ("appeals", "full", ""),
        ("bulletin", "text", "weekly"),
    ]
    assert undoing.undo(store, report.import_id, LATER).removed == 1
    assert held(site, store) == ("text", "weekly")


def test_an_export_tells_them_and_is_read_back_without_a_word(shell: CommandLine) -> None:
    shell.import_people(
        file("low-data", "monthly"), "--map", "edition=edition", "--map", "frequency=frequency"
    )
    exported = shell("subscribers", "export").out
    assert exported.splitlines()[1].endswith(",low-data,monthly")
    report = shell.import_people(exported, "--json").json
    assert (report["preset"], report["unchanged"], report["warnings"]) == ("mailout", 1, [])
