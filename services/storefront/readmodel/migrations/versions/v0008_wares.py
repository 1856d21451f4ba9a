"""Pictures, and the first picture of what lists show."""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, LargeBinary

from services.storefront.readmodel.tables import WORD

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them; the topics that fill them are read again."""
    op.create_table(
        "images",
        Column("image_id", WORD, primary_key=True),
        Column("media_type", WORD, nullable=False),
        Column("width", Integer, nullable=False),
        Column("height", Integer, nullable=False),
        Column("data", LargeBinary, nullable=False),
        Column("version", BigInteger, nullable=False),
    )
    for table in ("auctions", "groups", "definitions"):
        op.add_column(table, Column("image_id", WORD))
    op.execute(
        "DELETE FROM positions"
        " WHERE topic IN ('images', 'auctions', 'group-purchases', 'definitions')"
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("auctions", "groups", "definitions"):
        op.drop_column(table, "image_id")
    op.drop_table("images")
