"""Sessions that were signed out of, until their time is over."""

from alembic import op
from sqlalchemy import BigInteger, Column

from services.storefront.readmodel.tables import WORD

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "ended_sessions",
        Column("session", WORD, primary_key=True),
        Column("until", BigInteger, nullable=False),
    )
    op.create_index("ended_sessions_by_end", "ended_sessions", ["until"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("ended_sessions")
