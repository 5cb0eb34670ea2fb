"""The check of a compiled issue: for which readers, and what surrounds the message."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete

from mailout.config.templates import read_templates
from mailout.core import front_matter
from mailout.core.check.rule import Finding, Severity
from mailout.core.issue import IssuePlan, Variant, Wording
from mailout.core.site import Identity, Relay, Site
from mailout.publish import checking, compile, sources
from mailout.store.engine import Store
from mailout.store.tables import CONSENT
from newcomers import join

NOW = datetime.now(UTC)
REPOSITORY = Path(__file__).parents[2]
STORY = """---
title: The harbour stands still
draft: false
---
The dockers stopped work on Monday, and they stay out until their wages are paid in full.

Read [what the dockers demand](https://news.example.org/harbour) and tell your colleagues.
"""


def public(site: Site) -> Site:
    """The site, at a public address and with an encrypted relay."""
    identity = Identity(
        name="Harbour Desk", url="https://news.example.org", mail_domain="news.example.org"
    )
    return replace(site, identity=identity, relays=(Relay(host="relay.example.org"),))


def compiled(site: Site, story: str = STORY) -> tuple[Variant, ...]:
    shutil.copytree(REPOSITORY / "templates", site.root / "templates", dirs_exist_ok=True)
    (site.root / "posts").mkdir(exist_ok=True)
    (site.root / "posts" / "2026-11-20-harbour.en.md").write_text(story, "utf-8")
    front_matter.split(story, "x")
    mailing_list = site.lists["bulletin"]
    wording = Wording(
        "The harbour stands still: news", "What the dockers want and how to help them today."
    )
    plan = IssuePlan(
        "w47",
        posts=("2026-11-20-harbour",),
        fallback={"*": ("en",)},
        wordings={"en": wording},
        file="x",
    )
    posts = sources.read_posts(site.root, "en")
    return compile.compile_issue(
        site, mailing_list, plan, posts, read_templates(site.root), NOW
    ).variants  # fmt: skip


def checked(site: Site, store: Store, story: str = STORY) -> dict[str, Finding]:
    variants = compiled(site, story)
    result = checking.check_issue(site, store, site.lists["bulletin"], 1, variants, (), NOW)
    return {one.rule: one for one in result.findings}


def test_an_issue_of_the_starter_templates_passes(site: Site, store: Store) -> None:
    site = public(site)
    for number, language in enumerate(("en", "ru", "kk", "de")):
        join(store, site, f"p{number}@example.org", language=language)
    variants = compiled(site)
    result = checking.check_issue(site, store, site.lists["bulletin"], 1, variants, (), NOW)
    assert [one for one in result.findings if one.severity is not Severity.NOTE] == []
    assert result.rendered == 4
    assert len(variants) >= 4


def test_who_never_agreed_is_counted(site: Site, store: Store) -> None:
    one = join(store, public(site))
    with store.writing() as tx:
        tx.execute(delete(CONSENT).where(CONSENT.c.subscriber_id == one.id))
    found = checked(public(site), store)["C02"]
    assert found.severity is Severity.REFUSE and "1 active" in found.what


def test_a_reader_whose_message_cannot_be_made_is_named(site: Site, store: Store) -> None:
    join(store, public(site), "=?utf-8?q?x?=@example.org")
    join(store, public(site), "boris@example.org")
    found = checked(public(site), store)["C04"]
    assert "for 1," in found.what and "=?utf-8?q?x?=@example.org" in found.what


def test_many_newcomers_are_a_warning_once_something_was_sent(
    site: Site, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = public(site)
    for number in range(120):
        join(store, site, f"p{number}@example.org")
    assert "C03" not in checked(site, store)
    monkeypatch.setattr(checking.readiness, "last_volume", lambda *_: 110)
    monkeypatch.setattr(checking.readiness, "joined_since", lambda *_: 50)
    assert "50 of 120" in checked(site, store)["C03"].what
    monkeypatch.setattr(checking.readiness, "joined_since", lambda *_: 0)
    monkeypatch.setattr(checking.readiness, "last_volume", lambda *_: 0)
    assert "C03" not in checked(site, store)


def test_mail_without_encryption_is_refused_but_on_this_machine(site: Site, store: Store) -> None:
    open_ = replace(public(site), relays=(Relay(host="relay.example.org", tls="none"),))
    assert checked(open_, store)["D03"].severity is Severity.REFUSE
    here = replace(public(site), relays=(Relay(host="127.0.0.1", tls="none"),))
    assert checked(here, store)["D03"].severity is Severity.NOTE


def test_a_finding_names_the_line_of_the_post(site: Site, store: Store) -> None:
    site = public(site)
    found = checked(site, store, STORY + "\nSee [here](https://bit.ly/harbour) for more.\n")
    assert {"B11", "B12"} <= found.keys()
    (named,) = checking.located([found["B11"]], site.root, {"posts/2026-11-20-harbour.en.md": "en"})
    assert named.where == "posts/2026-11-20-harbour.en.md:9"


def test_a_finding_names_the_file_of_its_own_language(site: Site) -> None:
    names = {f"posts/a.{code}.md": code for code in ("ar", "en", "ru")}
    (site.root / "posts").mkdir(exist_ok=True)
    for name in names:
        (site.root / name).write_text("---\ntitle: a\n---\nbit.ly\n", encoding="utf-8")
    found = Finding("B11", Severity.WARN, "a shortener", language="en ru", clue="bit.ly")
    (named,) = checking.located([found], site.root, names)
    assert named.where == "posts/a.en.md:4"
    (other,) = checking.located([replace(found, language="de")], site.root, names)
    assert other.where == "posts/a.ar.md:4"


def test_the_samples_are_the_readers_that_show_most(site: Site, store: Store) -> None:
    recipient = checking.Recipient
    samples: dict[str, checking.Recipient] = {}
    for number, (address, name) in enumerate(
        [
            ("a@example.org", "Anna"),
            ("b@example.org", ""),
            ("c@example.org", "ليلى"),
            ("d@example.org", "Әлия"),
            ("someone.with.a.long.address@example.org", "Bartholomew of the Harbour"),
        ]
    ):
        checking._keep_sample(samples, recipient(number, address, "k", name, "en", "", "", "t"))
    assert {kind: one.id for kind, one in samples.items()} == {
        "longest": 4, "emptiest": 1, "right to left": 2, "Cyrillic": 3,
    }  # fmt: skip


def test_recipients_come_page_by_page(
    site: Site, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking.readiness, "_PAGE", 3)
    for number in range(7):
        join(store, site, f"p{number}@example.org")
    with store.reading() as tx:
        got = [one.address for one in checking.readiness.recipients(tx, "bulletin")]
        fresh = checking.readiness.joined_since(tx, "bulletin", NOW - timedelta(days=365))
    assert got == [f"p{number}@example.org" for number in range(7)]
    assert fresh == 7


def test_every_rule_is_explained() -> None:
    page = (REPOSITORY / "docs" / "checks.md").read_text("utf-8")
    for rule, (severity, _) in checking.rules().items():
        assert f"### {rule} ({severity.value})" in page, rule
