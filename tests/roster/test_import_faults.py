"""Import when things go wrong: bad orders and files, a crash, two at once, any bytes at all."""

from __future__ import annotations

import io
import secrets

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailout.core.errors import MailoutError, UsageError
from mailout.core.site import Site
from mailout.roster import importing
from mailout.store import consents, imports
from mailout.store.engine import Store
from newcomers import dump
from roster_tools import HEAD, NOW, Import, accounted, import_into


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"consent": "  "}, "how these people agreed"),
        ({"consent": "a\0b"}, "control character"),
        ({"list_id": "buletin"}, "Did you mean `bulletin`"),
        ({"tags": ("a\nb",)}, "the tag"),
        ({"columns": {"Mail": "email"}}, "no column `Mail`"),
        ({"encoding": "utf-99"}, "--encoding"),
    ],
)
def test_an_order_that_does_not_fit(
    take: Import, store: Store, options: dict[str, object], says: str
) -> None:
    before = dump(store)
    with pytest.raises(UsageError) as caught:
        take("email\nanna@x.org\n", **options)
    assert says in str(caught.value)
    assert dump(store) == before


def test_evidence_must_not_name_the_person(take: Import) -> None:
    report = take("email\nanna@x.org\nb@x.org\n", consent="Mail from <Anna@X.org>, 3 May.")
    assert report.added == 1
    (refused,) = report.refused
    assert refused.value == "anna@x.org" and "kept for ever" in refused.why


def test_a_wrong_byte_late_in_the_file_writes_nothing(
    take: Import, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "CHUNK", 10)
    before = dump(store)
    rows = "".join(f"p{n}@x.org\n" for n in range(100))
    with pytest.raises(MailoutError, match=r"people\.csv:102: byte"):
        take(b"email\n" + rows.encode() + b"\xff\n")
    assert dump(store) == before


def test_a_crash_leaves_whole_chunks(
    site: Site, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "CHUNK", 10)
    file = "email,tags\n" + "".join(f"p{n}@x.org,t\n" for n in range(25))
    drawn = 0

    def failing(size: int) -> bytes:
        nonlocal drawn
        drawn += 1
        if drawn == 2:  # in the second chunk
            raise KeyboardInterrupt
        return secrets.token_bytes(size)

    order = importing.Order("bulletin", "said so")
    with pytest.raises(KeyboardInterrupt):
        importing.import_people(
            site, store, io.BytesIO(file.encode()), "p.csv", order, NOW, failing
        )
    held = dump(store)
    assert {len(held[t]) for t in ("subscriber", "subscription", "consent", "subscriber_tag")} == {
        10
    }
    report = accounted(import_into(site, store, file))
    assert (report.added, report.unchanged) == (15, 10)
    assert report.says == ("went on with import 1, which was broken off",)
    assert report.import_id == 1
    with store.reading() as tx:
        [run] = imports.listed(tx)  # undone, all of it is
        assert (run.counts["added"], run.counts["unchanged"], run.counts["rows_read"]) == (
            25,
            0,
            25,
        )
        assert consents.first_broken(tx, "bulletin") is None


def test_progress_is_told(site: Site, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "CHUNK", 10)
    told: list[tuple[int, float]] = []
    file = "email\n" + "".join(f"p{n}@x.org\n" for n in range(25))
    importing.import_people(
        site, store, io.BytesIO(file.encode()), "p.csv", importing.Order("bulletin", "x"), NOW,
        secrets.token_bytes, lambda rows, fraction: told.append((rows, fraction)),
    )  # fmt: skip
    assert [rows for rows, _ in told] == [10, 20, 25]
    assert told[-1][1] == 1.0


def test_two_imports_at_once_make_no_double(site: Site, store: Store) -> None:
    from concurrent.futures import ThreadPoolExecutor

    file = "email,tags\n" + "".join(f"p{n}@x.org,t\n" for n in range(500))
    with ThreadPoolExecutor(3) as pool:
        reports = list(pool.map(lambda _: import_into(site, store, file), range(3)))
    assert sorted(report.added for report in reports) == [0, 0, 500]
    with store.reading() as tx:
        assert consents.first_broken(tx, "bulletin") is None


_piece = st.sampled_from(
    ["a@x.org", "b@x.org", "A@X.org", "ü@x.org", "nope", ",", ",,,,,", "\n", "\r\n", '"', ";", "ru",
     "kz", "active", "unsubscribed", "t;u", "\0", "'=x", "\u202e", "\ufeff"]
)  # fmt: skip


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(_piece, max_size=30), raw=st.binary(max_size=30))
def test_any_file_is_a_report_or_a_clear_error(
    site: Site, store: Store, pieces: list[str], raw: bytes
) -> None:
    for file in (HEAD + "".join(pieces), HEAD.encode() + raw, "".join(pieces).encode() + raw):
        try:
            accounted(import_into(site, store, file))
        except MailoutError as error:
            assert str(error)
