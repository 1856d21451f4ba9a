"""Made-up sellers, shops and buyers, some days into their auctions and groups: something to see."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from demo.wares import CAMERA, IMAGES, TEA, business_of
from demo.wares import shop as tea_shop
from domain.ids import derive
from runtime.records import milliseconds
from schemas.auctions import (
    ApplicationConfirmed,
    Applied,
    AuctionOpened,
    CounterOffered,
    SellerApproved,
    SellerRegistered,
)
from schemas.groups import Definition, GroupPurchaseRequested
from schemas.ops import Task
from schemas.orders import OrderPaid
from schemas.parts import Contact, FavorTerms, Limits, Message, PaymentTerms, Product, Tier
from schemas.payments import Payment
from tests.system.stack import Stack

SELLERS = {"nord": "Nordlicht Foto", "sato": "佐藤商店", "west": "West & Sons"}
SHOP = "corner-shop"
#: What is told of these products besides their names.
DESCRIBED = {"sencha": TEA, "camera": CAMERA}
LADDER = FavorTerms(
    tiers=(
        Tier(from_quantity=30, percent_off=5),
        Tier(from_quantity=60, percent_off=10),
        Tier(from_quantity=120, percent_off=15),
    )
)
#: Id, product, currency, hours it has run and has left; offers as (seller, hours after, price,
#: minimum); units that each buyer reserved.
Offers = tuple[tuple[str, int, int, int], ...]
AUCTIONS: tuple[tuple[str, str, str, int, int, Offers, tuple[int, ...]], ...] = (
    (
        *("camera", "Ricoh GR IV compact camera", "EUR", 72, 29),
        (
            *(("nord", 0, 119_900, 50), ("sato", 21, 112_500, 50)),
            *(("west", 40, 109_900, 45), ("nord", 64, 104_900, 45)),
        ),
        (1, 2, 1, 1, 3, 1, 2, 1, 1, 1, 2, 1, 1, 2, 1, 1, 3, 1, 1, 2, 1, 1),
    ),
    (
        *("oil", "Olive oil, cold-pressed, 5 litre can", "EUR", 50, 53),
        (("west", 0, 3_900, 20), ("sato", 30, 3_450, 20)),
        (2, 4, 6, 1, 2, 3, 5, 2),
    ),
    (*("kettle", "南部鉄器 急須 1.8L", "JPY", 20, 200), (("sato", 0, 7_800, 40),), (2, 1, 3)),
    (
        *("lamp-deal", "School desk lamp with clamp", "EUR", 96, -1),
        (("west", 0, 3_600, 8), ("nord", 48, 2_990, 8)),
        (3, 2, 1, 4, 1),
    ),
)
#: Id, product, price and currency of what the shop opens.
DEFINITIONS = (
    ("sencha", "Sencha, first flush, 1 kg", 4_200, "EUR"),
    ("rice-cooker", "炊飯器 5.5合", 18_900, "JPY"),
    ("trailer", "Bicycle trailer", 34_900, "EUR"),
    ("wool", "Merino base layer", 5_900, "EUR"),
)
#: Request, definition, number of products, hours it has run and has left, units of each order.
GROUPS = (
    ("r-sencha", "sencha", 100, 60, 150, (3, 12, 5, 8, 4, 10, 6, 2, 7, 5)),
    ("r-trailer", "trailer", 20, 30, 12, (1, 2, 1, 1, 2, 3)),
    ("r-cooker", "rice-cooker", 40, 10, 300, (1,)),
    ("r-wool", "wool", 60, 100, -2, (20, 15, 12, 18)),
)
BUYERS = ("Ada", "花子", "Bob", "Chloé", "健", "Dora", "Eve", "Farid", "Grace", "Hana")
ORGANIZER = Contact(id="ada", email="ada@people.example", name="Ada", locale="en-GB")


#: Categories of what is told of by name alone.
CATEGORIES = {
    **{"oil": "Food", "kettle": "Kitchen", "lamp-deal": "Office", "rice-cooker": "Kitchen"},
    **{"trailer": "Outdoors", "wool": "Outdoors"},
}


def product(product_id: str, name: str) -> Product:
    """A product of a shop or a seller."""
    about = DESCRIBED.get(product_id)
    if about is not None:
        return about.model_copy(update={"id": product_id, "name": name})
    return Product(id=product_id, name=name, category=CATEGORIES[product_id])


#: Who issues invoices, as a deployment's file says it.
ISSUER = """
name = "Corner Shop Ltd"
address = ["1 Market Street", "12345 Teatown"]
tax_id = "DE123456789"
iban = "DE89 3704 0044 0532 0130 00"
bic = "COBADEFFXXX"
"""
#: Somebody with a payment of every kind and standing, in the first group.
PAYER = "grace"


def issuer(folder: Path) -> dict[str, str]:
    """The setting that names the issuer's file, which is written to a folder."""
    file = folder / "issuer.toml"
    file.write_text(ISSUER)
    return {"INVOICE_ISSUER_FILE": str(file)}


def group_id(request_id: str) -> str:
    """The id that a request is given."""
    return derive(request_id)


def feed(stack: Stack) -> None:
    """Everything up to now, with the times it happened at; before any service starts.

    Groups come first, by a worker of their own: an order of days ago waits an hour for its group.
    """
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    for topic, told in (
        ("seller-registrations", _sellers(now)),
        ("shops", _shops(now)),
        ("images", ((now, each) for each in IMAGES)),
        ("definitions", _definitions(now)),
        ("offers", _offers(now)),
        ("applications", _applications(now)),
        ("group-purchase-requests", _requests(now)),
    ):
        _feed(stack, topic, told)
    (worker,) = stack.start("request_service")
    for request_id, *_ in GROUPS:
        stack.wait_for("group-purchases", group_id(request_id))
    worker.stop()
    _feed(stack, "orders", _orders(now))
    _feed(stack, "payments", _payments(now))
    _feed(stack, "tasks", _tasks(now))


def _feed(stack: Stack, topic: str, told: "Told") -> None:
    in_time = sorted(told, key=lambda each: each[0])
    stack.feed(topic, *((message, milliseconds(at)) for at, message in in_time))


Told = Iterator[tuple[datetime, Message]]


def _sellers(now: datetime) -> Told:
    at = now - timedelta(days=7)
    for seller, name in SELLERS.items():
        email = f"{seller}@sellers.example"
        yield (
            at,
            SellerRegistered(
                seller_id=seller,
                name=name,
                email=email,
                registered_at=at,
                **business_of(seller),
            ),
        )
        yield at, SellerApproved(seller_id=seller, at=at)


def _shops(now: datetime) -> Told:
    at = now - timedelta(days=7)
    yield at, tea_shop().model_copy(update={"shop_id": SHOP, "at": at})


def _definitions(now: datetime) -> Told:
    at = now - timedelta(days=7)
    for definition_id, name, price, currency in DEFINITIONS:
        yield (
            at,
            Definition(
                definition_id=definition_id,
                shop_id=SHOP,
                product=product(definition_id, name),
                unit_price=price,
                currency=currency,
                favor=LADDER,
                limits=Limits(number_min=10, number_max=500, period_days_max=30),
                published_at=at,
            ),
        )


def _offers(now: datetime) -> Told:
    for auction, name, currency, ran, left, offers, _ in AUCTIONS:
        began = now - timedelta(hours=ran)
        for number, (seller, after, price, minimum) in enumerate(offers):
            at = began + timedelta(hours=after)
            kind = CounterOffered if number else AuctionOpened
            ends = {} if number else {"closes_at": now + timedelta(hours=left)}
            yield (
                at,
                kind(
                    offer_id=f"{auction}-{number}",
                    auction_id=auction,
                    seller_id=seller,
                    product=product(auction, name),
                    minimum_reservations=minimum,
                    unit_price=price,
                    currency=currency,
                    offered_at=at,
                    **ends,
                ),
            )


def _applications(now: datetime) -> Told:
    for auction, _, _, ran, _, _, quantities in AUCTIONS:
        for number, quantity in enumerate(quantities):
            at = now - timedelta(hours=ran) * (len(quantities) - number) / (len(quantities) + 1)
            name = BUYERS[number % len(BUYERS)]
            buyer = Contact(id=f"b{number}", email=f"b{number}@people.example", name=name)
            this = {"application_id": f"{auction}-b{number}", "auction_id": auction}
            yield at, ApplicationConfirmed(**this, at=at)
            yield at, Applied(**this, applicant=buyer, quantity=quantity, applied_at=at)


def _requests(now: datetime) -> Told:
    for request_id, definition_id, number, ran, left, _ in GROUPS:
        at = now - timedelta(hours=ran)
        yield (
            at,
            GroupPurchaseRequested(
                request_id=request_id,
                requested_at=at,
                definition_id=definition_id,
                organizer=ORGANIZER,
                number_of_products=number,
                closes_at=now + timedelta(hours=left),
                payment=PaymentTerms(),
            ),
        )


def _orders(now: datetime) -> Told:
    for request_id, _, _, ran, left, quantities in GROUPS:
        spread = timedelta(hours=ran + min(left, 0))
        for number, quantity in enumerate(quantities):
            at = now - timedelta(hours=ran) + spread * (number + 1) / (len(quantities) + 1)
            yield (
                at,
                OrderPaid(
                    order_id=f"{request_id}-{number}",
                    source=SHOP,
                    group_id=group_id(request_id),
                    member_id=BUYERS[number],
                    quantity=quantity,
                    ordered_at=at,
                ),
            )


def _tasks(now: datetime) -> Told:
    """Something of each kind that is left to people and is no payment or letter."""
    at = now - timedelta(hours=30)
    order: dict[str, object] = {"about": "1042", "reason": "unreadable", "shop_id": SHOP}
    transfer = {"about": "B7 5f0c", "reason": "no-number", "amount": 4_000, "currency": "EUR"}
    record = {"about": "orders/0/7", "reason": "schema"}
    for kind, fields in (("order", order), ("transfer", transfer), ("record", record)):
        told = {"task_id": f"{kind}-1", "kind": kind, "problem": "a quantity is 0.5", "since": at}
        yield at, Task.model_validate({**told, **fields})


def _payments(now: datetime) -> Told:
    at = now - timedelta(hours=40)
    group = group_id("r-sencha")
    sale: dict[str, object] = {"cause": {"kind": "order", "source": "s", "order_id": "o"}}
    favor: dict[str, object] = {"cause": {"kind": "favor", "favor_version": 1}}
    billed = {"method": "invoice", "quantity": 2, "value": 8_400}
    receipt = {"report_id": "r1", "amount": 4_000, "reference": "X1", "at": now}
    told: tuple[dict[str, object], ...] = (
        {**sale, **billed, "kind": "invoice", "amount": 8_400, "status": "pending",
         "provider_reference": f"{group}-I1", "favor": 0, "received": 4_000,
         "receipts": (receipt,)},
        {**favor, **billed, "kind": "credit", "amount": 420, "status": "succeeded",
         "provider_reference": f"{group}-C1", "favor": 420},
        {**sale, "kind": "authorisation", "method": "card", "amount": 4_200, "status": "pending",
         "page": "https://pay.example/1"},
        {**sale, "kind": "charge", "method": "card", "amount": 4_200, "status": "failed",
         "problem": "no-answer"},
        {**favor, "kind": "refund", "method": "shop", "amount": 420, "status": "failed",
         "problem": "the order has less left than that"},
    )  # fmt: skip
    for number, fields in enumerate(told, 1):
        given = {"payment_id": f"payment-{number}", "group_id": group, "member_id": PAYER}
        given |= {"currency": "EUR", "begun_at": at, "version": 1}
        yield at, Payment.model_validate(given | fields)
