"""What became of reservations, and which orders were confirmed, so that old links say so."""

from alembic import op
from sqlalchemy import BigInteger, Column

from services.storefront.readmodel.tables import WORD

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_COLUMNS = ("quantity", "confirmed_at", "withdrawn_at")


def upgrade() -> None:
    """Create them; of earlier reservations and orders nothing is known."""
    for name in _COLUMNS:
        op.add_column("reservations", Column(name, BigInteger))
    op.create_table(
        "confirmed_orders",
        Column("order_key", WORD, primary_key=True),
        Column("at", BigInteger, nullable=False),
    )
    op.create_index("confirmed_orders_by_age", "confirmed_orders", ["at"])


def downgrade() -> None:
    """Drop them; what was withdrawn goes, as before."""
    op.drop_table("confirmed_orders")
    op.execute("DELETE FROM reservations WHERE withdrawn_at IS NOT NULL")
    for name in _COLUMNS:
        op.drop_column("reservations", name)
