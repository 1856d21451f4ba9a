"""Purchases: what a group's members have bought, and whether that completes it.

    group-purchases ─┐
    orders ──────────┼─▶ purchases (order_service) ─▶ purchases
    payments ────────┘                                └▶ notices

Terms open a group, orders and their money fill its table of purchasers, and the table's rows, the
summary and every refusal go out on one topic, which so tells the group's whole story in order.
Members with an address get letters: to confirm orders by a link, about their orders, and about the
deadline.
"""

from schemas.messages import (
    GroupPurchase,
    MembersAdmitted,
    OrderCancelled,
    OrderConfirmed,
    OrderPaid,
    OrderPlaced,
    OrderReturned,
    Payment,
)
from schemas.topics import GROUP_PURCHASES, NOTICES, ORDERS, PAYMENTS, PURCHASES
from services.order_service import rows, rules
from services.runtime.processor import Processor
from services.runtime.rows import Waiting

PROCESSOR = Processor(
    service="order_service",
    name="purchases",
    inputs=(GROUP_PURCHASES, ORDERS, PAYMENTS),
    outputs=(PURCHASES, NOTICES),
    on={
        MembersAdmitted: rules.admit_members,
        GroupPurchase: rules.open_group,
        OrderPlaced: rules.place_order,
        OrderConfirmed: rules.confirm_order,
        OrderPaid: rules.pay_order,
        OrderCancelled: rules.cancel_order,
        OrderReturned: rules.return_order,
        Payment: rules.take_payment,
    },
    due={
        "close": rules.close_at_deadline,
        "confirm": rules.expire_unconfirmed,
        "expire": rules.refuse_unknown,
        "remind": rules.begin_reminding,
        "shrink": rules.begin_shrinking,
    },
    chunks={
        "drain": rules.drain_waiting,
        "remind": rules.remind_members,
        "shrink": rules.shrink_rows,
    },
    facts={"purchase": rows.purchase_state, "member": rows.purchase_row},
    rows={
        "terms": rows.Terms,
        "purchase": rows.Purchase,
        "listed": rows.Listed,
        "admitted": rows.Admitted,
        "member": rows.Member,
        "order": rows.Order,
        "unpaid": rows.Unpaid,
        "latest": rows.Latest,
        "return": rows.Return,
        "waiting": Waiting,
        "waits": rows.Waits,
        "chunk": rows.Chunk,
        "ended": rows.Ended,
    },
)

#: What a worker of this service hosts.
PROCESSORS = (PROCESSOR,)
