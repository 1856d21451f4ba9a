"""Why something is left to people, in short codes.

``RecordReason`` is why a record is a dead letter, ``OrderReason`` why a shop's order could not be
used. They are the header ``reason`` of dead letters and ``Task.reason``. What people are to do
about each stands in the storefront's ``texts/todo.toml``; a test holds the two together.
"""

from typing import Final, Literal, get_args

RecordReason = Literal[
    "unreadable", "schema", "no-value", "too-large", "wrong-key", "wrong-partition",
    "beyond-limits", "unknown-group", "unknown-auction", "mistyped-group",
]  # fmt: skip
OrderReason = Literal[
    "not-fetched", "not-utf-8", "not-json", "empty", "php-error", "html", "unreadable",
    "not-an-object", "error-body", "schema", "mistyped-group", "not-counted", "not-the-product",
]  # fmt: skip
RECORD_REASONS: Final[tuple[str, ...]] = get_args(RecordReason)
ORDER_REASONS: Final[tuple[str, ...]] = get_args(OrderReason)
#: A group is named by something that is not an id.
MISTYPED_GROUP: Final = "mistyped-group"
#: An order, a reservation or a payment goes beyond a limit.
BEYOND_LIMITS: Final = "beyond-limits"
UNKNOWN_GROUP: Final = "unknown-group"
UNKNOWN_AUCTION: Final = "unknown-auction"
#: An order could not be fetched from the shop.
NOT_FETCHED: Final = "not-fetched"
#: A part of an order can't be counted.
NOT_COUNTED: Final = "not-counted"
#: None of an order's lines is the group's product.
NOT_THE_PRODUCT: Final = "not-the-product"
