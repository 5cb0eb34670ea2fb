"""Exports of other systems, built here in their documented layouts: who is mailed, and who never."""

from __future__ import annotations

import pytest

from mailout.core.address import Address
from mailout.core.errors import UsageError
from mailout.core.site import Site
from mailout.roster import presets
from mailout.store import people
from mailout.store.engine import Store
from other_systems import Bring, sources, standing, table

MAILCHIMP = (
    "Email Address,First Name,Last Name,Address,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,"
    "CONFIRM_IP,LATITUDE,GMTOFF,CC,REGION,LAST_CHANGED,LEID,EUID,NOTES,TAGS"
)


def mailchimp(address: str) -> list[str]:
    return [address, "Anna", "Weiss", "1 Dock St", "2", "2021-03-04 10:11:12", "192.0.2.7",
            "2021-03-04 10:12:00", "192.0.2.7", "52.1", "1", "DE", "BE", "2024-01-01 00:00:00",
            "17", "ab12", "", '"unions","Dock workers"']  # fmt: skip


@pytest.mark.parametrize(
    ("name", "more", "expected"),
    [
        ("subscribed_email_audience_export_1a2b.csv", "", "active"),
        ("nonsubscribed_email_audience_export_1a2b.csv", "", "pending"),
        ("unsubscribed_email_audience_export_1a2b.csv", "UNSUB_TIME", "unsubscribed"),
        ("cleaned_email_audience_export_1a2b.csv", "CLEAN_TIME", "unsubscribed dead"),
        ("renamed.csv", "UNSUB_TIME", "unsubscribed"),
        ("renamed.csv", "CLEAN_TIME", "unsubscribed dead"),
    ],
)
def test_mailchimp(
    bring: Bring, store: Store, site: Site, name: str, more: str, expected: str
) -> None:
    header = MAILCHIMP + f",{more}" * bool(more)
    report = bring(
        table(header, mailchimp("anna@x.org") + ["2023-05-06 07:08:09"] * bool(more)), name
    )
    assert report.preset == "mailchimp" and report.added == 1
    assert standing(store, site, "anna@x.org") == expected
    assert report.by_tag == {"unions": 1, "dock workers": 1}
    assert "IP addresses are not taken in: OPTIN_IP, CONFIRM_IP" in report.says
    (source,) = sources(store, site, "anna@x.org")
    assert source.endswith("opted in 2021-03-04 10:11:12, confirmed 2021-03-04 10:12:00")
    assert "192.0.2" not in source
    again = bring(table(header, mailchimp("anna@x.org") + ["2023"] * bool(more)), name)
    assert again.unchanged == 1


def test_a_renamed_mailchimp_file_has_to_say_what_it_was(
    bring: Bring, store: Store, site: Site
) -> None:
    text = table(MAILCHIMP, mailchimp("anna@x.org"))
    with pytest.raises(UsageError, match="--status subscribed"):
        bring(text, "renamed.csv")
    with pytest.raises(UsageError, match="no status `nonsense`"):
        bring(text, "renamed.csv", status="nonsense")
    assert bring(text, "renamed.csv", status="cleaned").added == 1
    assert standing(store, site, "anna@x.org") == "unsubscribed dead"


def test_a_status_said_for_all_makes_no_row_milder(bring: Bring, store: Store, site: Site) -> None:
    bring("email,status\na@x.org,unsubscribed\nb@x.org,\n", status="subscribed")
    assert standing(store, site, "a@x.org") == "unsubscribed"
    bring("email\nc@x.org\n", "unsubscribed_list.csv", status="subscribed")
    assert standing(store, site, "c@x.org") == "unsubscribed"


def test_substack(bring: Bring, store: Store, site: Site) -> None:
    report = bring(
        table(
            "email,active_subscription,expiry,email_disabled,prefer_digests,created_at",
            ["free@x.org", "false", "", "false", "", "2022-01-02T03:04:05.678Z"],
            ["none@x.org", "", "", "", "", "2022-01-02T03:04:05Z"],
            ["paid@x.org", "true", "2027-01-01", "false", "true", "2022-01-02T03:04:05Z"],
            ["out@x.org", "true", "", "true", "", "2022-01-02T03:04:05Z"],
        )
    )
    assert report.preset == "substack"
    assert report.by_status == {"active": 3, "unsubscribed": 1}
    assert standing(store, site, "out@x.org") == "unsubscribed"
    assert "2022-01-02T03:04:05.678Z" in sources(store, site, "free@x.org")[0]
    newer = table(
        "email,plan,email_disabled,created_at,first_payment_at", ["a@x.org", "", "no", "", ""]
    )
    assert bring(newer).preset == "substack"


def test_ghost(bring: Bring, store: Store, site: Site) -> None:
    head = (
        "id,email,name,note,subscribed_to_emails,complimentary_plan,stripe_customer_id,created_at,"
        "deleted_at,labels,tiers"
    )
    row = [
        "6f",
        "anna@x.org",
        "Anna",
        "met in May",
        "true",
        "false",
        "",
        "2023-02-03T00:00:00.000Z",
        "",
        "unions,vip",
        "",
    ]
    out = ["70", "out@x.org", "Out", "", "false", "false", "", "", "", "", ""]
    gone = ["71", "gone@x.org", "Gone", "", "true", "", "", "", "2024-01-01T00:00:00.000Z", "", ""]
    report = bring(table(head, row, out, gone))
    assert report.preset == "ghost"
    assert standing(store, site, "anna@x.org") == "active"
    assert (
        standing(store, site, "out@x.org") == standing(store, site, "gone@x.org") == "unsubscribed"
    )
    assert report.by_tag == {"unions": 1, "vip": 1}


BUTTONDOWN = (
    "id,secondary_id,email,notes,subscriber_type,referrer_url,utm_campaign,creation_date,"
    "ip_address,subscription_date,unsubscription_date,tags,metadata"
)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("regular", "active"), ("premium", "active"), ("gifted", "active"), ("trialed", "active"),
        ("churning", "active"), ("past_due", "active"), ("unactivated", "pending"),
        ("unpaid", "pending"), ("upcoming", "pending"), ("a new kind", "pending"),
        ("paused", "paused"), ("spammy", "unsubscribed by hand"),
        ("unsubscribed", "unsubscribed"), ("removed", "unsubscribed"),
        ("undeliverable", "unsubscribed dead"), ("blocked", "unsubscribed by hand"),
        ("complained", "unsubscribed complained"),
    ],
)  # fmt: skip
def test_buttondown(bring: Bring, store: Store, site: Site, kind: str, expected: str) -> None:
    metadata = "{'shop': 'B', 'since': 2019, 'Öther': None, 'nested': {'a': [1, True]}}"
    row = ["id", "1", "anna@x.org", "", kind, "", "", "2020-01-01", "192.0.2.1",
           "2020-01-01 09:00:00", "", "unions;press", metadata]  # fmt: skip
    report = bring(table(BUTTONDOWN, row))
    assert report.preset == "buttondown"
    assert standing(store, site, "anna@x.org") == expected
    with store.reading() as tx:
        person = people.find(tx, Address.parse("anna@x.org").key(site.keys.address))
    assert person is not None and person.tags == ("press", "unions")
    assert person.fields == {"shop": "B", "since": "2019", "nested": '{"a": [1, true]}'}


@pytest.mark.parametrize(
    "metadata",
    ["__import__('os').abort()", "[1]", "{" * 5000, "{'a': " * 90 + "1" + "}" * 90, "9" * 9000,
     "(" * 3000, "{1: 2, " * 50],
)  # fmt: skip
def test_metadata_that_is_none_is_left_out(bring: Bring, metadata: str) -> None:
    row = ["", "", "anna@x.org", "", "regular", "", "", "", "", "", "", "", metadata]
    report = bring(table(BUTTONDOWN, row))
    assert report.added == 1


def test_listmonk(bring: Bring, store: Store, site: Site) -> None:
    head = "uuid,email,name,attributes,status,created_at,updated_at"
    rows = [
        ["u1", "a@x.org", "Anna", '{"city": "Omsk", "n": 1}', "enabled", "2020", "2020"],
        ["u2", "b@x.org", "B", "{}", "disabled", "", ""],
        ["u3", "c@x.org", "C", "", "blocklisted", "", ""],
    ]
    report = bring(table(head, *rows))
    assert report.preset == "listmonk" and any("does not tell" in line for line in report.says)
    assert [standing(store, site, f"{one}@x.org") for one in "abc"] == [
        "active", "unsubscribed", "unsubscribed by hand",
    ]  # fmt: skip
    assert bring('email,name,attributes\nd@x.org,D,"{""a"": ""b""}"\n').preset == "listmonk"


def test_mailman_members(bring: Bring, store: Store, site: Site) -> None:
    text = '# members\n\nanna@x.org\nBoris Орлов <boris@x.org>\ncarol@x.org (Carol C)\n"D, D" <d@x.org>\n'
    report = bring(text, "members.txt")
    assert (report.kind, report.added) == ("list", 4)
    assert any("whose delivery was off" in line for line in report.says)
    with store.reading() as tx:
        names = {one.address: one.name for one in people.page(tx)}
    assert names == {
        "anna@x.org": "", "boris@x.org": "Boris Орлов", "carol@x.org": "Carol C", "d@x.org": "D, D",
    }  # fmt: skip


def test_a_broken_line_of_a_plain_list_harms_no_other(bring: Bring) -> None:
    report = bring("# members\nanna@x.org\nno address\nBoris <boris@x.org>\n", "members.txt")
    assert (report.kind, report.added, report.refused_count) == ("list", 2, 1)
    assert [one.row for one in report.refused] == [3]


def test_mailman_roster(bring: Bring, store: Store, site: Site) -> None:
    head = "email,display_name,delivery_mode,delivery_status,role,bounce_score"
    report = bring(
        table(
            head,
            ["a@x.org", "A", "regular", "enabled", "member", "0"],
            ["b@x.org", "B", "regular", "by_user", "member", "0"],
            ["c@x.org", "C", "regular", "by_bounces", "member", "5"],
            ["d@x.org", "D", "regular", "enabled", "nonmember", "0"],
        )
    )
    assert report.preset == "mailman"
    assert [standing(store, site, f"{one}@x.org") for one in "abcd"] == [
        "active", "paused", "unsubscribed dead", "pending",
    ]  # fmt: skip


def test_action_network(bring: Bring, store: Store, site: Site) -> None:
    head = (
        "uuid,first_name,last_name,email,zip_code,can2_phone,can2_user_address,can2_user_city,"
        "can2_user_tags,can2_subscription_status,can2_sms_status,Workplace"
    )
    words = ["subscribed", "unsubscribed", "bouncing", "previous bounce", "spam complaint"]
    rows = [
        ["u", "A", str(n), f"p{n}@x.org", "", "", "", "", "unions, press", word, "", "Dock 4"]
        for n, word in enumerate(words)
    ]
    report = bring(table(head, *rows), columns={"Workplace": "fields.workplace"})
    assert report.preset == "action-network" and report.by_tag == {"unions": 5, "press": 5}
    assert [standing(store, site, f"p{n}@x.org") for n in range(5)] == [
        "active", "unsubscribed", "unsubscribed dead", "unsubscribed", "unsubscribed complained",
    ]  # fmt: skip
    with store.reading() as tx:
        assert people.page(tx)[0].fields == {"workplace": "Dock 4"}
        assert people.page(tx)[0].name == "A 0"


@pytest.mark.parametrize("yes", ["Yes", "1", "TRUE", "да", "x", "2024-01-01"])
def test_civicrm(bring: Bring, store: Store, site: Site, yes: str) -> None:
    head = (
        "First Name,Last Name,Email,Do Not Email,No Bulk Emails (User Opt Out),Preferred Language"
    )
    report = bring(
        table(
            head,
            ["A", "B", "a@x.org", "No", "", "de_DE"],
            ["A", "B", "b@x.org", yes, "No", ""],
            ["A", "B", "c@x.org", "", yes, ""],
        )
    )
    assert report.preset == "civicrm"
    assert [standing(store, site, f"{one}@x.org") for one in "abc"] == [
        "active", "unsubscribed", "unsubscribed",
    ]  # fmt: skip


def test_nationbuilder(bring: Bring, store: Store, site: Site) -> None:
    head = (
        "nationbuilder_id,first_name,middle_name,last_name,email,email_opt_in,email1,email1_is_bad,"
        "email2,email2_is_bad,email3,email3_is_bad,email4,email4_is_bad,tag_list,created_at,"
        "primary_country_code"
    )
    rest = ["", "false", "", "false", "unions, press", "2020", "DE"]
    report = bring(
        table(
            head,
            ["1", "A", "", "A", "a@x.org", "true", "a@x.org", "false", "a2@x.org", "false", *rest],
            ["2", "B", "", "B", "b@x.org", "true", "b@x.org", "true", "b2@x.org", "false", *rest],
            ["3", "C", "", "C", "c@x.org", "false", "c@x.org", "false", "", "", *rest],
            ["4", "D", "", "D", "d@x.org", "true", "d@x.org", "true", "d2@x.org", "true", *rest],
        )
    )
    assert report.preset == "nationbuilder" and report.by_tag == {"unions": 4, "press": 4}
    assert [standing(store, site, f"{one}@x.org") for one in ("a", "b2", "c", "d")] == [
        "active", "active", "unsubscribed", "unsubscribed dead",
    ]  # fmt: skip
    assert [w.value for w in report.warnings if "is bad" in w.why] == ["b@x.org"]
    only = table(
        "nationbuilder_id,email,email_opt_in,email1_is_bad", ["5", "e@x.org", "true", "true"]
    )
    bring(only)
    assert standing(store, site, "e@x.org") == "unsubscribed dead"


def test_phplist(bring: Bring, store: Store, site: Site) -> None:
    head = "id,email,confirmed,blacklisted,optedin,bouncecount,entered,modified,uniqid,htmlemail"
    report = bring(
        table(
            head,
            ["1", "a@x.org", "1", "0", "1", "0", "2019-01-01 10:00:00", "", "f", "1"],
            ["2", "b@x.org", "0", "0", "", "0", "", "", "f", "1"],
            ["3", "c@x.org", "1", "1", "", "0", "", "", "f", "1"],
        )
    )
    assert report.preset == "phplist"
    assert [standing(store, site, f"{one}@x.org") for one in "abc"] == [
        "active", "pending", "unsubscribed by hand",
    ]  # fmt: skip


def test_a_row_that_contradicts_itself_is_read_strictly_and_told(
    bring: Bring, store: Store, site: Site
) -> None:
    report = bring(
        table(
            "email,status,created_at,unsubscribed_at",
            ["a@x.org", "active", "2020-01-01", "2024-05-06"],
            ["b@x.org", "active", "2020-01-01", ""],
        )
    )
    assert report.preset == "beehiiv"
    assert standing(store, site, "a@x.org") == "unsubscribed"
    assert [(w.row, w.value) for w in report.warnings] == [(2, "active")]
    assert "the stricter counts" in report.warnings[0].why


def test_a_preset_can_be_named_and_map_prevails(bring: Bring, store: Store, site: Site) -> None:
    text = "email,unsubscribed_at,kind\na@x.org,2024-01-01,unsubscribed\n"
    assert bring(text).preset == "none"
    report = bring(text, preset="BeeHiiv", columns={"unsubscribed_at": "ignore"})
    assert report.preset == "beehiiv"
    assert standing(store, site, "a@x.org") == "unsubscribed"  # by the first import
    with pytest.raises(UsageError, match="Did you mean `mailchimp`"):
        bring(text, preset="mailchump")
    assert set(presets.PRESETS) >= {"mailchimp", "listmonk", "mailman", "action-network", "none"}


def test_those_who_left_elsewhere_never_come_back_by_a_later_file(
    bring: Bring, store: Store, site: Site
) -> None:
    bring(table(MAILCHIMP, mailchimp("anna@x.org")), "cleaned_x.csv")
    report = bring(table(MAILCHIMP, mailchimp("anna@x.org")), "subscribed_x.csv")
    assert report.refused_count == 1
    assert standing(store, site, "anna@x.org") == "unsubscribed dead"
