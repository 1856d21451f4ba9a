"""Purchases: what a group's members have bought, and whether that completes it.

    group-purchases ─┐
    orders ──────────┼─▶ purchases (order_service) ─▶ purchases
    payments ────────┘                                ├▶ people
                                                      └▶ notices

Terms open a group, orders and their money fill its table of purchasers, and the table's rows, the
summary and every refusal go out on one topic, which so tells the group's whole story in order.
An address that comes with an order goes to ``people`` alone. Members who can be reached get
letters: to confirm orders by a link, about their orders, about the deadline, and what the organizer
writes to all of them.
"""

from runtime.processor import Processor, takes
from runtime.rows import WAITING, WAITS, tables
from schemas.groups import GROUP_PURCHASES, GroupPurchase, MembersAdmitted
from schemas.letters import NOTICES
from schemas.orders import (
    ORDERS,
    PURCHASES,
    GroupMessage,
    OrderCancelled,
    OrderConfirmed,
    OrderPaid,
    OrderPlaced,
    OrderReturned,
)
from schemas.payments import PAYMENTS, Payment
from schemas.people import PEOPLE
from services.order_service import rows
from services.order_service.rules import messages, purchases

PROCESSOR = Processor(
    service="order_service",
    name="purchases",
    inputs=(GROUP_PURCHASES, ORDERS, PAYMENTS),
    outputs=(PURCHASES, PEOPLE, NOTICES),
    on=dict(
        [
            takes(MembersAdmitted, purchases.admit_members),
            takes(GroupPurchase, purchases.open_group),
            takes(OrderPlaced, purchases.place_order),
            takes(OrderConfirmed, purchases.confirm_order),
            takes(OrderPaid, purchases.pay_order),
            takes(OrderCancelled, purchases.cancel_order),
            takes(OrderReturned, purchases.return_order),
            takes(GroupMessage, purchases.take_message),
            takes(Payment, purchases.take_payment),
        ]
    ),
    due={
        "close": purchases.close_at_deadline,
        "confirm": purchases.expire_unconfirmed,
        "expire": purchases.refuse_unknown,
        "remind": purchases.begin_reminding,
        "shrink": purchases.begin_shrinking,
    },
    chunks={
        "drain": purchases.drain_waiting,
        "message": messages.send,
        "remind": purchases.remind_members,
        "shrink": purchases.shrink_rows,
    },
    facts={"purchase": rows.purchase_state, "member": rows.purchase_row},
    rows=tables(
        rows.TERMS,
        rows.PURCHASE,
        rows.LISTED,
        rows.ADMITTED,
        rows.MEMBERS,
        rows.ORDERS,
        rows.UNPAID,
        rows.LATEST,
        rows.RETURNS,
        WAITING,
        WAITS,
        rows.EARLY,
        rows.MESSAGES,
        rows.TOLD,
        rows.CHUNKS,
        rows.ENDED,
    ),
)

#: What a worker of this service hosts.
PROCESSORS = (PROCESSOR,)
