"""Figures of the business: what is held and owed, and what auctions saved."""

from alembic import op
from sqlalchemy import BigInteger, Column, PrimaryKeyConstraint, text

from services.storefront.readmodel.tables import WORD

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_WORDS = ("kind", "method", "status", "currency")
_NUMBERS = ("told_at", "held", "owed")
_INDEXES = {
    "payments_pending": (["method", "kind", "told_at"], "status = 'pending'"),
    "payments_held": (["currency", "held"], "held <> 0"),
    "payments_owed": (["currency", "group_id", "payer", "owed"], "owed <> 0"),
}


def upgrade() -> None:
    """Add what is missing; the facts of both topics are read once more, which fills it."""
    op.create_table(
        "takeovers",
        Column("auction_id", WORD, nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("unit_saved", BigInteger, nullable=False),
        PrimaryKeyConstraint("auction_id", "version"),
    )
    for name in _WORDS:
        op.add_column("payments", Column(name, WORD, nullable=False, server_default=text("''")))
    for name in _NUMBERS:
        op.add_column(
            "payments", Column(name, BigInteger, nullable=False, server_default=text("0"))
        )
    for name, (columns, condition) in _INDEXES.items():
        where = text(condition)
        op.create_index(name, "payments", columns, sqlite_where=where, postgresql_where=where)
    op.execute("DELETE FROM positions WHERE topic IN ('payments', 'auctions')")


def downgrade() -> None:
    """Drop it."""
    for name in _INDEXES:
        op.drop_index(name, "payments")
    for name in (*_NUMBERS, *_WORDS):
        op.drop_column("payments", name)
    op.drop_table("takeovers")
