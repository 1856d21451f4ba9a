"""Whose facts are, and who reserved, so that people can have their links again."""

from alembic import op
from sqlalchemy import BigInteger, Column, text

from services.storefront.readmodel.tables import WORD

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_TOPICS = "'people', 'group-purchases', 'purchases'"


def upgrade() -> None:
    """Create both; the topics that name holders are read again."""
    op.add_column("facts", Column("holder", WORD))
    where = text("holder IS NOT NULL")
    op.create_index(
        "facts_of_holder", "facts", ["holder", "kind"], sqlite_where=where, postgresql_where=where
    )
    op.create_table(
        "reservations",
        Column("application_id", WORD, primary_key=True),
        Column("auction_id", WORD, nullable=False),
        Column("person_id", WORD, nullable=False),
        Column("at", BigInteger, nullable=False),
    )
    op.create_index("reservations_of_person", "reservations", ["person_id", "at"])
    op.create_index("reservations_by_age", "reservations", ["at"])
    op.execute(f"DELETE FROM positions WHERE topic IN ({_TOPICS})")


def downgrade() -> None:
    """Drop both."""
    op.drop_table("reservations")
    op.drop_index("facts_of_holder", "facts")
    op.drop_column("facts", "holder")
