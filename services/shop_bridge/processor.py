"""Shops' orders: what webhooks and polls tell of an order, and which orders of groups that makes.

    shop-events ─▶ shop orders (shop_bridge) ─▶ orders, people, tasks, shop-questions
    group-purchases, orders, payments ─▶ instructions (shop_bridge) ─▶ payment-reports
    shop-questions                    ─▶              ⇅             ─▶ shop-events
                                                    caller ─▶ Shopify, WooCommerce

Refunds and edits come without the buyer and without the group, twice, and before the order they
belong to. So each order of a shop has a row here, under a key of its own, and its orders of groups
follow from the row. The page that takes webhooks keeps nothing. Only the rows of groups
have the group's product: an order of several products asks for it before it is counted.

Back go favors and refunds: payments by ``shop`` are instructions, carried out at the payer's
orders.
"""

from runtime.processor import CallRules, Processor, takes
from runtime.rows import tables
from schemas.groups import GROUP_PURCHASES, GroupPurchase
from schemas.ops import TASKS
from schemas.orders import ORDERS, OrderCancelled, OrderPaid, OrderPlaced, OrderReturned
from schemas.payments import PAYMENT_REPORTS, PAYMENTS, Payment
from schemas.people import PEOPLE
from schemas.shop_orders import (
    SHOP_EVENTS,
    SHOP_QUESTIONS,
    ProductAsked,
    ProductTold,
    ShopOrderEdited,
    ShopOrderGone,
    ShopOrderRead,
    ShopOrderSeen,
    ShopOrderUnnamed,
    ShopOrderUnread,
    ShopRefundSeen,
)
from services.shop_bridge import rows
from services.shop_bridge.rules import orders, unread
from services.shop_bridge.rules.outbound import answers
from services.shop_bridge.rules.outbound import instructions as outbound_rules
from services.shop_bridge.rules.outbound import rows as outbound_rows

PROCESSOR = Processor(
    service="shop_bridge",
    name="orders",
    inputs=(SHOP_EVENTS,),
    outputs=(ORDERS, PEOPLE, TASKS, SHOP_QUESTIONS),
    on=dict(
        [
            takes(ShopOrderSeen, orders.see_order),
            takes(ShopOrderUnnamed, orders.see_unnamed),
            takes(ShopOrderEdited, orders.edit_order),
            takes(ShopRefundSeen, orders.refund_order),
            takes(ShopOrderGone, orders.lose_order),
            takes(ShopOrderUnread, unread.leave_to_people),
            takes(ShopOrderRead, unread.end_task),
            takes(ProductTold, orders.take_product),
        ]
    ),
    due={"forget": orders.forget_order},
    rows=tables(
        rows.ORDER,
        rows.TASK,
    ),
)

INSTRUCTIONS = Processor(
    service="shop_bridge",
    name="instructions",
    inputs=(GROUP_PURCHASES, ORDERS, PAYMENTS, SHOP_QUESTIONS),
    outputs=(PAYMENT_REPORTS, SHOP_EVENTS),
    on=dict(
        [
            takes(GroupPurchase, outbound_rules.take_terms),
            takes(OrderPlaced, outbound_rules.take_order),
            takes(OrderPaid, outbound_rules.take_order),
            takes(OrderCancelled, outbound_rules.cancel_order),
            takes(OrderReturned, outbound_rules.return_order),
            takes(Payment, outbound_rules.take_payment),
            takes(ProductAsked, outbound_rules.tell_product),
        ]
    ),
    due={"forget": outbound_rules.begin_forgetting},
    chunks={"forget": outbound_rules.forget},
    calls={
        "shop": CallRules(
            request=answers.request,
            settle=answers.settle,
            reply=outbound_rows.Reply,
            server=answers.shop,
            about=answers.about,
        ),
    },
    rows=tables(
        outbound_rows.TERMS,
        outbound_rows.ORDERS,
        outbound_rows.RETURNS,
        outbound_rows.PAYERS,
        outbound_rows.INSTRUCTIONS,
        outbound_rows.CHUNKS,
    ),
)

#: What a worker of this service hosts.
PROCESSORS = (PROCESSOR, INSTRUCTIONS)
