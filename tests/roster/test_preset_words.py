"""Words and columns by which other systems tell that somebody is not to be mailed, one by one."""

from __future__ import annotations

import io

import pytest

from mailout.core.errors import UsageError
from mailout.core.site import Site
from mailout.roster import opening
from mailout.roster.reading import Row
from mailout.store.engine import Store
from other_systems import Bring, sources, standing, table

PHPLIST = (
    "id,Email,Is this subscriber confirmed,Is this subscriber blacklisted,Did this subscriber "
    "manually confirm,Number of bounces,Entered,Last Modified,Send this subscriber HTML emails,"
    "Is this account disabled?,Workplace,List Membership"
)


@pytest.mark.parametrize(
    ("confirmed", "blacklisted", "disabled", "lists", "expected"),
    [
        ("1", "0", "0", "bulletin appeals ", "active"),
        ("0", "0", "0", "bulletin ", "pending"),
        ("1", "1", "0", "bulletin ", "unsubscribed by hand"),
        ("1", "0", "1", "bulletin ", "unsubscribed"),
        ("1", "0", "0", "No Lists", "unsubscribed"),
    ],
)
def test_phplist_names_its_columns_by_titles(
    bring: Bring, store: Store, site: Site,
    confirmed: str, blacklisted: str, disabled: str, lists: str, expected: str,
) -> None:  # fmt: skip
    row = ["7", "anna@x.org", confirmed, blacklisted, "1", "0", "2019-01-01 10:00:00", "", "1",
           disabled, "Dock 4", lists]  # fmt: skip
    report = bring(table(PHPLIST, row, delimiter="\t"), columns={"Workplace": "fields.workplace"})
    assert (report.preset, report.delimiter, report.added) == ("phplist", "tab", 1)
    assert standing(store, site, "anna@x.org") == expected
    assert sources(store, site, "anna@x.org")[0].endswith("opted in 2019-01-01 10:00:00")
    assert any("blacklisted" in line for line in report.says)


@pytest.mark.parametrize(
    ("column", "cell", "expected"),
    [
        ("On Hold", "No", "active"), ("On Hold", "On Hold Bounce", "unsubscribed dead"),
        ("On Hold", "On Hold Opt Out", "unsubscribed"), ("On Hold", "Yes", "unsubscribed dead"),
        ("Is Deceased", "Yes", "unsubscribed"), ("Deceased / Closed", "0", "active"),
    ],
)  # fmt: skip
def test_civicrm_knows_two_kinds_of_hold_and_the_dead(
    bring: Bring, store: Store, site: Site, column: str, cell: str, expected: str
) -> None:
    head = f"Email,Do Not Email,No Bulk Emails (User Opt Out),{column}"
    assert bring(table(head, ["a@x.org", "", "", cell])).preset == "civicrm"
    assert standing(store, site, "a@x.org") == expected


@pytest.mark.parametrize(
    ("column", "cell", "expected"),
    [
        ("do_not_contact", "false", "active"), ("do_not_contact", "true", "unsubscribed"),
        ("is_deceased", "true", "unsubscribed"),
        ("banned_at", "2024-02-02T11:51:23-05:00", "unsubscribed by hand"),
        ("unsubscribed_at", "2024-02-02T11:51:23-05:00", "unsubscribed"),
        ("unsubscribed_at", "", "active"), ("do_not_call", "true", "active"),
    ],
)  # fmt: skip
def test_nationbuilder_says_in_many_ways_that_somebody_is_not_to_be_mailed(
    bring: Bring, store: Store, site: Site, column: str, cell: str, expected: str
) -> None:
    head = f"nationbuilder_id,email,email_opt_in,email1_is_bad,{column}"
    assert bring(table(head, ["1", "a@x.org", "true", "false", cell])).preset == "nationbuilder"
    assert standing(store, site, "a@x.org") == expected


@pytest.mark.parametrize(
    ("status", "role", "expected"),
    [
        ("enabled", "member", "active"), ("by_user", "member", "paused"),
        ("by_moderator", "member", "paused"), ("by_bounces", "member", "unsubscribed dead"),
        ("unknown", "member", "pending"), ("enabled", "nonmember", "pending"),
        ("enabled", "owner", "pending"), ("enabled", "moderator", "pending"),
    ],
)  # fmt: skip
def test_mailman_tells_who_is_off_and_who_is_no_member(
    bring: Bring, store: Store, site: Site, status: str, role: str, expected: str
) -> None:
    head = "email,display_name,delivery_mode,delivery_status,role,bounce_score"
    assert bring(table(head, ["a@x.org", "A", "regular", status, role, "0"])).added == 1
    assert standing(store, site, "a@x.org") == expected


def test_substack_has_a_long_and_a_short_export(bring: Bring, store: Store, site: Site) -> None:
    long = table(
        "Email,Name,Stripe plan,Cancel date,Start date,Emails received (6mo),Country,Type",
        ["a@x.org", "Anna", "", "", "2024-03-04T05:06:07Z", "12", "DE", "Free"],
    )
    report = bring(long)
    assert report.preset == "substack" and any("the short one, too" in one for one in report.says)
    assert sources(store, site, "a@x.org")[0].endswith("opted in 2024-03-04T05:06:07Z")
    short = table(
        "email,active_subscription,expiry,plan,email_disabled,created_at,first_payment_at",
        ["a@x.org", "false", "", "other", "true", "2024-03-04T05:06:07.000Z", ""],
    )
    assert bring(short).preset == "substack"
    assert standing(store, site, "a@x.org") == "unsubscribed"
    named = table("email,name,active_subscription,expiry,created_at", ["b@x.org", "B", "", "", ""])
    assert bring(named).preset == "substack"


@pytest.mark.parametrize("email", ["email", "email_address"])
def test_buttondown_calls_the_type_otherwise_since(
    bring: Bring, store: Store, site: Site, email: str
) -> None:
    header = f"id,{email},type,metadata,tags,secondary_id,undeliverability_date"
    rows = [
        ["1", "anna@x.org", "regular", "{}", "", "1", ""],
        ["2", "out@x.org", "unsubscribed", "{}", "", "2", ""],
        ["3", "dead@x.org", "regular", "{}", "", "3", "2025-01-02"],
    ]
    assert bring(table(header, *rows)).preset == "buttondown"
    assert standing(store, site, "anna@x.org") == "active"
    assert standing(store, site, "out@x.org") == "unsubscribed"
    assert standing(store, site, "dead@x.org") == "unsubscribed dead"


@pytest.mark.parametrize("word", ["Unsubscribed", "hard-bounced", "abgemeldet", "Отписан"])
def test_a_column_of_no_known_name_that_tells_who_left_is_asked_about(
    bring: Bring, store: Store, site: Site, word: str
) -> None:
    raw = table("Email,Abo", ["anna@x.org", "yes"], ["out@x.org", word])
    with pytest.raises(UsageError, match=f"`Abo` holds `{word}`.*Abo=status.*Abo=ignore"):
        bring(raw, dry_run=True)
    assert bring(raw, status="unsubscribed", dry_run=True).by_status == {"unsubscribed": 2}
    told = bring(raw, columns={"Abo": "status"}, dry_run=True)
    assert told.by_status == {"active": 1, "unsubscribed": 1}
    assert bring(raw, columns={"Abo": "ignore"}, dry_run=True).by_status == {"active": 2}


def test_of_a_file_that_tells_who_left_no_other_column_is_asked_about(bring: Bring) -> None:
    for status in ("status", "unsubscribed at"):
        raw = table(f"email,{status},sms", ["anna@x.org", "", "unsubscribed"])
        assert bring(raw, dry_run=True).by_status == {"active": 1}
    # Words that stand in other columns, too.
    assert bring(table("email,remark", ["b@x.org", "left"]), dry_run=True).by_status["active"] == 1


def test_rows_that_were_looked_through_come_all_and_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(opening, "_LOOKED_AT", 3)
    raw = "email,remark\n" + "".join(f"p{n}@x.org,x\n" for n in range(9))
    found = opening.opened(io.BytesIO(raw.encode()), "p.csv").table.rows
    assert [row.number for row in found if isinstance(row, Row)] == list(range(2, 11))


@pytest.mark.parametrize("column", ["subscribed", "Opt-In", "Accepts Email Marketing"])
def test_a_column_that_says_who_opted_in_is_known_without_a_system(
    bring: Bring, store: Store, site: Site, column: str
) -> None:
    cells = {"yes@x.org": "true", "day@x.org": "2024-05-06", "no@x.org": "FALSE",
             "none@x.org": "", "odd@x.org": "weekly"}  # fmt: skip
    report = bring(table(f"email,{column}", *([who, cell] for who, cell in cells.items())))
    assert report.preset == "none"
    assert {who: standing(store, site, who) for who in cells} == {
        "yes@x.org": "active", "day@x.org": "active", "no@x.org": "unsubscribed",
        "none@x.org": "unsubscribed", "odd@x.org": "pending",
    }  # fmt: skip


def test_who_was_deleted_there_has_left(bring: Bring, store: Store, site: Site) -> None:
    bring(table("email,deleted_at", ["anna@x.org", ""], ["gone@x.org", "2024-05-06"]))
    assert standing(store, site, "anna@x.org") == "active"
    assert standing(store, site, "gone@x.org") == "unsubscribed"


def test_mailman_tells_a_link_beside_the_address(bring: Bring, store: Store, site: Site) -> None:
    link = "http://lists.example.org/3.1/addresses/anna@x.org"
    header = "address,delivery_mode,delivery_status,display_name,email,role"
    report = bring(table(header, [link, "regular", "by_bounces", "A", "anna@x.org", "member"]))
    assert (report.preset, report.added) == ("mailman", 1)
    assert standing(store, site, "anna@x.org") == "unsubscribed dead"


@pytest.mark.parametrize(
    ("column", "cell", "expected"),
    [
        ("Blacklist", "TRUE", "unsubscribed"),  # Odoo
        ("EMAIL_BLACKLISTED", "Yes", "unsubscribed"),
        ("Global Status", "Unsubscribed", "unsubscribed"),  # MailPoet, beside that on the list
    ],
)
def test_columns_of_systems_without_a_preset(
    bring: Bring, store: Store, site: Site, column: str, cell: str, expected: str
) -> None:
    header = f"email,Subscription Status,{column}"
    bring(table(header, ["a@x.org", "Subscribed", cell], ["b@x.org", "Subscribed", ""]))
    assert standing(store, site, "a@x.org") == expected
    assert standing(store, site, "b@x.org") == "active"


def test_members_of_a_google_group(bring: Bring, store: Store, site: Site) -> None:
    raw = table(
        "Email address,Nickname,Group status,Email status",
        ["a@x.org", "A", "member", "valid"],
        ["dead@x.org", "B", "member", "bouncing"],
    )
    with pytest.raises(UsageError, match="`Email status` holds `bouncing`"):
        bring(raw)
    bring(raw, columns={"Email status": "status"})
    assert standing(store, site, "a@x.org") == "active"
    assert standing(store, site, "dead@x.org") == "unsubscribed dead"
