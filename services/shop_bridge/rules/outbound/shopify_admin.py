"""Shopify's GraphQL Admin API: what is asked of an order, a refund, a code; what its answers say.

From https://shopify.dev/docs/api/admin-graphql: ``refundCreate`` wants ``@idempotent`` since
2026-04. Money goes back without lines, so that no goods are taken for returned.

A refund through a manual gateway (``manualPaymentGateway``: bank deposit, cash on delivery, money
order) is a note in the shop's books: it moves no money. So nothing is refunded there, and a refund
counts as done only as far as money moved.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from domain.money import in_decimals
from services.shop_bridge.rules.looks import Look
from services.shop_bridge.rules.outbound.amounts import whole_units
from services.shop_bridge.rules.outbound.rows import Reply, Request
from services.shop_bridge.rules.translations import payloads
from services.shop_bridge.rules.translations.own_refunds import mark, noted
from services.shop_bridge.rules.translations.payloads import UnreadableError

#: More points than any shop has; a larger number in an answer is ignored.
POINTS_MAX = 10**9

ORDER = """query order($id: ID!) {
  order(id: $id) {
    id
    currencyCode
    presentmentCurrencyCode
    transactions(first: 50) {
      id
      kind
      status
      gateway
      manualPaymentGateway
      amountSet { shopMoney { amount currencyCode } }
      parentTransaction { id }
    }
    refunds(first: 100) { id note }
  }
}"""
_MOVED = """id
      note
      transactions(first: 10) {
        nodes {
          status
          gateway
          manualPaymentGateway
          amountSet { shopMoney { amount currencyCode } }
        }
      }"""
REFUND_BY_ID = f"""query refund($id: ID!) {{
  refund(id: $id) {{
      {_MOVED}
  }}
}}"""
REFUND = f"""mutation refund($input: RefundInput!, $key: String!) {{
  refundCreate(input: $input) @idempotent(key: $key) {{
    refund {{
      {_MOVED}
    }}
    userErrors {{ field message }}
  }}
}}"""
CODE_BY_NAME = """query code($code: String!) {
  codeDiscountNodeByCode(code: $code) { id }
}"""
CODE = """mutation code($discount: DiscountCodeBasicInput!) {
  discountCodeBasicCreate(basicCodeDiscount: $discount) {
    codeDiscountNode { id }
    userErrors { field code message }
  }
}"""
SHOP = """query shop {
  shop { myshopifyDomain }
  currentAppInstallation { accessScopes { handle } }
}"""
#: As many as ``ORDER`` asks for; in points they are what one query may cost.
TRANSACTIONS_MAX, REFUNDS_MAX = 50, 100
PAID = frozenset({"SALE", "CAPTURE"})
#: A refund in one of these is not to be counted on.
FAILED = frozenset({"FAILURE", "ERROR"})
#: Statuses of a payment that is not received yet.
PENDING = frozenset({"PENDING", "AWAITING_RESPONSE"})
#: Gateways of Shopify's own that are paid by hand, whatever the field says: notes of the staff,
#: and cash at the till.
BY_HAND = frozenset({"manual", "cash"})


class Parent(NamedTuple):
    """A transaction that brought money, and how much of it is left to refund."""

    id: str
    gateway: str
    left: int
    is_by_hand: bool = False


def looked(answer: Mapping[str, Any]) -> Look:
    """The shop's domain and what the token may do, of an answer to ``SHOP``."""
    scopes = payloads.parts(payloads.part(answer, "currentAppInstallation"), "accessScopes")
    domain = payloads.part(answer, "shop").get("myshopifyDomain")
    return Look(str(domain or ""), frozenset(str(each.get("handle")) for each in scopes))


# --- an order ------------------------------------------------------------------------------------


def order_id(request: Request) -> dict[str, str]:
    """What ``ORDER`` is asked with."""
    return {"id": f"gid://shopify/Order/{request.order_id}"}


def found_refund(order: Mapping[str, Any], request: Request) -> Reply | str | None:
    """The id of this request's refund if the order has one; then ask for its outcome."""
    for refund in payloads.parts(order, "refunds"):
        if noted(refund.get("note")) == request.key:
            return str(refund.get("id"))
    if len(list(payloads.parts(order, "refunds"))) >= REFUNDS_MAX:
        return Reply(outcome="refused", text="it has more refunds than can be looked through")
    return None


def plan(order: Mapping[str, Any], request: Request) -> Reply | list[Parent]:
    """From which transactions the money goes back, or why it can't.

    Raises ``UnreadableError``.
    """
    if order.get("currencyCode") != request.currency:
        return Reply(outcome="refused", text=f"the order is in {order.get('currencyCode')}")
    if order.get("presentmentCurrencyCode") != request.currency:
        return Reply(
            outcome="refused", text=f"the buyer paid in {order.get('presentmentCurrencyCode')}"
        )
    if len(list(payloads.parts(order, "transactions"))) >= TRANSACTIONS_MAX:
        return Reply(outcome="refused", text="it has more transactions than can be looked through")
    every = list(_parents(order, request.currency))
    parents = [parent for parent in every if not parent.is_by_hand]
    left = sum(parent.left for parent in parents)
    if left < request.amount:
        return Reply(outcome="less", text=_why_not_more(order, every), left=left)
    planned, rest = [], request.amount
    for parent in parents:
        taken = min(parent.left, rest)
        if taken:
            planned.append(parent._replace(left=taken))
            rest -= taken
    return planned


def _parents(order: Mapping[str, Any], currency: str) -> Iterator[Parent]:
    """What came, each less what went back of it or is about to."""
    transactions = list(payloads.parts(order, "transactions"))
    gone: dict[str, Fraction] = {}
    for each in transactions:
        if each.get("kind") == "REFUND" and each.get("status") not in FAILED:
            parent = payloads.part(each, "parentTransaction").get("id")
            gone[str(parent)] = gone.get(str(parent), Fraction(0)) + _amount(each, currency)
    for each in transactions:
        if each.get("kind") in PAID and each.get("status") == "SUCCESS":
            name, gateway = each.get("id"), each.get("gateway")
            if not isinstance(name, str) or not isinstance(gateway, str):
                raise UnreadableError("a transaction has no id or no gateway")
            left = _amount(each, currency) - gone.get(name, Fraction(0))
            yield Parent(name, gateway, whole_units(left), _is_by_hand(each))


def _is_by_hand(transaction: Mapping[str, Any]) -> bool:
    gateway = str(transaction.get("gateway")).lower()
    return transaction.get("manualPaymentGateway") is True or gateway in BY_HAND


def _why_not_more(order: Mapping[str, Any], parents: list[Parent]) -> str:
    """Why the shop can't move the money back; empty if it can."""
    by_hand = dict.fromkeys(each.gateway for each in parents if each.is_by_hand and each.left)
    if by_hand:
        return (
            f"it was paid by hand ({', '.join(by_hand)[:100]}), so a refund in the shop moves no"
            " money"
        )
    open_kinds = {
        each.get("kind")
        for each in payloads.parts(order, "transactions")
        if each.get("status") in PENDING or each.get("kind") == "AUTHORIZATION"
    }
    if open_kinds & PAID:
        return "a payment of the order is still pending"
    return "its payment is only authorised: capture it first" if open_kinds and not parents else ""


def _amount(transaction: dict[str, Any], currency: str) -> Fraction:
    money = payloads.part(payloads.part(transaction, "amountSet"), "shopMoney")
    return payloads.amount(money, "amount", currency)


# --- a refund ------------------------------------------------------------------------------------


def refund(parents: list[Parent], request: Request) -> dict[str, Any]:
    """What ``REFUND`` is asked with."""
    order = order_id(request)["id"]
    transactions = [
        {
            "orderId": order,
            "parentId": parent.id,
            "gateway": parent.gateway,
            "kind": "REFUND",
            "amount": in_decimals(parent.left, request.currency),
        }
        for parent in parents
    ]
    told = {
        "orderId": order,
        "note": f"Group purchase {request.group_id} {mark(request.key)}",
        "notify": True,
        "transactions": transactions,
    }
    return {"input": told, "key": request.key}


def refunded(answer: Mapping[str, Any], request: Request) -> Reply:
    """What became of a refund that was asked for."""
    body = payloads.part(answer, "refundCreate")
    said = _errors(body)
    if any("idempoten" in each.lower() for each in said):
        return Reply(
            outcome="again", text="; ".join(said), is_open=True
        )  # the first of two is at work yet
    if said:
        return Reply(outcome="refused", text="; ".join(said))
    found = payloads.part(body, "refund")
    if not found:
        raise UnreadableError("refundCreate gave no refund")
    return went_back(found, request)


def went_back(found: Mapping[str, Any], request: Request) -> Reply:
    """The part of an existing refund that moved money; it may be less than was requested.

    Raises ``UnreadableError``.
    """
    nodes = list(payloads.parts(payloads.part(found, "transactions"), "nodes"))
    number = str(found.get("id")).rpartition("/")[2]
    moved = sum(
        (
            _amount(node, request.currency)
            for node in nodes
            if node.get("status") not in FAILED and not _is_by_hand(node)
        ),
        start=Fraction(0),
    )
    if whole_units(moved):
        amount = min(whole_units(moved), request.amount)
        return Reply("done", reference=f"{request.source}:refund/{number}", amount=amount)
    if any(node.get("status") in FAILED for node in nodes):
        return Reply(outcome="refused", text="the payment provider did not take the refund")
    return Reply(
        outcome="refused", text=f"refund {number} is in the shop's books, but moved no money"
    )


# --- a code --------------------------------------------------------------------------------------


def has_code(answer: Mapping[str, Any]) -> bool:
    """Whether the shop has the code that ``CODE_BY_NAME`` was asked with."""
    return bool(payloads.part(answer, "codeDiscountNodeByCode"))


def code(name: str, request: Request, now: datetime) -> dict[str, Any]:
    """What ``CODE`` is asked with: one use, by whoever has it."""
    value = in_decimals(request.as_code, request.currency)
    discount = {
        "title": f"Group purchase {request.group_id} {mark(request.key)}"[:255],
        "code": name,
        "startsAt": now.isoformat(),
        "usageLimit": 1,
        "appliesOncePerCustomer": True,
        "context": {"all": "ALL"},
        "customerGets": {
            "items": {"all": True},
            "value": {"discountAmount": {"amount": value, "appliesOnEachItem": False}},
        },
    }
    return {"discount": discount}


def made_code(answer: Mapping[str, Any], name: str, request: Request) -> Reply:
    """What became of a code that was asked for; one that is there already is the same."""
    body = payloads.part(answer, "discountCodeBasicCreate")
    codes = {each.get("code") for each in payloads.parts(body, "userErrors")}
    said = _errors(body)
    if said and codes != {"TAKEN"}:
        return Reply(outcome="refused", text="; ".join(said))
    if not said and not payloads.part(body, "codeDiscountNode"):
        raise UnreadableError("discountCodeBasicCreate gave no code")
    return Reply("done", reference=name, amount=request.as_code, is_code=True)


# --- what all answers have -----------------------------------------------------------------------


def _errors(body: Mapping[str, Any]) -> list[str]:
    return [str(each.get("message"))[:200] for each in payloads.parts(body, "userErrors")]


def cost_of(answer: Mapping[str, Any]) -> float:
    """The points that a query was taken to cost before it was run; 0 if nothing is said."""
    cost = payloads.part(payloads.part(answer, "extensions"), "cost").get("requestedQueryCost")
    return _points(cost) or 0.0


def wait_seconds(answer: Mapping[str, Any], next_cost: float) -> float:
    """How long until the bucket has ``next_cost`` points again; 0 if it has, or nothing is said."""
    cost = payloads.part(payloads.part(answer, "extensions"), "cost")
    status = payloads.part(cost, "throttleStatus")
    has, rate = _points(status.get("currentlyAvailable")), _points(status.get("restoreRate"))
    most = _points(status.get("maximumAvailable"))
    if has is None or most is None or not rate:
        return 0.0
    return max((min(next_cost, most) - has) / rate, 0.0)


def _points(told: object) -> float | None:
    """A plausible number of points, else ``None``: it limits the sleep that is computed from it."""
    if isinstance(told, bool) or not isinstance(told, int | float | Decimal):
        return None
    return float(told) if 0 <= told <= POINTS_MAX else None


def error_codes(answer: Mapping[str, Any]) -> list[str]:
    """The codes of what went wrong as a whole; none if nothing did."""
    errors = answer.get("errors")
    if not errors:
        return []
    each_of = errors if isinstance(errors, list) else [errors]
    return [str(payloads.part(each, "extensions").get("code") or "unnamed") for each in each_of]


def is_throttled(answer: Mapping[str, Any]) -> bool:
    """Whether nothing was done as the bucket is empty."""
    return "THROTTLED" in error_codes(answer)
