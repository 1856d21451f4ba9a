"""Shopify's GraphQL Admin API as its public documentation has it, as far as favors use it.

From https://shopify.dev/docs/api/admin-graphql/2026-04. Queries are validated against the schema
below: a field, an argument or an input that the documentation does not have is refused, and so is
one that is missing. ``refundCreate`` wants ``@idempotent``, gives the first answer again under a
key it knows, refuses a key that comes with another input, and refunds no more than there is.
A refund through a manual gateway is written into the books like any other, and moves no money.
"""

import json
import time
from collections.abc import Collection
from decimal import Decimal
from typing import Any

import httpx
from graphql import (
    GraphQLError,
    GraphQLResolveInfo,
    build_schema,
    get_directive_values,
    graphql_sync,
)

from tests.shop_faults import Faults, NoAnswer, transport

TOKEN = "shpat_of_this_test_only"
VERSION = "2026-04"
POINTS_MAX = 1_000.0
POINTS_PER_SECOND = 50.0
SCHEMA = build_schema(
    """
    directive @idempotent(key: String!) on FIELD
    scalar Money
    scalar DateTime
    scalar CurrencyCode
    enum OrderTransactionKind { AUTHORIZATION CAPTURE CHANGE REFUND SALE VOID }
    enum OrderTransactionStatus { AWAITING_RESPONSE ERROR FAILURE PENDING SUCCESS UNKNOWN }
    enum DiscountBuyerSelection { ALL }
    type Query {
      order(id: ID!): Order
      refund(id: ID!): Refund
      codeDiscountNodeByCode(code: String!): DiscountCodeNode
      shop: Shop!
      currentAppInstallation: AppInstallation!
    }
    type Shop { id: ID! name: String! myshopifyDomain: String! }
    type AppInstallation { id: ID! accessScopes: [AccessScope!]! }
    type AccessScope { handle: String! description: String! }
    type Mutation {
      refundCreate(input: RefundInput!): RefundCreatePayload
      discountCodeBasicCreate(
        basicCodeDiscount: DiscountCodeBasicInput!
      ): DiscountCodeBasicCreatePayload
    }
    type MoneyV2 { amount: Money! currencyCode: CurrencyCode! }
    type MoneyBag { shopMoney: MoneyV2! presentmentMoney: MoneyV2! }
    type Order {
      id: ID!
      currencyCode: CurrencyCode!
      presentmentCurrencyCode: CurrencyCode!
      transactions(first: Int): [OrderTransaction!]!
      refunds(first: Int): [Refund!]!
    }
    type OrderTransaction {
      id: ID!
      kind: OrderTransactionKind!
      status: OrderTransactionStatus!
      gateway: String
      manualPaymentGateway: Boolean!
      amountSet: MoneyBag!
      parentTransaction: OrderTransaction
    }
    type OrderTransactionConnection { nodes: [OrderTransaction!]! }
    type Refund {
      id: ID!
      note: String
      transactions(first: Int): OrderTransactionConnection!
    }
    type UserError { field: [String!] message: String! }
    type DiscountUserError { field: [String!] code: String message: String! }
    type RefundCreatePayload { order: Order refund: Refund userErrors: [UserError!]! }
    type DiscountCodeNode { id: ID! }
    type DiscountCodeBasicCreatePayload {
      codeDiscountNode: DiscountCodeNode
      userErrors: [DiscountUserError!]!
    }
    input OrderTransactionInput {
      amount: Money! gateway: String! kind: OrderTransactionKind! orderId: ID! parentId: ID
    }
    input RefundInput {
      allowOverRefunding: Boolean currency: CurrencyCode note: String notify: Boolean
      orderId: ID! processedAt: DateTime transactions: [OrderTransactionInput!]
    }
    input DiscountContextInput { all: DiscountBuyerSelection }
    input DiscountAmountInput { amount: Money! appliesOnEachItem: Boolean }
    input DiscountCustomerGetsValueInput { discountAmount: DiscountAmountInput percentage: Float }
    input DiscountItemsInput { all: Boolean }
    input DiscountCustomerGetsInput {
      items: DiscountItemsInput value: DiscountCustomerGetsValueInput
    }
    input DiscountCodeBasicInput {
      appliesOncePerCustomer: Boolean code: String context: DiscountContextInput
      customerGets: DiscountCustomerGetsInput endsAt: DateTime startsAt: DateTime
      title: String usageLimit: Int
    }
    """
)
Json = dict[str, Any]


class StrictShopify:
    """A shop's books: orders with their transactions and refunds, and discount codes."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.orders: dict[str, Json] = {}
        self.codes: dict[str, Json] = {}
        #: Order ids whose payment provider takes no refund.
        self.declines: set[str] = set()
        #: Gateways whose refunds are written down, and fail at the payment provider.
        self.failing: set[str] = set()
        self.points = POINTS_MAX
        self._filled_at = time.monotonic()
        self.asked: list[str] = []
        self.domain = "greenhouse.myshopify.com"
        self.scopes = ["read_orders", "write_orders", "write_discounts"]
        self._answers: dict[str, tuple[Json, Json]] = {}
        self._numbers = 0

    def sell(
        self,
        number: int,
        *amounts: str,
        currency: str = "EUR",
        presentment: str = "",
        by_hand: Collection[int] = (),
        **more: Json,
    ) -> None:
        """An order that is paid by so many amounts, each by another gateway.

        Those whose places are in ``by_hand`` are paid through manual gateways; the transactions at
        the places in ``more`` are changed as given.
        """
        order_id = f"gid://shopify/Order/{number}"
        self.orders[order_id] = {
            "id": order_id,
            "currencyCode": currency,
            "presentmentCurrencyCode": presentment or currency,
            "transactions": [
                self._transaction(
                    "SALE", amount, f"gateway-{place}", currency, is_by_hand=place in by_hand
                )
                | more.get(f"at_{place}", {})
                for place, amount in enumerate(amounts)
            ],
            "refunds": [],
        }

    def refunded(self, number: int) -> list[str]:
        """The amounts that went back of an order, in their order."""
        order = self.orders[f"gid://shopify/Order/{number}"]
        return [
            each["amountSet"]["shopMoney"]["amount"]
            for each in order["transactions"]
            if each["kind"] == "REFUND"
        ]

    def moved(self, number: int) -> list[str]:
        """The amounts of an order that went back for real."""
        order = self.orders[f"gid://shopify/Order/{number}"]
        return [
            each["amountSet"]["shopMoney"]["amount"]
            for each in order["transactions"]
            if each["kind"] == "REFUND"
            and each["status"] in ("SUCCESS", "PENDING")
            and not each["manualPaymentGateway"]
        ]

    @property
    def transport(self) -> httpx.MockTransport:
        """What a client is given in place of a network."""
        return transport(self.answer)

    # --- requests --------------------------------------------------------------------------------

    def answer(self, request: httpx.Request) -> httpx.Response:
        """What the shop says to a request."""
        if request.url.path != f"/admin/api/{VERSION}/graphql.json" or request.method != "POST":
            return httpx.Response(404)
        if request.headers.get("x-shopify-access-token") != TOKEN:
            return httpx.Response(401, json={"errors": "[API] Invalid API key or access token"})
        body = json.loads(request.content)
        assert set(body) <= {"query", "variables", "operationName"}
        self.asked.append(body["query"].split("(")[0])
        is_write = body["query"].lstrip().startswith("mutation")
        fault = self.faults.next(is_write=is_write)
        cost = 10.0 if is_write else 40.0
        if fault == "dropped":
            raise NoAnswer(fault)
        if fault == "error":
            return httpx.Response(503, text="unavailable")
        self._refill()
        if fault == "busy" or self.points < cost:
            return self._throttled(cost)
        self.points -= cost
        told = graphql_sync(SCHEMA, body["query"], self, variable_values=body.get("variables"))
        answer: Json = {}
        if told.errors:
            answer["errors"] = [
                {"message": each.message, "extensions": each.extensions or {"code": "undefined"}}
                for each in told.errors
            ]
        if told.data is not None:
            answer["data"] = told.data
        if fault in ("lost", "slow"):
            raise NoAnswer(fault)
        return httpx.Response(200, json=answer | self._extensions(cost, cost))

    def _refill(self) -> None:
        now = time.monotonic()
        restored = (now - self._filled_at) * POINTS_PER_SECOND
        self.points = min(self.points + restored, POINTS_MAX)
        self._filled_at = now

    def _throttled(self, cost: float) -> httpx.Response:
        error = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
        bucket = self._extensions(cost, None, min(self.points, cost - POINTS_PER_SECOND / 10))
        return httpx.Response(200, json={"errors": [error], **bucket})

    def _extensions(self, asked: float, cost: float | None, has: float | None = None) -> Json:
        status = {
            "maximumAvailable": POINTS_MAX,
            "currentlyAvailable": self.points if has is None else has,
            "restoreRate": POINTS_PER_SECOND,
        }
        told = {"requestedQueryCost": asked, "actualQueryCost": cost, "throttleStatus": status}
        return {"extensions": {"cost": told}}

    # --- what the schema resolves to -------------------------------------------------------------

    def shop(self, info: GraphQLResolveInfo) -> Any:
        return {"myshopifyDomain": self.domain}

    def currentAppInstallation(self, info: GraphQLResolveInfo) -> Any:
        return {"accessScopes": [{"handle": each} for each in self.scopes]}

    def order(self, info: GraphQLResolveInfo, id: str) -> Any:
        order = self.orders.get(id)
        return order and _listed(order)

    def refund(self, info: GraphQLResolveInfo, id: str) -> Any:
        refunds = (each for order in self.orders.values() for each in order["refunds"])
        return next((_listed(each) for each in refunds if each["id"] == id), None)

    def codeDiscountNodeByCode(self, info: GraphQLResolveInfo, code: str) -> Any:
        return {"id": f"gid://shopify/DiscountCodeNode/{code}"} if code in self.codes else None

    def refundCreate(self, info: GraphQLResolveInfo, input: Json) -> Any:
        directive = SCHEMA.get_directive("idempotent")
        assert directive is not None
        given = get_directive_values(directive, info.field_nodes[0], info.variable_values)
        if not given:
            raise GraphQLError("@idempotent is missing", extensions={"code": "BAD_REQUEST"})
        known = self._answers.get(given["key"])
        if known is not None and known[0] != input:
            code = "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"
            raise GraphQLError("the key came with other parameters", extensions={"code": code})
        if known is None:
            known = self._answers[given["key"]] = (input, self._refund(input))
        return known[1]

    def _refund(self, told: Json) -> Json:
        order = self.orders.get(told["orderId"])
        if order is None:
            return _wrong("Order does not exist")
        if told["orderId"].rpartition("/")[2] in self.declines:
            return _wrong("The payment provider declined the refund")
        for each in told.get("transactions") or ():
            parent = _of(order, each.get("parentId"))
            fits = (
                each["kind"] == "REFUND"
                and each["orderId"] == order["id"]
                and isinstance(each["amount"], str)
                and parent is not None
                and parent["gateway"] == each["gateway"]
            )
            if not fits or Decimal(each["amount"]) <= 0:
                return _wrong("Transaction is invalid")
            if Decimal(each["amount"]) > _left(order, parent):
                return _wrong("Refund amount can't be more than what is left")
        made = []
        for each in told["transactions"]:
            back = self._transaction(
                "REFUND", each["amount"], each["gateway"], order["currencyCode"]
            )
            parent = _of(order, each["parentId"])
            back["parentTransaction"] = parent
            back["manualPaymentGateway"] = parent["manualPaymentGateway"]
            if each["gateway"] in self.failing:
                back["status"] = "FAILURE"
            order["transactions"].append(back)
            made.append(back)
        refund = {
            "id": self._id("Refund"),
            "note": told.get("note"),
            "transactions": {"nodes": made},
        }
        order["refunds"].append(refund)
        return {"refund": _listed(refund), "userErrors": []}

    def discountCodeBasicCreate(
        self,
        info: GraphQLResolveInfo,
        basicCodeDiscount: Json,
    ) -> Any:
        told = basicCodeDiscount
        missing = {"code", "title", "context", "customerGets", "startsAt"} - set(told)
        if missing:
            return _wrong(f"missing: {sorted(missing)}", code="BLANK")
        if told["code"] in self.codes:
            return _wrong("Code must be unique", code="TAKEN")
        self.codes[told["code"]] = told
        return {"codeDiscountNode": {"id": self._id("DiscountCodeNode")}, "userErrors": []}

    # --- books -----------------------------------------------------------------------------------

    def _transaction(
        self, kind: str, amount: str, gateway: str, currency: str, *, is_by_hand: bool = False
    ) -> Json:
        money = {"amount": amount, "currencyCode": currency}
        return {
            "id": self._id("OrderTransaction"),
            "kind": kind,
            "status": "SUCCESS",
            "gateway": gateway,
            "manualPaymentGateway": is_by_hand,
            "amountSet": {"shopMoney": money, "presentmentMoney": money},
            "parentTransaction": None,
        }

    def _id(self, kind: str) -> str:
        self._numbers += 1
        return f"gid://shopify/{kind}/{self._numbers}"


def _listed(found: Json) -> Json:
    """With lists that take ``first``, as fields do that have arguments."""

    def of(value: Any) -> Any:
        def resolve(info: GraphQLResolveInfo, first: int | None = None) -> Any:
            if first is None:
                raise GraphQLError("first is missing", extensions={"code": "BAD_REQUEST"})
            if isinstance(value, dict):
                return {"nodes": value["nodes"][:first]}
            return [_listed(each) if "note" in each else each for each in value[:first]]

        return resolve

    lists = {name: of(found[name]) for name in ("transactions", "refunds") if name in found}
    return found | lists


def _of(order: Json, transaction_id: Any) -> Any:
    return next(
        (
            each
            for each in order["transactions"]
            if each["id"] == transaction_id
            and each["kind"] in ("SALE", "CAPTURE")
            and each["status"] == "SUCCESS"
        ),
        None,
    )


def _left(order: Json, parent: Json) -> Decimal:
    back = [
        Decimal(each["amountSet"]["shopMoney"]["amount"])
        for each in order["transactions"]
        if each["kind"] == "REFUND"
        and each["status"] != "FAILURE"
        and each["parentTransaction"]["id"] == parent["id"]
    ]
    return Decimal(parent["amountSet"]["shopMoney"]["amount"]) - sum(back, Decimal(0))


def _wrong(message: str, **more: str) -> Json:
    return {"userErrors": [{"field": ["input"], "message": message, **more}]}
