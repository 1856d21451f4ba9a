"""The read model's tables, for SQLite and PostgreSQL alike; times are epoch milliseconds.

A change of them, or of what is written to them, needs another ``MODEL``: then projectors build a
new generation beside the one that pages show. The storefront's own tables need a migration.

Lists are ranges of an index, in its order; texts compare by their bytes in both databases.
"""

from typing import Final

from sqlalchemy import (
    TEXT,
    BigInteger,
    Column,
    Computed,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    TextClause,
    text,
)

METADATA = MetaData()

#: The version of the read model's tables, and of what projectors put there.
MODEL: Final = 1

#: Ids, keys and words: PostgreSQL's own collations neither sort as Kafka's keys do nor let an
#: index answer "begins with".
WORD = String().with_variant(TEXT(collation="C"), "postgresql")

#: Nothing is written behind a position that is closed: a newer generation takes over there.
POSITIONS = Table(
    "positions",
    METADATA,
    Column("topic", WORD, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("next_offset", BigInteger, nullable=False),
    Column("is_closed", Integer, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("topic", "partition"),
)
#: Which log the rows are of: for another cluster's, another generation is built.
ORIGIN = Table("origin", METADATA, Column("cluster_id", WORD, primary_key=True))

#: ``holder`` is whose the fact is (see ``columns.holder_of``), NULL for most kinds.
_OF_A_HOLDER = text("holder IS NOT NULL")
FACTS = Table(
    "facts",
    METADATA,
    Column("topic", WORD, nullable=False),
    Column("key", WORD, nullable=False),
    Column("subject", WORD, nullable=False),
    Column("kind", WORD, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("value", WORD, nullable=False),
    Column("holder", WORD),
    # What decided it, by the headers of its record: the rule, and the input as a place or a clock.
    Column("rule", WORD),
    Column("cause", WORD),
    PrimaryKeyConstraint("topic", "key"),
    Index("facts_of_subject", "subject", "kind", "key"),
    Index(
        "facts_of_holder",
        *("holder", "kind"),
        sqlite_where=_OF_A_HOLDER,
        postgresql_where=_OF_A_HOLDER,
    ),
)


def _missing(wanted: str, there: str) -> Computed:
    return Computed(f"CASE WHEN {wanted} > {there} THEN {wanted} - {there} ELSE 0 END", True)


def _product() -> tuple[Column[str], ...]:
    """What lists tell of a product besides its name; ``tags`` are a line each."""
    return Column("category", WORD), Column("tags", WORD), Column("image_id", WORD)


def _nearly(wanted: str, there: str) -> TextClause:
    """Whether four fifths are there, and not all; in the words of the index of these alone."""
    return text(f"{there} < {wanted} AND {there} * 5 >= {wanted} * 4")


NEARLY_AUCTION = _nearly("minimum", "reservations")
NEARLY_GROUP = _nearly("number", "quantity")
AUCTIONS = Table(
    "auctions",
    METADATA,
    Column("auction_id", WORD, primary_key=True),
    Column("product_name", WORD, nullable=False),
    *_product(),
    Column("status", WORD, nullable=False),
    Column("currency", WORD, nullable=False),
    Column("unit_price", BigInteger, nullable=False),
    Column("minimum", BigInteger, nullable=False),
    Column("reservations", BigInteger, nullable=False),
    Column("missing", BigInteger, _missing("minimum", "reservations")),
    Column("applicants", BigInteger, nullable=False),
    Column("shown_seller_id", WORD, nullable=False),
    Column("opened_by", WORD, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("closes_at", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("group_request_id", WORD),
    Column("words", WORD),
    Index("auctions_by_end", "status", "closes_at", "auction_id"),
    Index("auctions_by_missing", "status", "missing", "closes_at", "auction_id"),
    Index("auctions_of_seller", "opened_by", "closes_at", "auction_id"),
    Index("auctions_of_shown_seller", "shown_seller_id", "auction_id"),
    Index("auctions_of_any_status", "closes_at", "auction_id"),
    Index("auctions_of_category", "status", "category", "auction_id"),
    Index("auctions_by_price", "status", "currency", "unit_price", "auction_id"),
    Index(
        "auctions_nearly_there",
        *("status", "auction_id"),
        sqlite_where=NEARLY_AUCTION,
        postgresql_where=NEARLY_AUCTION,
    ),
)
#: Terms and state come on two topics that race: either may be there first. Without terms, the
#: group is on no list.
GROUPS = Table(
    "groups",
    METADATA,
    Column("group_id", WORD, primary_key=True),
    Column("request_id", WORD),
    Column("definition_id", WORD),
    Column("organizer_id", WORD),
    Column("shop_id", WORD),
    Column("seller_id", WORD),
    Column("product_name", WORD),
    *_product(),
    Column("visibility", WORD),
    Column("currency", WORD),
    Column("unit_price", BigInteger),
    Column("number", BigInteger),
    Column("opens_at", BigInteger),
    Column("closes_at", BigInteger),
    Column("ladder", WORD),
    Column("if_incomplete", WORD),
    Column("terms_version", BigInteger, nullable=False, server_default=text("0")),
    Column("status", WORD, nullable=False, server_default=text("'open'")),
    Column("quantity", BigInteger, nullable=False, server_default=text("0")),
    Column("value", BigInteger, nullable=False, server_default=text("0")),
    Column("members", BigInteger, nullable=False, server_default=text("0")),
    Column("state_version", BigInteger, nullable=False, server_default=text("0")),
    Column("missing", BigInteger, _missing("number", "quantity")),
    Column("words", WORD),
    Index("groups_by_end", "visibility", "status", "closes_at", "group_id"),
    Index("groups_by_missing", "visibility", "status", "missing", "closes_at", "group_id"),
    Index("groups_of_organizer", "organizer_id", "visibility", "closes_at", "group_id"),
    Index("groups_of_any_status", "visibility", "closes_at", "group_id"),
    Index("groups_of_shop", "visibility", "status", "shop_id", "group_id"),
    Index("groups_of_seller", "seller_id", "group_id"),
    Index("groups_of_category", "visibility", "status", "category", "group_id"),
    Index("groups_by_price", "visibility", "status", "currency", "unit_price", "group_id"),
    Index(
        "groups_nearly_there",
        *("visibility", "status", "group_id"),
        sqlite_where=NEARLY_GROUP,
        postgresql_where=NEARLY_GROUP,
    ),
)
_OFFERED = text("withdrawn_at IS NULL")
DEFINITIONS = Table(
    "definitions",
    METADATA,
    Column("definition_id", WORD, primary_key=True),
    Column("shop_id", WORD, nullable=False),
    Column("product_name", WORD, nullable=False),
    *_product(),
    Column("currency", WORD, nullable=False),
    Column("unit_price", BigInteger, nullable=False),
    Column("published_at", BigInteger, nullable=False),
    Column("withdrawn_at", BigInteger),
    Column("version", BigInteger, nullable=False),
    Column("words", WORD),
    Index(
        "definitions_open",
        "published_at",
        "definition_id",
        sqlite_where=_OFFERED,
        postgresql_where=_OFFERED,
    ),
    Index("definitions_of_shop", "shop_id", "published_at", "definition_id"),
    Index(
        "definitions_open_of_shop",
        *("shop_id", "definition_id"),
        sqlite_where=_OFFERED,
        postgresql_where=_OFFERED,
    ),
    Index(
        "definitions_of_category",
        *("category", "definition_id"),
        sqlite_where=_OFFERED,
        postgresql_where=_OFFERED,
    ),
    Index(
        "definitions_by_price",
        *("currency", "unit_price", "definition_id"),
        sqlite_where=_OFFERED,
        postgresql_where=_OFFERED,
    ),
)
OFFERS = Table(
    "offers",
    METADATA,
    Column("auction_id", WORD, nullable=False),
    Column("offer_id", WORD, nullable=False),
    Column("seller_id", WORD, nullable=False),
    Column("verdict", WORD, nullable=False),
    Column("reason", WORD, nullable=False),
    Column("judged_at", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    PrimaryKeyConstraint("auction_id", "offer_id"),
    Index("offers_of_seller", "seller_id", "judged_at", "auction_id", "offer_id"),
)
#: The opening condition of an auction less what is shown now is the sum of its steps.
TAKEOVERS = Table(
    "takeovers",
    METADATA,
    Column("auction_id", WORD, nullable=False),
    Column("version", BigInteger, nullable=False),
    # By so much the price of a unit fell, in minor units.
    Column("unit_saved", BigInteger, nullable=False),
    PrimaryKeyConstraint("auction_id", "version"),
)
_UNPAID = text("unpaid = 1")
IS_PENDING = text("status = 'pending'")
IS_HELD = text("held <> 0")
IS_OWED = text("owed <> 0")
#: Payments of one payer, and invoices by their numbers; ``payer`` is empty for the organizer.
#: ``unpaid`` is 1 of a card payment without which an order does not count. ``told_at`` is when the
#: payment last changed. The rest is what ``domain.ledger`` books for it, in minor units: ``held``
#: by a card, ``owed`` by the payer or, below zero, to the payer.
PAYMENTS = Table(
    "payments",
    METADATA,
    Column("group_id", WORD, nullable=False),
    Column("payment_id", WORD, nullable=False),
    Column("payer", WORD, nullable=False),
    Column("begun_at", BigInteger, nullable=False),
    Column("number", WORD),
    Column("unpaid", BigInteger, nullable=False, server_default=text("0")),
    Column("kind", WORD, nullable=False, server_default=text("''")),
    Column("method", WORD, nullable=False, server_default=text("''")),
    Column("status", WORD, nullable=False, server_default=text("''")),
    Column("told_at", BigInteger, nullable=False, server_default=text("0")),
    Column("currency", WORD, nullable=False, server_default=text("''")),
    Column("held", BigInteger, nullable=False, server_default=text("0")),
    Column("owed", BigInteger, nullable=False, server_default=text("0")),
    Column("version", BigInteger, nullable=False),
    PrimaryKeyConstraint("group_id", "payment_id"),
    Index(
        "payments_pending",
        *("method", "kind", "told_at"),
        sqlite_where=IS_PENDING,
        postgresql_where=IS_PENDING,
    ),
    Index("payments_held", "currency", "held", sqlite_where=IS_HELD, postgresql_where=IS_HELD),
    Index(
        "payments_owed",
        *("currency", "group_id", "payer", "owed"),
        sqlite_where=IS_OWED,
        postgresql_where=IS_OWED,
    ),
    Index("payments_unpaid", "group_id", sqlite_where=_UNPAID, postgresql_where=_UNPAID),
    Index("payments_by_id", "payment_id"),
    Index("payments_by_number", "number"),
    Index("payments_of_payer", "group_id", "payer", "begun_at", "payment_id"),
)
#: The todos: tasks, also done ones, and payments and letters as long as they are open.
#: ``owner`` is the shop (see ``owners``), NULL while it is not known.
_OPEN = text("done_at IS NULL")
_OF_NOBODY_YET = text("owner IS NULL")
TODOS = Table(
    "todos",
    METADATA,
    Column("topic", WORD, nullable=False),
    Column("key", WORD, nullable=False),
    Column("kind", WORD, nullable=False),
    Column("group_id", WORD),
    Column("owner", WORD),
    Column("since", BigInteger, nullable=False),
    Column("done_at", BigInteger),
    Column("version", BigInteger, nullable=False),
    PrimaryKeyConstraint("topic", "key"),
    Index(
        "todos_open",
        *("kind", "since", "topic", "key"),
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    ),
    Index(
        "todos_of_owner",
        *("owner", "kind", "since", "topic", "key"),
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    ),
    Index(
        "todos_of_nobody_yet",
        "group_id",
        sqlite_where=_OF_NOBODY_YET,
        postgresql_where=_OF_NOBODY_YET,
    ),
)
#: Pictures; their facts stand nowhere else, as they are large.
IMAGES = Table(
    "images",
    METADATA,
    Column("image_id", WORD, primary_key=True),
    Column("media_type", WORD, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("version", BigInteger, nullable=False),
)
SELLERS = Table(
    "sellers",
    METADATA,
    Column("seller_id", WORD, primary_key=True),
    Column("name", WORD, nullable=False),
    Column("standing", WORD, nullable=False),
    Column("registered_at", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("words", WORD, nullable=False),
    Index("sellers_by_standing", "standing", "registered_at", "seller_id"),
)
API_KEYS = Table(
    "api_keys",
    METADATA,
    Column("key_id", WORD, primary_key=True),
    Column("role", WORD, nullable=False),
    Column("holder_id", WORD, nullable=False),
    Column("issued_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
    Column("version", BigInteger, nullable=False),
    Index("api_keys_of_holder", "role", "holder_id", "issued_at", "key_id"),
)
#: Letters name people by their ids; ``state`` is as ``columns.letter_state`` says.
LETTERS = Table(
    "letters",
    METADATA,
    Column("recipient_id", WORD, nullable=False),
    Column("notice_id", WORD, nullable=False),
    Column("kind", WORD, nullable=False),
    Column("about", WORD, nullable=False),
    Column("state", WORD, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    PrimaryKeyConstraint("recipient_id", "notice_id"),
    Index("letters_by_state", "state", "at", "recipient_id", "notice_id"),
    Index("letters_of_about", "about", "at", "recipient_id", "notice_id"),
    Index("letters_by_notice", "notice_id"),
)
#: Words of the names of shops; those of sellers are in their own rows.
SHOPS = Table(
    "shops",
    METADATA,
    Column("shop_id", WORD, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("words", WORD, nullable=False),
)
#: Words of what is said of products, and tags; ``kind`` is the table that the subject is listed in,
#: or ``unlisted`` for groups that are on no public list.
SEARCH = Table(
    "search",
    METADATA,
    Column("kind", WORD, nullable=False),
    Column("term", WORD, nullable=False),
    Column("subject", WORD, nullable=False),
    PrimaryKeyConstraint("kind", "term", "subject"),
    Index("search_of_subject", "kind", "subject", "term"),
    sqlite_with_rowid=False,
)
#: What each generation has. Those of other models delete a person by its topic and key in
#: ``facts``, and compare ``positions``: leave these columns as they are.
READ_MODEL = (
    *(POSITIONS, ORIGIN, FACTS, AUCTIONS, GROUPS, DEFINITIONS, OFFERS, PAYMENTS, TODOS),
    *(TAKEOVERS, SELLERS, SHOPS, API_KEYS, LETTERS, IMAGES, SEARCH),
)
#: The generations of the read model. ``state`` is ``building`` or ``ready``, ``since`` its begin.
READ_MODELS = Table(
    "read_models",
    METADATA,
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("model", Integer, nullable=False),
    Column("state", WORD, nullable=False),
    Column("since", BigInteger, nullable=False),
)
#: Not part of the read model: what was asked for under which ``Idempotency-Key``, for some days.
IDEMPOTENCY = Table(
    "idempotency",
    METADATA,
    Column("key", WORD, primary_key=True),
    Column("fingerprint", WORD, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("idempotency_by_age", "at"),
)
#: Not part of the read model: who reserved, as no fact names applicants before the contract.
RESERVATIONS = Table(
    "reservations",
    METADATA,
    Column("application_id", WORD, primary_key=True),
    Column("auction_id", WORD, nullable=False),
    Column("person_id", WORD, nullable=False),
    Column("at", BigInteger, nullable=False),
    # NULL of reservations that are older than these columns: what became of them is not known.
    Column("quantity", BigInteger),
    Column("confirmed_at", BigInteger),
    Column("withdrawn_at", BigInteger),
    Index("reservations_of_person", "person_id", "at"),
    Index("reservations_by_age", "at"),
)
#: Not part of the read model: orders that were confirmed by their letter's link, as no fact says so
#: before they are paid.
CONFIRMED_ORDERS = Table(
    "confirmed_orders",
    METADATA,
    Column("order_key", WORD, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Index("confirmed_orders_by_age", "at"),
)
#: Not part of the read model either: sessions that ended before they expired.
ENDED_SESSIONS = Table(
    "ended_sessions",
    METADATA,
    Column("session", WORD, primary_key=True),
    Column("until", BigInteger, nullable=False),
    Index("ended_sessions_by_end", "until"),
)
#: The storefront's own tables, which migrations change.
OWN = (READ_MODELS, IDEMPOTENCY, RESERVATIONS, CONFIRMED_ORDERS, ENDED_SESSIONS)
