"""The read model as it began."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_WORD = sa.String().with_variant(sa.TEXT(collation="C"), "postgresql")


def _words(*names: str, **options: Any) -> list[sa.Column[Any]]:
    return [sa.Column(name, _WORD, **{"nullable": False, **options}) for name in names]


def _numbers(*names: str, **options: Any) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.BigInteger(), **{"nullable": False, **options}) for name in names]


def _missing(wanted: str, there: str) -> sa.Column[Any]:
    up_to = f"CASE WHEN {wanted} > {there} THEN {wanted} - {there} ELSE 0 END"
    return sa.Column("missing", sa.BigInteger(), sa.Computed(up_to, persisted=True))


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "positions",
        *_words("topic"),
        sa.Column("partition", sa.Integer(), nullable=False),
        *_numbers("next_offset"),
        sa.PrimaryKeyConstraint("topic", "partition"),
    )
    op.create_table("origin", *_words("cluster_id"), sa.PrimaryKeyConstraint("cluster_id"))
    op.create_table(
        "facts",
        *_words("topic", "key", "subject", "kind"),
        *_numbers("version", "at"),
        *_words("value"),
        sa.PrimaryKeyConstraint("topic", "key"),
    )
    op.create_index("facts_of_subject", "facts", ["subject", "kind", "key"])
    _make_auctions()
    _make_groups()
    _make_definitions()
    op.create_table(
        "search",
        *_words("kind", "term", "subject"),
        sa.PrimaryKeyConstraint("kind", "term", "subject"),
        sqlite_with_rowid=False,
    )
    op.create_index("search_of_subject", "search", ["kind", "subject", "term"])


def _make_auctions() -> None:
    op.create_table(
        "auctions",
        *_words("auction_id", "product_name", "status", "currency"),
        *_numbers("unit_price", "minimum", "reservations"),
        _missing("minimum", "reservations"),
        *_numbers("applicants"),
        *_words("shown_seller_id", "opened_by"),
        *_numbers("opened_at", "closes_at", "version"),
        *_words("group_request_id", "words", nullable=True),
        sa.PrimaryKeyConstraint("auction_id"),
    )
    op.create_index("auctions_by_end", "auctions", ["status", "closes_at", "auction_id"])
    op.create_index(
        "auctions_by_missing", "auctions", ["status", "missing", "closes_at", "auction_id"]
    )
    op.create_index("auctions_of_seller", "auctions", ["opened_by", "closes_at", "auction_id"])
    op.create_table(
        "offers",
        *_words("auction_id", "offer_id", "seller_id", "verdict", "reason"),
        *_numbers("judged_at", "version"),
        sa.PrimaryKeyConstraint("auction_id", "offer_id"),
    )
    op.create_index(
        "offers_of_seller", "offers", ["seller_id", "judged_at", "auction_id", "offer_id"]
    )


def _make_groups() -> None:
    terms = ["request_id", "definition_id", "organizer_id", "product_name", "visibility"]
    op.create_table(
        "groups",
        *_words("group_id"),
        *_words(*terms, "currency", nullable=True),
        *_numbers("unit_price", "number", "opens_at", "closes_at", nullable=True),
        *_numbers("terms_version", server_default=sa.text("0")),
        *_words("status", server_default=sa.text("'open'")),
        *_numbers("quantity", "members", "state_version", server_default=sa.text("0")),
        _missing("number", "quantity"),
        *_words("words", nullable=True),
        sa.PrimaryKeyConstraint("group_id"),
    )
    op.create_index("groups_by_end", "groups", ["visibility", "status", "closes_at", "group_id"])
    op.create_index(
        "groups_by_missing",
        "groups",
        ["visibility", "status", "missing", "closes_at", "group_id"],
    )
    op.create_index(
        "groups_of_organizer", "groups", ["organizer_id", "visibility", "closes_at", "group_id"]
    )


def _make_definitions() -> None:
    op.create_table(
        "definitions",
        *_words("definition_id", "shop_id", "product_name", "currency"),
        *_numbers("unit_price", "published_at"),
        *_numbers("withdrawn_at", nullable=True),
        *_numbers("version"),
        *_words("words", nullable=True),
        sa.PrimaryKeyConstraint("definition_id"),
    )
    op.create_index(
        "definitions_open",
        "definitions",
        ["published_at", "definition_id"],
        sqlite_where=sa.text("withdrawn_at IS NULL"),
        postgresql_where=sa.text("withdrawn_at IS NULL"),
    )
    op.create_index(
        "definitions_of_shop", "definitions", ["shop_id", "published_at", "definition_id"]
    )


def downgrade() -> None:
    """Drop every table; the topics have it all."""
    tables = ["positions", "origin", "facts", "auctions", "offers", "groups", "definitions"]
    for table in [*tables, "search"]:
        op.drop_table(table)
