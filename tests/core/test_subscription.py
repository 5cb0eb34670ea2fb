"""The words of other systems for a subscription's state, and which of two readings is stricter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailout.core.subscription import SubscriptionState, imported_state, stricter

_states = st.sampled_from(SubscriptionState)


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("", "active"), (" Subscribed ", "active"), ("TRUE", "active"), ("unconfirmed", "pending"),
        ("paused", "paused"), ("Cleaned", "unsubscribed"), ("0", "unsubscribed"),
        ("spam complaint", "unsubscribed"), ("opted_out", "unsubscribed"),
    ],
)  # fmt: skip
def test_known_words(word: str, state: str) -> None:
    assert imported_state(word) == state


@given(
    st.text().filter(lambda word: word.strip().lower() not in {"", "active", "yes", "true", "1"})
)
def test_no_unknown_word_means_active(word: str) -> None:
    known = {"subscribed", "enabled", "confirmed"}
    assert imported_state(word) is not SubscriptionState.ACTIVE or word.strip().lower() in known


@given(_states, _states)
def test_stricter_mails_less(one: SubscriptionState, other: SubscriptionState) -> None:
    assert stricter(one, other) is stricter(other, one)
    assert stricter(one, other) in (one, other)
    # Only active people are mailed: that is what any other reading prevails over.
    assert stricter(one, SubscriptionState.ACTIVE) is one
