"""The table of tasks for people; topics that may add to it are read again."""

from alembic import op
from sqlalchemy import BigInteger, Column, PrimaryKeyConstraint, text

from services.storefront.readmodel.tables import WORD

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; reading the topics again changes nothing else."""
    op.create_table(
        "todos",
        Column("topic", WORD, nullable=False),
        Column("key", WORD, nullable=False),
        Column("kind", WORD, nullable=False),
        Column("group_id", WORD),
        Column("owner", WORD),
        Column("since", BigInteger, nullable=False),
        Column("done_at", BigInteger),
        Column("version", BigInteger, nullable=False),
        PrimaryKeyConstraint("topic", "key"),
    )
    for name, columns, where in (
        ("todos_open", ["kind", "since", "topic", "key"], "done_at IS NULL"),
        ("todos_of_owner", ["owner", "kind", "since", "topic", "key"], "done_at IS NULL"),
        ("todos_of_nobody_yet", ["group_id"], "owner IS NULL"),
    ):
        op.create_index(
            name, "todos", columns, sqlite_where=text(where), postgresql_where=text(where)
        )
    op.execute("DELETE FROM positions WHERE topic IN ('payments', 'deliveries', 'tasks')")


def downgrade() -> None:
    """Drop it."""
    op.drop_table("todos")
