"""Signatories: named by name, with their words, and by nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailout.core.errors import MailoutError, UsageError
from mailout.core.signatory import Signatory
from mailout.core.site import Site
from mailout.roster import people, signatories
from mailout.store.engine import Store
from newcomers import LONG_AGO, join

ANNA = Signatory("Anna Berg", "branch secretary", "Dockers", agreed="her letter of 3 May")


def test_who_agreed_is_listed_until_removed(site: Site, store: Store) -> None:
    join(store, site, "anna@example.org")
    join(store, site, "zoe@example.org")
    join(store, site, "silent@example.org")
    signatories.add(site, store, "ZOE@example.org", Signatory("Zoe", personal=True, agreed="yes"))
    signatories.add(site, store, "anna@example.org", Signatory("Old name", agreed="by phone"))
    added = signatories.add(site, store, "anna@example.org", ANNA)
    assert added.country == "DE"
    assert [(one.address, one.signatory.name) for one in signatories.listed(store)] == [
        ("anna@example.org", "Anna Berg"), ("zoe@example.org", "Zoe"),
    ]  # fmt: skip
    assert signatories.listed(store)[1].signatory.personal
    signatories.remove(site, store, "anna@example.org")
    assert [one.signatory.name for one in signatories.listed(store)] == ["Zoe"]
    with pytest.raises(MailoutError, match="is no signatory"):
        signatories.remove(site, store, "anna@example.org")


def test_who_is_erased_is_named_no_more(site: Site, store: Store) -> None:
    join(store, site, "anna@example.org")
    signatories.add(site, store, "anna@example.org", ANNA)
    people.erase(site, store, "anna@example.org", LONG_AGO)
    assert signatories.listed(store) == []


@pytest.mark.parametrize(
    ("signatory", "says"),
    [
        (Signatory("", agreed="yes"), "under which name"),
        (Signatory("Anna", agreed=" "), "how these people agreed"),
        (Signatory("Anna\nBcc: x", agreed="yes"), "a control character"),
    ],
)
def test_what_is_refused(site: Site, store: Store, signatory: Signatory, says: str) -> None:
    join(store, site, "anna@example.org")
    with pytest.raises(UsageError, match=says):
        signatories.add(site, store, "anna@example.org", signatory)
    with pytest.raises(MailoutError, match="nobody with this address"):
        signatories.add(site, store, "nobody@example.org", ANNA)


@given(st.recursive(st.none() | st.booleans() | st.text(), lambda inner: st.dictionaries(
    st.sampled_from(["name", "role", "agreed", "personal"]), inner)))  # fmt: skip
def test_a_field_of_any_shape_names_nobody_without_their_words(value: object) -> None:
    found = Signatory.of_field(value, "DE")
    assert found is None or (found.name and found.agreed)
