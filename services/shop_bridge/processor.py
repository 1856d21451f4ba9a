"""Shops' orders: what webhooks and polls tell of an order, and which orders of groups that makes.

    shop-events ─▶ shop orders (shop_bridge) ─▶ orders

Refunds and edits come without the buyer and without the group, twice, and before the order they
belong to. So each order of a shop has a row here, under a key of its own, and its orders of groups
follow from the row. The page that takes webhooks keeps nothing.
"""

from schemas.messages import ShopOrderEdited, ShopOrderGone, ShopOrderSeen, ShopRefundSeen
from schemas.topics import ORDERS, SHOP_EVENTS
from services.runtime.processor import Processor
from services.shop_bridge import rows, rules

PROCESSOR = Processor(
    service="shop_bridge",
    name="orders",
    inputs=(SHOP_EVENTS,),
    outputs=(ORDERS,),
    on={
        ShopOrderSeen: rules.see_order,
        ShopOrderEdited: rules.edit_order,
        ShopRefundSeen: rules.refund_order,
        ShopOrderGone: rules.lose_order,
    },
    due={"forget": rules.forget_order},
    rows={"order": rows.ShopOrder},
)

#: What a worker of this service hosts.
PROCESSORS = (PROCESSOR,)
