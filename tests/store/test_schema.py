"""Migrations: every one on both databases, ending in the tables that the code knows."""

from __future__ import annotations

import random
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import delete, func, insert, inspect, select
from sqlalchemy.exc import IntegrityError

from dumped_tables import content, fill, metadata
from mailout.core.errors import MailoutError
from mailout.core.issue import Variant, content_hash
from mailout.store import issues, schema
from mailout.store.columns import UNCHECKED
from mailout.store.engine import Store
from mailout.store.tables import SUBSCRIBER_TAG, SUBSCRIPTION


def _revisions() -> list[str]:
    scripts = ScriptDirectory.from_config(schema._config())
    return [script.revision for script in scripts.walk_revisions()][::-1]


def test_every_migration_in_turn(bare_store: Store) -> None:
    assert schema.current(bare_store) == ""
    for revision in _revisions():
        schema.upgrade(bare_store, revision)
        assert schema.current(bare_store) == revision
    assert schema.current(bare_store) == schema.newest()


def test_what_was_claimed_is_queued_again(bare_store: Store) -> None:
    schema.upgrade(bare_store, "0002")
    with bare_store.engine.begin() as connection:
        for statement in _ONE_CLAIMED:
            connection.exec_driver_sql(statement)
    schema.upgrade(bare_store)
    with bare_store.engine.connect() as connection:
        (found,) = connection.exec_driver_sql("SELECT state, worker, lease_until FROM delivery")
    assert tuple(found) == ("queued", "", None)


def test_an_issue_that_was_approved_before_editions_stays_as_it_was(bare_store: Store) -> None:
    schema.upgrade(bare_store, "0003")
    before = Variant("en", "Strike", "<p>x</p>", "x")
    hash_ = content_hash((before,))
    with bare_store.engine.begin() as connection:
        connection.exec_driver_sql(_ONE_CLAIMED[0].replace("'x', 'x'", f"'{hash_}', '{hash_}'"))
        connection.exec_driver_sql(_ONE_VARIANT.replace("HASH", before.hash))
    schema.upgrade(bare_store)
    with bare_store.reading() as tx:
        issue = issues.find(tx, "w47")
        assert issue is not None and issue.is_approved
        assert issue.flags == issues.PLAIN
        assert issues.variants(tx, issue.id) == (before,)
        assert content_hash(issues.variants(tx, issue.id)) == issue.content_hash


def test_a_state_that_is_none_is_refused(bare_store: Store) -> None:
    schema.upgrade(bare_store)
    with bare_store.engine.begin() as connection:
        for statement in _ONE_CLAIMED[:-1]:
            connection.exec_driver_sql(statement)
    with pytest.raises(IntegrityError), bare_store.engine.begin() as connection:
        connection.exec_driver_sql(_ONE_CLAIMED[-1].replace("claimed", "nonsense"))


def test_events_and_suppressions_are_kept_when_their_words_change(bare_store: Store) -> None:
    schema.upgrade(bare_store, "0006")
    with bare_store.engine.begin() as connection:
        connection.exec_driver_sql(_ONE_SUPPRESSED.replace("REASON", "dead"))
        connection.exec_driver_sql(_ONE_EVENT)
    schema.upgrade(bare_store)
    with bare_store.engine.begin() as connection:
        assert [*connection.exec_driver_sql("SELECT reason FROM suppression")] == [("dead",)]
        assert [*connection.exec_driver_sql("SELECT kind, text FROM event")] == [("left", "x")]
        connection.exec_driver_sql(
            _ONE_SUPPRESSED.replace("'key'", "'k'").replace("REASON", "shared")
        )
    for bad in (
        _ONE_SUPPRESSED.replace("'key'", "'k3'").replace("REASON", "nonsense"),
        _ONE_EVENT.replace("'left'", "'nonsense'"),
    ):
        with pytest.raises(IntegrityError), bare_store.engine.begin() as connection:
            connection.exec_driver_sql(bad)


def test_what_0007_gave_to_events_outlasts_every_later_version(bare_store: Store) -> None:
    schema.upgrade(bare_store, "0002")
    with bare_store.engine.begin() as connection:
        for statement in _ONE_CLAIMED:
            connection.exec_driver_sql(statement)
        connection.exec_driver_sql(_ONE_EVENT)
    schema.upgrade(bare_store, "0007")
    with bare_store.engine.begin() as connection:
        connection.exec_driver_sql(_JUDGED)
    for revision in _revisions()[_revisions().index("0007") :]:
        schema.upgrade(bare_store, revision)
        with bare_store.engine.begin() as connection:
            found = connection.exec_driver_sql(
                "SELECT kind, category, counts, inbound_id, delivery_id FROM event ORDER BY id"
            )
            first, second = found
            assert (first[0], first[1], bool(first[2]), *first[3:]) == (
                "left",
                "",
                True,
                None,
                None,
            )
            assert (second[0], second[1], bool(second[2]), *second[3:]) == (
                "bounced", "dead", False, 7, 1,
            )  # fmt: skip
            indexes = {one["name"]: one for one in inspect(connection).get_indexes("event")}
            assert indexes["ix_event_inbound_id"]["column_names"] == ["inbound_id"]
            options = str(
                [str(one) for one in indexes["ix_event_unjudged"]["dialect_options"].values()]
            )
            assert "category" in options and "refused" in options and "expired" in options
        with pytest.raises(IntegrityError), bare_store.engine.begin() as connection:
            connection.exec_driver_sql(_ONE_EVENT.replace("'left'", "'nonsense'"))
        for word in ("delayed", "auto-replied", "challenged", "replied", "paused", "stopped"):
            with bare_store.engine.connect() as connection:  # taken, and rolled back
                connection.exec_driver_sql(_ONE_EVENT.replace("'left'", f"'{word}'"))


_JUDGED = (
    "INSERT INTO event (kind, at, delivery_id, provider, code, enhanced, text, relay, category,"
    " counts, inbound_id) VALUES ('bounced', '2026-11-24 11:00:00', 1, '', 550, '5.1.1', 'y', '',"
    " 'dead', '0', 7)"
)
_ONE_SUPPRESSED = (
    "INSERT INTO suppression (address_key, list_id, reason, evidence, at)"
    " VALUES ('key', '', 'REASON', '', '2026-11-24 10:00:00')"
)
_ONE_EVENT = (
    "INSERT INTO event (kind, at, provider, code, enhanced, text, relay)"
    " VALUES ('left', '2026-11-24 10:00:00', '', 0, '', 'x', '')"
)
_ONE_VARIANT = (
    "INSERT INTO variant (id, issue_id, language, edition, subject, html, text, hash)"
    " VALUES (1, 1, 'en', 'full', 'Strike', '<p>x</p>', 'x', 'HASH')"
)
_ONE_CLAIMED = (
    "INSERT INTO issue (id, name, list_id, state, content_hash, approved_hash, created_at)"
    " VALUES (1, 'w47', 'bulletin', 'approved', 'x', 'x', '2026-11-24 10:00:00')",
    "INSERT INTO dispatch (id, issue_id, list_id, segment, exclude, priority, state, held_why,"
    " left_out, created_at)"
    " VALUES (1, 1, 'bulletin', 'unions', '', 0, 'sending', '', '{}', '2026-11-24 10:00:00')",
    "INSERT INTO delivery (id, issue_id, dispatch_id, address_key, language, edition, state, reason,"
    " attempts, queued_at, next_at, worker, lease_until, last_code, last_enhanced, last_text, relay)"
    " VALUES (1, 1, 1, 'key', 'en', 'full', 'claimed', '', 0, '2026-11-24 10:00:00',"
    " '2026-11-24 10:00:00', 'dead', '2026-11-24 10:02:00', 0, '', '', '')",
)


def _is_checked(what: Any, _name: str, kind: str, *_: object) -> bool:
    """Whether PostgreSQL is to have a foreign key, too (docs/adr/0029, 0031)."""
    if kind != "foreign_key_constraint":
        return True
    return all(one.info != UNCHECKED for one in getattr(what, "elements", ()))


def test_migrations_end_in_the_tables_of_the_code(bare_store: Store) -> None:
    schema.upgrade(bare_store)
    with bare_store.engine.connect() as connection:
        checked: dict[str, Any] = {"compare_type": True}
        if not bare_store.is_sqlite:
            checked["include_object"] = _is_checked
        context = MigrationContext.configure(connection, opts=checked)
        assert compare_metadata(context, metadata) == []


def test_a_key_made_to_hold_later_takes_no_row_along(bare_store: Store) -> None:
    schema.upgrade(bare_store, "0011")
    fill(bare_store, metadata, random.Random(12))
    with bare_store.engine.begin() as connection:
        # The last one is gone again: their number must not be given to the next.
        last = connection.execute(select(func.max(SUBSCRIPTION.c.id))).scalar_one()
        connection.execute(delete(SUBSCRIPTION).where(SUBSCRIPTION.c.id == last))
    before = content(bare_store, metadata)
    assert before["merged_token"] and before["subscription"] and before["import_person"]
    schema.upgrade(bare_store)
    assert content(bare_store, metadata) == before
    if bare_store.is_sqlite:
        with bare_store.engine.connect() as connection:
            numbered = dict(
                tuple(row) for row in connection.exec_driver_sql("SELECT * FROM sqlite_sequence")
            )
        assert numbered["subscription"] >= last
        assert not [name for name in numbered if name.startswith("new_")]
    with pytest.raises(IntegrityError), bare_store.engine.begin() as late:
        late.execute(insert(SUBSCRIBER_TAG).values(subscriber_id=987654, tag="of nobody"))
        assert late.execute(select(SUBSCRIBER_TAG)).first() is not None, "it is looked at later"


def test_upgrading_twice_changes_nothing(bare_store: Store) -> None:
    schema.upgrade(bare_store)
    schema.upgrade(bare_store)
    schema.require_newest(bare_store)


def test_a_store_without_tables_is_refused(bare_store: Store) -> None:
    with pytest.raises(MailoutError, match="mailout db upgrade"):
        schema.require_newest(bare_store)


def test_a_newer_store_is_refused(store: Store) -> None:
    with store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(MailoutError, match="9999, which is newer"):
        schema.require_newest(store)


def test_an_older_store_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "newest", lambda: "9000")
    with pytest.raises(MailoutError, match=r"version \d{4}, this mailout needs 9000.*db upgrade"):
        schema.require_newest(store)
