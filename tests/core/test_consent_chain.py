"""The chain's format: by hand or by `json`, byte for byte the same."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from mailout.core.consent import GENESIS, Consent, ConsentAction, chained, link, links

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(
    _text, st.integers(0, 2**63), _text, st.sampled_from(ConsentAction),
    st.datetimes(timezones=st.timezones() | st.just(UTC)), _text, _text, _text,
)  # fmt: skip
def test_the_chain_hashes_what_json_writes(
    list_id: str, number: int, key: str, action: ConsentAction, at: datetime,
    wording: str, language: str, source: str,
) -> None:  # fmt: skip
    try:
        moment = at.astimezone(UTC).isoformat(timespec="microseconds")
    except OverflowError:  # the first and the last day of all times
        return
    parts = [GENESIS, list_id, number, key, action.value, moment, wording, language, source]
    body = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    consent = Consent(list_id, number, key, action, at, wording, language, source)
    assert chained(consent, GENESIS) == hashlib.sha256(body.encode()).hexdigest()


@given(
    _text,
    st.lists(st.tuples(st.integers(0), *[_text] * 5), max_size=6),
)
def test_many_links_are_those_made_one_by_one(
    list_id: str, rows: list[tuple[int, str, str, str, str, str]]
) -> None:
    previous, expected = GENESIS, []
    for number, key, action, wording, language, source in [*rows, *rows]:
        previous = link(previous, list_id, number, key, action, "now", wording, language, source)
        expected.append(previous)
    assert list(links(GENESIS, list_id, "now", [*rows, *rows])) == expected
