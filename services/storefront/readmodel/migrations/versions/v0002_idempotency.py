"""What was asked for under which ``Idempotency-Key``."""

from alembic import op
from sqlalchemy import BigInteger, Column

from services.storefront.readmodel.tables import WORD

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "idempotency",
        Column("key", WORD, primary_key=True),
        Column("fingerprint", WORD, nullable=False),
        Column("at", BigInteger, nullable=False),
    )
    op.create_index("idempotency_by_age", "idempotency", ["at"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("idempotency")
