"""What lists are narrowed by, steps of groups, and unpaid orders; their topics are read again."""

from alembic import op
from sqlalchemy import BigInteger, Column, text

from services.storefront.readmodel.tables import WORD

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_OFFERED = text("withdrawn_at IS NULL")
_UNPAID = text("unpaid = 1")
_NEARLY_AUCTION = text("reservations < minimum AND reservations * 5 >= minimum * 4")
_NEARLY_GROUP = text("quantity < number AND quantity * 5 >= number * 4")
#: Columns of texts by table.
_TEXTS = {
    "auctions": ("category", "tags"),
    "groups": ("category", "tags", "shop_id", "ladder", "if_incomplete"),
    "definitions": ("category", "tags"),
}
_NUMBERS = (("groups", "value"), ("payments", "unpaid"))
#: Indices by table: name, columns, and the rows that they are of.
_INDICES: dict[str, tuple[tuple[str, list[str], object], ...]] = {
    "auctions": (
        ("auctions_of_category", ["status", "category", "auction_id"], None),
        ("auctions_by_price", ["status", "currency", "unit_price", "auction_id"], None),
        ("auctions_nearly_there", ["status", "auction_id"], _NEARLY_AUCTION),
    ),
    "groups": (
        ("groups_of_shop", ["visibility", "status", "shop_id", "group_id"], None),
        ("groups_of_category", ["visibility", "status", "category", "group_id"], None),
        (
            "groups_by_price",
            ["visibility", "status", "currency", "unit_price", "group_id"],
            None,
        ),
        ("groups_nearly_there", ["visibility", "status", "group_id"], _NEARLY_GROUP),
    ),
    "payments": (("payments_unpaid", ["group_id"], _UNPAID),),
    "definitions": (
        ("definitions_open_of_shop", ["shop_id", "definition_id"], _OFFERED),
        ("definitions_of_category", ["category", "definition_id"], _OFFERED),
        ("definitions_by_price", ["currency", "unit_price", "definition_id"], _OFFERED),
    ),
}
_TOPICS = ("auctions", "group-purchases", "purchases", "definitions", "payments")


def upgrade() -> None:
    """Add columns and indices; what is read once more changes nothing else."""
    for table, names in _TEXTS.items():
        for name in names:
            op.add_column(table, Column(name, WORD))
    for table, name in _NUMBERS:
        op.add_column(table, Column(name, BigInteger, nullable=False, server_default=text("0")))
    for table, indices in _INDICES.items():
        for name, columns, of in indices:
            op.create_index(name, table, columns, sqlite_where=of, postgresql_where=of)
    for topic in _TOPICS:
        op.execute(f"DELETE FROM positions WHERE topic = '{topic}'")


def downgrade() -> None:
    """Drop them."""
    for table, indices in _INDICES.items():
        for name, *_ in indices:
            op.drop_index(name, table)
    for table, name in _NUMBERS:
        op.drop_column(table, name)
    for table, names in _TEXTS.items():
        for name in names:
            op.drop_column(table, name)
