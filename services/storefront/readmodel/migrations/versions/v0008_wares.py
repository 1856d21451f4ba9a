"""Pictures, the first picture of what lists show, and the shop of a group."""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, LargeBinary

from services.storefront.readmodel.tables import WORD

revision = "0008"
down_revision = "0006"
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
    op.add_column("groups", Column("shop_id", WORD))
    op.create_index(
        "groups_of_shop", "groups", ["shop_id", "visibility", "status", "closes_at", "group_id"]
    )
    op.execute(
        "DELETE FROM positions"
        " WHERE topic IN ('images', 'auctions', 'group-purchases', 'definitions')"
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_index("groups_of_shop", "groups")
    op.drop_column("groups", "shop_id")
    for table in ("auctions", "groups", "definitions"):
        op.drop_column(table, "image_id")
    op.drop_table("images")
