"""Segments of a site: counted, sampled, explained; references resolved within their list."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from mailout.core.errors import MailoutError, UsageError
from mailout.core.mailing_list import MailingList, SegmentName, SegmentSettings
from mailout.core.site import Site
from mailout.roster import segments
from mailout.store.engine import Store
from roster_tools import Import

PEOPLE = """email,language,tags,status
a@x.org,ru,unions,
b@x.org,ru,unions;sponsors,
c@x.org,de,unions,paused
d@x.org,,unions,unsubscribed
e@x.org,kk,unions,pending
f@x.org,kk,journalists,
"""


def with_rules(site: Site, **rules: str) -> Site:
    """The site, whose list has these segments too."""
    bulletin = site.lists["bulletin"]
    more = {name: SegmentSettings(rule=rule) for name, rule in rules.items()}
    settings = replace(bulletin.settings, segments={**bulletin.settings.segments, **more})
    lists = {**site.lists, "bulletin": MailingList("bulletin", settings)}
    return replace(site, lists=MappingProxyType(lists))


def test_count(site: Site, store: Store, take: Import) -> None:
    take(PEOPLE)
    count = segments.count(site, store, SegmentName("bulletin", "unions"))
    assert (count.rule, count.matching, count.mailed) == ("tag = unions", 5, 2)
    assert count.by_language == {"ru": 2}
    assert count.left_out == {"paused by the reader": 1, "unsubscribed": 1, "not confirmed": 1}
    assert [str(one.segment) for one in segments.listing(site, store)] == [
        "bulletin/unions", "bulletin/journalists", "bulletin/socialists",
    ]  # fmt: skip


def test_a_list_of_segments_names_the_one_that_cannot_be_asked(site: Site, store: Store) -> None:
    site = with_rules(site, fine="tag = unions", missed="not received(2026-w47)")
    with pytest.raises(MailoutError) as caught:
        segments.listing(site, store)
    assert str(caught.value).startswith("segment bulletin/missed, received(2026-w47): ")


def test_equal_numbers_of_a_report_are_in_the_order_of_their_names(take: Import) -> None:
    report = take(
        "email,language,tags\nc@x.org,ru,zeal;unions\nb@x.org,de,press;unions\na@x.org,en,arts\n"
    )
    assert list(report.by_tag.items()) == [("unions", 2), ("arts", 1), ("press", 1), ("zeal", 1)]
    assert list(report.by_language) == ["de", "en", "ru"]


def test_sample(site: Site, store: Store, take: Import) -> None:
    take(PEOPLE)
    name = SegmentName("bulletin", "unions")
    found = [person.address for person in segments.sample(site, store, name, 3)]
    assert len(found) == 3 and set(found) <= {f"{letter}@x.org" for letter in "abcde"}
    assert len(segments.sample(site, store, name, 100)) == 5
    assert segments.sample(site, store, SegmentName("bulletin", "socialists"), 5) == []


def test_explain(site: Site, store: Store, take: Import) -> None:
    take(PEOPLE)
    site = with_rules(site, near="segment unions and not (language = ru or tag = journalists)")
    steps = segments.explain(site, store, SegmentName("bulletin", "near"))
    assert [(step.depth, step.text, step.count) for step in steps] == [
        (0, "segment unions and not (language = ru or tag = journalists)", 3),
        (1, "segment unions", 5),
        (2, "tag = unions", 5),
        (1, "not (language = ru or tag = journalists)", 3),
        (2, "language = ru or tag = journalists", 3),
        (3, "language = ru", 2),
        (3, "tag = journalists", 1),
    ]


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("segment unoins", "there is no segment `unoins`"),
        ("segment odd", "odd -> odd"),
    ],
)
def test_references_that_lead_nowhere(site: Site, store: Store, rule: str, says: str) -> None:
    site = with_rules(site, odd=rule)
    name = SegmentName("bulletin", "odd")
    for ask in (
        lambda: segments.count(site, store, name),
        lambda: segments.sample(site, store, name, 1),
        lambda: segments.explain(site, store, name),
    ):
        with pytest.raises(MailoutError) as caught:
            ask()
        assert says in str(caught.value)


def test_names(site: Site) -> None:
    wanted = SegmentName("bulletin", "unions")
    assert segments.named(site, "unions") == segments.named(site, "bulletin/unions") == wanted
    assert segments.named(site, "unions", "bulletin") == wanted
    with pytest.raises(UsageError, match="Did you mean"):
        segments.named(site, "union")
