"""The first tables."""

import sqlalchemy as sa
from alembic import op

from mailout.store.columns import UtcTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "consent",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("list_id", sa.String(), nullable=False),
        sa.Column("number", BIG, nullable=False),
        sa.Column("subscriber_id", BIG, nullable=False),
        sa.Column("address_key", sa.String(), nullable=False),
        sa.Column(
            "action",
            sa.Enum(
                "imported",
                "added",
                "joined",
                "confirmed",
                "left",
                "returned",
                "erased",
                name="action",
                native_enum=False,
                create_constraint=True,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("wording", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("previous", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent")),
        sa.UniqueConstraint("list_id", "number", name=op.f("uq_consent_list_id_number")),
    )
    op.create_index(op.f("ix_consent_subscriber_id"), "consent", ["subscriber_id"])

    op.create_table(
        "issue",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("list_id", sa.String(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "draft",
                "compiled",
                "approved",
                "sent",
                "cancelled",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("content_hash", sa.String(), nullable=False),
        sa.Column("approved_hash", sa.String(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("compiled_at", UtcTime(), nullable=True),
        sa.Column("approved_at", UtcTime(), nullable=True),
        sa.Column("sent_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issue")),
        sa.UniqueConstraint("name", name=op.f("uq_issue_name")),
    )
    op.create_index(op.f("ix_issue_list_id"), "issue", ["list_id"])

    op.create_table(
        "subscriber",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("address_key", sa.String(), nullable=False),
        sa.Column("domain", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("country", sa.String(), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("bounce_paused_at", UtcTime(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriber")),
        sa.UniqueConstraint("address_key", name=op.f("uq_subscriber_address_key")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_subscriber_country"), "subscriber", ["country"])
    op.create_index(op.f("ix_subscriber_domain"), "subscriber", ["domain"])
    op.create_index(op.f("ix_subscriber_language"), "subscriber", ["language"])

    op.create_table(
        "suppression",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("address_key", sa.String(), nullable=False),
        sa.Column("list_id", sa.String(), nullable=False),
        sa.Column(
            "reason",
            sa.Enum(
                "by hand",
                "dead",
                "complained",
                "erased",
                name="reason",
                native_enum=False,
                create_constraint=True,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("evidence", sa.String(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppression")),
        sa.UniqueConstraint(
            "address_key", "list_id", name=op.f("uq_suppression_address_key_list_id")
        ),
    )
    op.create_table(
        "dispatch",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("issue_id", BIG, nullable=False),
        sa.Column("list_id", sa.String(), nullable=False),
        sa.Column("segment", sa.String(), nullable=False),
        sa.Column("exclude", sa.String(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "queued",
                "sending",
                "paused",
                "held",
                "done",
                "cancelled",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("held_why", sa.String(), nullable=False),
        sa.Column("left_out", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["issue_id"], ["issue.id"], name=op.f("fk_dispatch_issue_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispatch")),
    )
    op.create_index("ix_dispatch_issue_id_segment", "dispatch", ["issue_id", "segment"])

    op.create_table(
        "issue_post",
        sa.Column("issue_id", BIG, nullable=False),
        sa.Column("post_key", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["issue_id"], ["issue.id"], name=op.f("fk_issue_post_issue_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("issue_id", "post_key", name=op.f("pk_issue_post")),
    )
    op.create_index(op.f("ix_issue_post_post_key"), "issue_post", ["post_key"])

    op.create_table(
        "subscriber_tag",
        sa.Column("subscriber_id", BIG, nullable=False),
        sa.Column("tag", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscriber.id"],
            name=op.f("fk_subscriber_tag_subscriber_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("subscriber_id", "tag", name=op.f("pk_subscriber_tag")),
    )
    op.create_index(
        "ix_subscriber_tag_tag_subscriber_id", "subscriber_tag", ["tag", "subscriber_id"]
    )

    op.create_table(
        "subscription",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("subscriber_id", BIG, nullable=False),
        sa.Column("list_id", sa.String(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "pending",
                "active",
                "paused",
                "unsubscribed",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("joined_at", UtcTime(), nullable=False),
        sa.Column("changed_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscriber.id"],
            name=op.f("fk_subscription_subscriber_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription")),
        sa.UniqueConstraint(
            "subscriber_id", "list_id", name=op.f("uq_subscription_subscriber_id_list_id")
        ),
        sa.UniqueConstraint("token", name=op.f("uq_subscription_token")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_subscription_list_id_state", "subscription", ["list_id", "state"])

    op.create_table(
        "variant",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("issue_id", BIG, nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("edition", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("html", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["issue_id"], ["issue.id"], name=op.f("fk_variant_issue_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_variant")),
        sa.UniqueConstraint(
            "issue_id", "language", "edition", name=op.f("uq_variant_issue_id_language_edition")
        ),
    )
    op.create_table(
        "delivery",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("issue_id", BIG, nullable=False),
        sa.Column("dispatch_id", BIG, nullable=False),
        sa.Column("subscriber_id", BIG, nullable=True),
        sa.Column("address_key", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("edition", sa.String(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "queued",
                "claimed",
                "sending",
                "accepted",
                "refused",
                "expired",
                "skipped",
                "unknown",
                "cancelled",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("queued_at", UtcTime(), nullable=False),
        sa.Column("next_at", UtcTime(), nullable=False),
        sa.Column("worker", sa.String(), nullable=False),
        sa.Column("lease_until", UtcTime(), nullable=True),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.Column("last_code", sa.Integer(), nullable=False),
        sa.Column("last_enhanced", sa.String(), nullable=False),
        sa.Column("last_text", sa.String(), nullable=False),
        sa.Column("relay", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dispatch_id"],
            ["dispatch.id"],
            name=op.f("fk_delivery_dispatch_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["issue_id"], ["issue.id"], name=op.f("fk_delivery_issue_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscriber.id"],
            name=op.f("fk_delivery_subscriber_id"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint(
            "issue_id", "address_key", name=op.f("uq_delivery_issue_id_address_key")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_delivery_queued",
        "delivery",
        ["dispatch_id", "id"],
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "ix_delivery_held",
        "delivery",
        ["worker"],
        sqlite_where=sa.text("worker <> ''"),
        postgresql_where=sa.text("worker <> ''"),
    )
    op.create_index("ix_delivery_subscriber_id", "delivery", ["subscriber_id"])

    op.create_table(
        "event",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "deferred",
                "refused",
                "unknown",
                "expired",
                "bounced",
                "complained",
                "left",
                "returned",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("delivery_id", BIG, nullable=True),
        sa.Column("issue_id", BIG, nullable=True),
        sa.Column("subscriber_id", BIG, nullable=True),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("code", sa.Integer(), nullable=False),
        sa.Column("enhanced", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("relay", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["delivery.id"], name=op.f("fk_event_delivery_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["issue_id"], ["issue.id"], name=op.f("fk_event_issue_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscriber.id"],
            name=op.f("fk_event_subscriber_id"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
    )
    op.create_index(op.f("ix_event_delivery_id"), "event", ["delivery_id"])
    op.create_index(op.f("ix_event_issue_id"), "event", ["issue_id"])
    op.create_index("ix_event_kind_at", "event", ["kind", "at"])
    op.create_index(op.f("ix_event_subscriber_id"), "event", ["subscriber_id"])


def downgrade() -> None:

    op.drop_table("event")
    op.drop_table("delivery")
    op.drop_table("variant")
    op.drop_table("subscription")
    op.drop_table("subscriber_tag")
    op.drop_table("issue_post")
    op.drop_table("dispatch")
    op.drop_table("suppression")
    op.drop_table("subscriber")
    op.drop_table("issue")
    op.drop_table("consent")
