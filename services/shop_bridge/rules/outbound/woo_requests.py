"""WooCommerce's REST API: what is asked of an order, a refund, a coupon; what its answers say.

From https://woocommerce.github.io/woocommerce-rest-api-docs. There is no idempotency: what is
asked for carries the key, and is looked for before it is asked for.
"""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from domain.money import in_decimals
from services.shop_bridge.rules.outbound.amounts import whole_units
from services.shop_bridge.rules.outbound.rows import Reply, Request
from services.shop_bridge.rules.translations import payloads
from services.shop_bridge.rules.translations.own_refunds import META_KEY, mark, noted

#: The money of an order in one of these has come.
PAID = frozenset({"completed", "refunded"})
#: WooCommerce's own gateways without refunds, and no gateway: people pay back by hand.
BY_HAND = frozenset({"bacs", "cheque", "cod", ""})


def found_refund(refunds: Iterable[Mapping[str, Any]], request: Request) -> Reply | None:
    """The refund of this very request, if it is listed.

    By its reason too: meta data is written after the money has gone. One that says that no money
    went is at work yet, or broke off: nothing is asked for as long as it is there.
    """
    for refund in refunds:
        meta = payloads.parts(refund, "meta_data")
        named = {each.get("value") for each in meta if each.get("key") == META_KEY}
        if request.key in named or noted(refund.get("reason")) == request.key:
            return refunded(refund, request)
    return None


def plan(order: Mapping[str, Any], request: Request) -> Reply | None:
    """Why the money can't go back, or None if it can. Raises ``UnreadableError``."""
    if order.get("currency") != request.currency:
        return Reply(outcome="refused", text=f"the order is in {order.get('currency')}")
    if not order.get("date_paid_gmt") and order.get("status") not in PAID:
        return Reply(outcome="refused", text="it is not paid yet")
    if order.get("payment_method", "unknown") in BY_HAND:
        how = str(order.get("payment_method_title") or "no gateway")[:100]
        return Reply(
            outcome="refused", text=f"it was paid by hand ({how}), so the shop can't move the money"
        )
    body = dict(order)
    left = payloads.amount(body, "total", request.currency)
    for each in payloads.parts(body, "refunds"):
        left -= abs(payloads.amount(each, "total", request.currency))
    if whole_units(left) < request.amount:
        return Reply("less", left=whole_units(max(left, Fraction(0))))
    return None


def refund(request: Request) -> dict[str, Any]:
    """The refund that is posted: of money alone, through the payment's own gateway."""
    return {
        "amount": in_decimals(request.amount, request.currency),
        "reason": f"Group purchase {request.group_id} {mark(request.key)}",
        "api_refund": True,
        "api_restock": False,
        "meta_data": [{"key": META_KEY, "value": request.key}],
    }


def refunded(found: Mapping[str, Any], request: Request, *, is_answer: bool = False) -> Reply:
    """Judge an existing refund; ``is_answer``: it is the answer to the request that made it.

    In that case WooCommerce has finished, and no money will move later.
    """
    number = payloads.identity(dict(found), "id")
    if is_answer and found.get("refunded_payment") is False:
        return Reply(
            outcome="refused", text=f"refund {number} is in the shop's books, but moved no money"
        )
    if found.get("refunded_payment") is False:
        return Reply(
            outcome="again", text=f"refund {number} is there, but not its money", is_open=True
        )
    return Reply("done", reference=f"{request.source}:refund/{number}", amount=request.amount)


def coupon(name: str, request: Request) -> dict[str, Any]:
    """The coupon that is posted: one use, by whoever has it."""
    return {
        "code": name,
        "discount_type": "fixed_cart",
        "amount": in_decimals(request.as_code, request.currency),
        "usage_limit": 1,
        "description": f"Group purchase {request.group_id} {mark(request.key)}",
        "meta_data": [{"key": META_KEY, "value": request.key}],
    }


def found_coupon(listed: Iterable[Mapping[str, Any]], name: str, request: Request) -> Reply | None:
    """The coupon of this code, which the shop keeps in small letters."""
    if any(str(each.get("code")).lower() == name.lower() for each in listed):
        return made_coupon(name, request)
    return None


def made_coupon(name: str, request: Request) -> Reply:
    """That the coupon is there."""
    return Reply("done", reference=name, amount=request.as_code, is_code=True)


def refusal(answer: Any) -> tuple[str, str]:
    """The code and the message of an error; empty if it is not WooCommerce's own."""
    if not isinstance(answer, dict):
        return "", ""
    return str(answer.get("code") or ""), str(answer.get("message") or "")[:200]
