"""Lists for the admin: sellers, keys, letters; what decided each fact."""

from alembic import op
from sqlalchemy import BigInteger, Column, PrimaryKeyConstraint

from services.storefront.readmodel.tables import WORD

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_TABLES = ("sellers", "api_keys", "letters")


def upgrade() -> None:
    """Create the tables; all topics are read again, which changes no row that is there."""
    op.add_column("facts", Column("rule", WORD))
    op.add_column("facts", Column("cause", WORD))
    op.create_table(
        "sellers",
        Column("seller_id", WORD, primary_key=True),
        Column("name", WORD, nullable=False),
        Column("standing", WORD, nullable=False),
        Column("registered_at", BigInteger, nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("words", WORD, nullable=False),
    )
    op.create_table(
        "api_keys",
        Column("key_id", WORD, primary_key=True),
        Column("role", WORD, nullable=False),
        Column("holder_id", WORD, nullable=False),
        Column("issued_at", BigInteger, nullable=False),
        Column("revoked_at", BigInteger),
        Column("version", BigInteger, nullable=False),
    )
    op.create_table(
        "letters",
        Column("recipient_id", WORD, nullable=False),
        Column("notice_id", WORD, nullable=False),
        Column("kind", WORD, nullable=False),
        Column("about", WORD, nullable=False),
        Column("state", WORD, nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("version", BigInteger, nullable=False),
        PrimaryKeyConstraint("recipient_id", "notice_id"),
    )
    for name, table, columns in (
        ("sellers_by_standing", "sellers", ["standing", "registered_at", "seller_id"]),
        ("api_keys_of_holder", "api_keys", ["role", "holder_id", "issued_at", "key_id"]),
        ("letters_by_state", "letters", ["state", "at", "recipient_id", "notice_id"]),
        ("letters_of_about", "letters", ["about", "at", "recipient_id", "notice_id"]),
        ("letters_by_notice", "letters", ["notice_id"]),
        ("groups_of_any_status", "groups", ["visibility", "closes_at", "group_id"]),
        ("auctions_of_any_status", "auctions", ["closes_at", "auction_id"]),
    ):
        op.create_index(name, table, columns)
    op.execute("DELETE FROM positions")


def downgrade() -> None:
    """Drop them."""
    op.drop_index("groups_of_any_status", "groups")
    op.drop_index("auctions_of_any_status", "auctions")
    for table in _TABLES:
        op.drop_table(table)
    for column in ("rule", "cause"):
        op.drop_column("facts", column)
