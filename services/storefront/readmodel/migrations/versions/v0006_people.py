"""Addresses and names are facts of ``people`` alone: older facts, which had them, are dropped."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_READ_MODEL = (
    *("positions", "facts", "auctions", "groups", "definitions", "offers", "payments", "todos"),
    "search",
)


def upgrade() -> None:
    """Empty the tables; the topics are read again."""
    for table in _READ_MODEL:
        op.execute(f"DELETE FROM {table}")


def downgrade() -> None:
    """Empty them again, for facts in the earlier form."""
    upgrade()
