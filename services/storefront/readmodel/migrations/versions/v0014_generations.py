"""The read model leaves: each generation has tables of its own beside these."""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, text

from services.storefront.readmodel.tables import WORD

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_READ_MODEL = (
    *("positions", "origin", "facts", "auctions", "groups", "definitions", "offers", "payments"),
    *("todos", "takeovers", "sellers", "shops", "api_keys", "letters", "images", "search"),
)


def upgrade() -> None:
    """Make the list of generations, and drop a read model that was never filled.

    Storefronts of the release before read a filled one, until projectors drop it.
    """
    op.create_table(
        "read_models",
        Column("generation", Integer, primary_key=True, autoincrement=False),
        Column("model", Integer, nullable=False),
        Column("state", WORD, nullable=False),
        Column("since", BigInteger, nullable=False),
    )
    if op.get_bind().execute(text("SELECT 1 FROM origin")).first() is None:
        for table in _READ_MODEL:
            op.drop_table(table)


def downgrade() -> None:
    """Drop the list; the release before needs its read model, as long as it is there."""
    op.drop_table("read_models")
