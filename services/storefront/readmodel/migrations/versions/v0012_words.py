"""Lists are searched by category, tags and who sells, too; their topics are read again."""

from alembic import op
from sqlalchemy import BigInteger, Column

from services.storefront.readmodel.tables import WORD

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what is missing; facts that are there are read once more, which finds their words."""
    op.create_table(
        "shops",
        Column("shop_id", WORD, primary_key=True),
        Column("version", BigInteger, nullable=False),
        Column("words", WORD, nullable=False),
    )
    op.add_column("groups", Column("seller_id", WORD))
    op.create_index("groups_of_seller", "groups", ["seller_id", "group_id"])
    op.create_index("auctions_of_shown_seller", "auctions", ["shown_seller_id", "auction_id"])
    op.execute("DELETE FROM positions")


def downgrade() -> None:
    """Drop it."""
    op.drop_index("auctions_of_shown_seller", "auctions")
    op.drop_index("groups_of_seller", "groups")
    op.drop_column("groups", "seller_id")
    op.drop_table("shops")
