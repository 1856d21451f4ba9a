"""Papers of invoices and credit notes, for tests and golden files."""

from datetime import UTC, datetime, timedelta
from typing import Any

from domain.ids import derive
from domain.invoices import open_of
from papers.bills import Payer, bill_of
from papers.issuer import Issuer
from papers.paper import Paper, paper_of
from schemas.groups import GroupPurchase
from schemas.parts import Party, Product
from schemas.payments import Payment

AT = datetime(2026, 3, 6, 9, 30, tzinfo=UTC)
GROUP_ID = derive("spring-oil")
ISSUER = Issuer(
    name="Corner Shop Ltd",
    address=("1 Market Street", "12345 Teatown"),
    tax_id="DE123456789",
    email="billing@corner.example",
    iban="DE89 3704 0044 0532 0130 00",
    bic="COBADEFFXXX",
    note="VAT is included.",
)
IN_JAPAN = Issuer(
    name="角の店 株式会社",
    address=("東京都千代田区1-1",),
    tax_id="T1234567890123",
    account=("みずほ銀行 本店", "普通 1234567 カドノミセ"),
    payment_days=30,
    time_zone="Asia/Tokyo",
)
PAYERS: dict[str, Payer] = {
    "en": Payer(id="ann", name="Ann Payer", email="ann@people.example"),
    "ja": Payer(id="hana", name="花子", email="hana@people.example"),
}


def payment(number: int = 1, **fields: Any) -> Payment:
    """An open invoice for an order of two units."""
    kind = fields.get("kind", "invoice")
    said = {
        "payment_id": f"p{number}-{kind}",
        "group_id": GROUP_ID,
        "member_id": "ann",
        "kind": "invoice",
        "method": "invoice",
        "amount": 8_400,
        "currency": "EUR",
        "status": "pending",
        "cause": {"kind": "order", "source": "storefront", "order_id": "w-1"},
        "provider_reference": f"{GROUP_ID}-{'C' if kind == 'credit' else 'I'}{number}",
        "begun_at": AT,
        "quantity": 2,
        "value": 8_400,
        "favor": 0,
        "version": 1,
    }
    return Payment.model_validate(said | fields)


def credit(amount: int, cause: str = "favor", **fields: Any) -> Payment:
    """A credit note over what the payer had."""
    said = {"kind": cause, "favor_version": 1} if cause == "favor" else {"kind": cause}
    given = {"kind": "credit", "status": "succeeded", "amount": amount, "cause": said}
    return payment(**({"favor": amount if cause == "favor" else 0} | given | fields))


def received(*amounts: int) -> dict[str, Any]:
    """So much came, a day after the other."""
    receipts = [
        {"report_id": f"r{number}", "amount": amount, "at": AT + timedelta(days=number)}
        for number, amount in enumerate(amounts, 1)
    ]
    return {"received": sum(amounts), "receipts": tuple(receipts)}


def group(language: str = "en", **fields: Any) -> GroupPurchase:
    """What is bought."""
    products: dict[str, Product] = {
        "en": Product(id="oil-5", name="Olive oil, 5 litre can <cold-pressed>"),
        "ja": Product(name="南部鉄器 急須 1.8L"),
    }
    return GroupPurchase(
        group_id=GROUP_ID,
        request_id="spring-oil",
        version=1,
        requested_at=AT,
        issued_at=AT,
        organizer=Party(id="ada", person_id="ada"),
        product=products[language],
        number_of_products=20,
        unit_price=4_200,
        currency="EUR",
        opens_at=AT,
        closes_at=AT + timedelta(days=7),
        **fields,
    )


#: What a paper is of: itself, and what else its payer has.
CASES: dict[str, tuple[Payment, tuple[Payment, ...]]] = {
    "invoice-open": (payment(), ()),
    "invoice-in-part": (payment(**received(3_000, 400)), (credit(420),)),
    "invoice-paid": (payment(status="succeeded", **received(8_400)), ()),
    "invoice-offset": (payment(status="cancelled"), (credit(8_400, "withdrawal"),)),
    "invoice-of-all": (
        payment(
            amount=7_560, favor=840, member_id=None, cause={"kind": "favor", "favor_version": 1}
        ),
        (),
    ),
    "credit-favor": (credit(420), (payment(),)),
    "credit-return": (
        credit(4_200, "order", quantity=1, value=4_200, number=2),
        (payment(), credit(420)),
    ),
    "credit-withdrawn": (credit(8_400, "withdrawal"), (payment(status="cancelled"),)),
}


def paper(name: str, language: str) -> Paper:
    """A paper by its case, as payers of that language get it."""
    of, others = CASES[name]
    issuer = ISSUER if language == "en" else IN_JAPAN
    if language == "ja":
        of = of.model_copy(update={"currency": "JPY"})
    still_open = open_of(of, (of, *others))
    bill = bill_of(of, group(language).product, PAYERS[language], still_open)
    return paper_of(bill, issuer, language)
