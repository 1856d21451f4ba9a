"""For which invoice money of a statement is counted, and what is left to people."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.ids import derive
from domain.references import creditor_reference
from schemas.api.payments import PaymentDetail
from terminal.receipts import lookups, plan
from terminal.statements import read_statement
from tests.bank import Transfer, statement

G, H = derive("spring-oil"), derive("autumn-oil")
I1, I2, C1 = f"{G}-I1", f"{G}-I2", f"{G}-C1"
AT_27 = f"{'Invoice ':x>{27 - len(I1)}}{I1}"
RF1, RF2 = creditor_reference(I1) or "", creditor_reference(I2) or ""


#: Fields of a payment that receipts do not read.
UNTOLD = ("member_id", "begun_at", "quantity", "value", "favor", "page", "problem")


def invoice(number: str = I1, still_open: int = 2_000, **fields: Any) -> PaymentDetail:
    said = {"payment_id": f"id-of-{number}", "group_id": G, "kind": "invoice", "amount": 2_000}
    said |= {"currency": "EUR", "status": "pending", "number": number, "received": 0}
    said |= {"receipts": (), "open": still_open, "version": 1, "method": "invoice"}
    said |= {"cause": {"kind": "order"}} | dict.fromkeys(UNTOLD)
    return PaymentDetail.model_validate(said | fields, strict=False)


def planned(*transfers: Any, invoices: tuple[PaymentDetail, ...] = (invoice(),)) -> Any:
    known = {each.number or "": each for each in invoices}
    return plan(read_statement(statement(*transfers)).credits, known)


# --- for which invoice ---------------------------------------------------------------------------

COUNTED: list[
    tuple[str, tuple[Any, ...], tuple[PaymentDetail, ...], list[tuple[str, int, str]]]
] = [
    ("to the cent", (Transfer("20.00", I1),), (invoice(),), [(I1, 2_000, "")]),
    ("a part", (Transfer("5.00", I1),), (invoice(),), [(I1, 500, "15.00 EUR stays open")]),
    (
        "too much",
        (Transfer("25.00", I1),),
        (invoice(),),
        [(I1, 2_500, "5.00 EUR too much: goes back")],
    ),
    (
        "in two parts",
        (Transfer("5.00", I1, "A"), Transfer("15.00", I1, "B")),
        (invoice(),),
        [(I1, 500, "15.00 EUR stays open"), (I1, 1_500, "")],
    ),
    (
        "two at once",
        (Transfer("35.00", f"{I1} {I2}"),),
        (invoice(), invoice(I2, 1_500)),
        [(I1, 2_000, "one of several"), (I2, 1_500, "one of several")],
    ),
    (
        "in a batch",
        ((Transfer("20.00", I1, "A"), Transfer("9.00", "x", "B")),),
        (invoice(),),
        [(I1, 2_000, "")],
    ),
    (
        "with a number that is not known",
        (Transfer("20.00", f"{I1} {H}-I1"),),
        (invoice(),),
        [(I1, 2_000, "")],
    ),
    (
        "two structured references",
        (Transfer("35.00", structured=(RF1, RF2)),),
        (invoice(), invoice(I2, 1_500)),
        [(I1, 2_000, "one of several"), (I2, 1_500, "one of several")],
    ),
    (
        "two, of which one is paid",
        (Transfer("15.00", structured=(RF1, RF2)),),
        (invoice(still_open=0), invoice(I2, 1_500)),
        [(I2, 1_500, "one of several")],
    ),
    (
        "two, of which a part was paid before",
        (Transfer("5.00", I1, "A"), Transfer("30.00", f"{I1} {I2}", "B")),
        (invoice(), invoice(I2, 1_500)),
        [
            (I1, 500, "15.00 EUR stays open"),
            (I1, 1_500, "one of several"),
            (I2, 1_500, "one of several"),
        ],
    ),
    (
        "two in different places that come to the sum",
        (Transfer("35.00", I1, end_to_end=I2),),
        (invoice(), invoice(I2, 1_500)),
        [(I1, 2_000, "one of several"), (I2, 1_500, "one of several")],
    ),
    (
        "two halves alike",
        (Transfer("10.00", I1), Transfer("10.00", I1)),
        (invoice(),),
        [(I1, 1_000, "10.00 EUR stays open"), (I1, 1_000, "")],
    ),
    (
        "two halves alike without any date",
        (Transfer("10.00", I1, day=""), Transfer("10.00", I1, day="")),
        (invoice(),),
        [(I1, 1_000, "10.00 EUR stays open"), (I1, 1_000, "")],
    ),
    (
        "at column 27, of a group with few invoices",
        (Transfer("20.00", AT_27),),
        (invoice(),),
        [(I1, 2_000, "")],
    ),
    (
        "less a credit note that it names",
        (Transfer("17.00", f"{I1} less {C1}"),),
        (invoice(still_open=1_700), invoice(C1, 0, kind="credit")),
        [(I1, 1_700, "")],
    ),
]


@pytest.mark.parametrize(
    ("what", "transfers", "invoices", "expected"), COUNTED, ids=[each[0] for each in COUNTED]
)
def test_money_is_counted_for_the_invoice_that_it_names(
    what: str, transfers: Any, invoices: Any, expected: list[tuple[str, int, str]]
) -> None:
    made = planned(*transfers, invoices=invoices)
    assert [(each.invoice.number, each.amount, each.note) for each in made.receipts] == expected


TWO = (invoice(), invoice(I2))
LEFT: list[tuple[str, Transfer, tuple[PaymentDetail, ...], str, str]] = [
    ("no number", Transfer("20.00", "thanks"), (invoice(),), "no-number", "names no invoice"),
    ("not known", Transfer("20.00", f"{H}-I1"), (invoice(),), "unknown-number", "not known here"),
    ("a credit note", Transfer("20.00", C1), (invoice(C1, 0, kind="credit"),), "credit-note",
     "a credit note"),
    ("another currency", Transfer("20.00", I1, currency="USD"), (invoice(),), "other-currency",
     "another currency"),
    ("paid already", Transfer("20.00", I1), (invoice(still_open=0),), "paid-already",
     "is paid already"),
    ("two that are paid", Transfer("20.00", f"{I1} {I2}"),
     (invoice(still_open=0), invoice(I2, 0)), "paid-already", "paid already"),
    ("less than two", Transfer("30.00", f"{I1} {I2}"), TWO, "other-sum",
     f"{I1} (20.00 EUR open), {I2} (20.00 EUR open), 40.00 EUR together, but 30.00 EUR came"),
    ("more than two", Transfer("40.01", f"{I1} {I2}"), TWO, "other-sum", "40.01 EUR came"),
    ("the first of two alone", Transfer("20.00", structured=(RF1, RF2)), TWO, "other-sum",
     "20.00 EUR came"),
    ("two in different places", Transfer("20.00", I1, structured=RF2), TWO,
     "contradictory-numbers", "in fields that disagree"),
    ("an id that contradicts", Transfer("20.00", I1, end_to_end=I2),
     (invoice(still_open=0), invoice(I2)), "contradictory-numbers", "in fields that disagree"),
    ("more than one, and one that is not known", Transfer("25.00", f"{I1} {H}-I1"), (invoice(),),
     "unknown-number", "not known here"),
    ("cut at column 27", Transfer("20.00", f"{AT_27} 2"), (invoice(), invoice(f"{G}-I12")),
     "cut-number", f"may be the beginning of {G}-I12"),
    ("cut at column 27 and no more", Transfer("20.00", AT_27), (invoice(), invoice(f"{G}-I10")),
     "cut-number", "may be the beginning of"),
    ("a reference with other check digits", Transfer("20.00", structured=RF1[:2] + "00" + RF1[4:]),
     (invoice(),), "cut-number", "check digits do not fit"),
    ("nothing at all", Transfer("0.00", I1), (invoice(),), "odd-amount", "amount of zero"),
    ("an amount in words", Transfer("x", I1), (invoice(),), "odd-amount", "has an amount"),
    ("a reversal", Transfer("20.00", I1, reversal=True), (invoice(),), "reversal", "a reversal"),
    ("one that came back", Transfer("20.00", I1, more="<RtrInf/>"), (invoice(),), "returned",
     "came back"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "transfer", "invoices", "reason", "why"), LEFT, ids=[each[0] for each in LEFT]
)
def test_money_without_a_certain_invoice_is_left_to_people(
    what: str, transfer: Transfer, invoices: Any, reason: str, why: str
) -> None:
    made = planned(transfer, invoices=invoices)
    assert made.receipts == ()
    (left,) = made.left
    assert (left.reason, why in left.problem) == (reason, True), left.problem


def test_what_is_left_says_all_that_people_need() -> None:
    (left,) = planned(Transfer("20.00", "thanks", "A1")).left
    said = left.as_json()
    reference = said.pop("reference")
    assert re.fullmatch(r"A1 [0-9a-f]{16}\.1", reference)
    assert said == {
        "reason": "no-number",
        "problem": "names no invoice: ask who paid, then"
        f" `jointbuy invoice paid NUMBER 20.00 --reference '{reference}'`",
        "amount": 2_000,
        "currency": "EUR",
        "date": "2026-06-15",
        "payer": "Ann Payer",
        "text": "thanks",
    }
    (odd,) = planned(Transfer("x", "thanks", day="")).left
    assert (odd.as_json()["amount"], odd.as_json()["date"]) == (None, None)


def test_numbers_that_may_have_been_cut_are_looked_up_too() -> None:
    credits = read_statement(statement(Transfer("1", f"{AT_27} 2"), Transfer("2", I2))).credits
    assert lookups(credits) == [I1, f"{I1}0", f"{I1}2", I2]


def test_a_batch_that_does_not_add_up_is_left_whole() -> None:
    data = statement((Transfer("20.00", I1, "A"), Transfer("9.00", I2, "B")))
    read = read_statement(data.replace(b'<Amt Ccy="EUR">29.0</Amt>', b'<Amt Ccy="EUR">30.00</Amt>'))
    (credit,) = read.credits
    assert (credit.amount, credit.reason) == (3_000, "odd-batch")


def counted(of: PaymentDetail, reference: str, amount: int) -> PaymentDetail:
    receipt = {"report_id": "r", "amount": amount, "reference": reference}
    receipt["at"] = datetime(2026, 6, 15, 12, tzinfo=UTC)
    return invoice(of.number or "", max(0, of.open - amount), receipts=(receipt,))


def test_money_that_was_counted_is_known_and_not_asked_for_again() -> None:
    (credit,) = read_statement(statement(Transfer("20.00", I1, "A1"))).credits
    made = plan((credit,), {I1: counted(invoice(), credit.reference, 2_000)})
    assert (made.known, made.receipts, made.left) == ((credit,), (), ())


def test_an_import_that_broke_off_between_two_invoices_goes_on_with_the_other() -> None:
    (credit,) = read_statement(statement(Transfer("35.00", f"{I1} {I2}"))).credits
    first = counted(invoice(), credit.reference, 2_000)
    made = plan((credit,), {I1: first, I2: invoice(I2, 1_500)})
    assert [(each.invoice.number, each.amount) for each in made.receipts] == [(I2, 1_500)]
    second = counted(invoice(I2, 1_500), credit.reference, 1_500)
    assert plan((credit,), {I1: first, I2: second}).known == (credit,)
    # Money of another transfer came for the other invoice meanwhile.
    made = plan((credit,), {I1: first, I2: invoice(I2, 500)})
    assert [(left.reason, "15.00 EUR is left" in left.problem) for left in made.left] == [
        ("other-sum", True)
    ]
