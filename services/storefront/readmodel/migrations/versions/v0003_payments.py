"""Payments of one payer, and invoices by their numbers; the topic is read again for them."""

from alembic import op
from sqlalchemy import BigInteger, Column, PrimaryKeyConstraint

from services.storefront.readmodel.tables import WORD

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; what is read once more changes nothing else."""
    op.create_table(
        "payments",
        Column("group_id", WORD, nullable=False),
        Column("payment_id", WORD, nullable=False),
        Column("payer", WORD, nullable=False),
        Column("begun_at", BigInteger, nullable=False),
        Column("number", WORD),
        Column("version", BigInteger, nullable=False),
        PrimaryKeyConstraint("group_id", "payment_id"),
    )
    op.create_index("payments_by_id", "payments", ["payment_id"])
    op.create_index("payments_by_number", "payments", ["number"])
    op.create_index(
        "payments_of_payer", "payments", ["group_id", "payer", "begun_at", "payment_id"]
    )
    op.execute("DELETE FROM positions WHERE topic = 'payments'")


def downgrade() -> None:
    """Drop it."""
    op.drop_table("payments")
