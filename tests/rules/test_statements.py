"""Bank statements: what came, for which invoice; the same money counts once, never by halves."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.ids import derive
from schemas.references import creditor_reference, is_creditor_reference, numbers_in
from services.terminal.answers import PaymentShown
from services.terminal.receipts import plan
from services.terminal.statements import BYTES_MAX, StatementError, read_statement
from tests.bank import Transfer, Version, statement

G, H = derive("spring-oil"), derive("autumn-oil")
I1, I2, C1 = f"{G}-I1", f"{G}-I2", f"{G}-C1"
VERSIONS: tuple[Version, ...] = ("02", "08")


def invoice(number: str = I1, still_open: int = 2_000, **fields: Any) -> PaymentShown:
    said = {"payment_id": f"id-of-{number}", "group_id": G, "kind": "invoice", "amount": 2_000}
    said |= {"currency": "EUR", "status": "pending", "number": number, "received": 0}
    said |= {"receipts": (), "open": still_open, "version": 1}
    return PaymentShown.model_validate(said | fields)


def planned(*transfers: Any, invoices: tuple[PaymentShown, ...] = (invoice(),)) -> Any:
    known = {each.number or "": each for each in invoices}
    return plan(read_statement(statement(*transfers)).credits, known)


# --- numbers -------------------------------------------------------------------------------------

WRITTEN = [
    ("as it is", I1, [I1]),
    ("in a sentence", f"Payment of invoice {I1}, thank you", [I1]),
    ("in small letters without dashes", I1.replace("-", "").lower(), [I1]),
    ("with blanks for dashes", I1.replace("-", " "), [I1]),
    ("before another number", f"{I1} 2026-06-15", [I1]),
    ("two of them", f"{I1} + {I2}", [I1, I2]),
    ("twice the same", f"{I1} {I1}", [I1]),
    ("a credit note", C1, [C1]),
    ("the reference in fours", creditor_reference(f"{G}-I100") or "", [f"{G}-I100"]),
    (
        "the reference in a sentence",
        f"ref {creditor_reference(f'{G}-I100')} of June 9",
        [f"{G}-I100"],
    ),
    ("the reference and a number", f"{creditor_reference(I2)}, {I1}", [I2, I1]),
    ("with O for 0 and l for 1", I1[:-3].replace("1", "l").replace("0", "O") + I1[-3:], [I1]),
    ("mistyped", I1.replace(G[3], "Z" if G[3] != "Z" else "Y"), []),
    ("the group alone", G, []),
    ("number nought", f"{G}-I0", []),
    ("nothing", "", []),
]


@pytest.mark.parametrize(("what", "text", "found"), WRITTEN, ids=[each[0] for each in WRITTEN])
def test_numbers_are_found_however_a_payer_writes_them(
    what: str, text: str, found: list[str]
) -> None:
    assert numbers_in(text) == found


@given(st.text(max_size=40), st.integers(1, 10**7 - 1))
def test_a_creditor_reference_is_read_back_and_no_digit_of_it_can_be_mistyped(
    request_id: str, n: int
) -> None:
    number = f"{derive(request_id)}-I{n}"
    reference = creditor_reference(number)
    if reference is None:
        assert len(number.replace("-", "")) > 21
        return
    assert is_creditor_reference(reference)
    assert numbers_in(reference) == [number]
    for at, character in enumerate(reference):
        if character.isdigit():
            other = "1" if character != "1" else "2"
            assert not is_creditor_reference(reference[:at] + other + reference[at + 1 :])


def test_the_example_of_iso_11649() -> None:
    assert is_creditor_reference("RF18 5390 0754 7034")
    assert not is_creditor_reference("RF18 5390 0754 7035")
    assert creditor_reference("a-shop-s-own-group-I1") is None


# --- entries -------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_a_statement_s_credits_are_read_in_both_versions(version: Version) -> None:
    read = read_statement(
        statement(
            Transfer("20.00", f"Invoice {I1}", "A1", payer="Ann"),
            Transfer("5.00", "rent", "A2", direction="DBIT"),
            Transfer("7.00", I1, "A3", status="PDNG"),
            (Transfer("3.00", I1, "B1"), Transfer("4.50", I2, "B2")),
            version=version,
        )
    )
    assert [(each.amount, each.currency, each.numbers) for each in read.credits] == [
        (2_000, "EUR", (I1,)),
        (300, "EUR", (I1,)),
        (450, "EUR", (I2,)),
    ]
    assert (read.debits, read.not_booked) == (1, 1)
    first = read.credits[0]
    assert (first.payer, str(first.booked_on), first.odd) == ("Ann", "2026-06-15", "")
    assert first.reference.startswith("A1 ")


def test_a_number_cut_at_the_end_of_a_line_is_found() -> None:
    cut = statement(Transfer("20.00", f"{I1[:9]}</Ustrd><Ustrd>{I1[9:]}", "A1"))
    whole = cut.replace(b"&lt;/Ustrd&gt;&lt;Ustrd&gt;", b"</Ustrd><Ustrd>")
    assert read_statement(whole).credits[0].numbers == (I1,)


def test_the_reference_with_check_digits_wins_over_any_text() -> None:
    reference = creditor_reference(I2) or ""
    (credit,) = read_statement(statement(Transfer("1.00", I1, structured=reference))).credits
    assert credit.numbers == (I2,)


SAME = [
    (
        "the same entry in another statement",
        Transfer("9.00", I1, "A1"),
        Transfer("9.00", I1, "A1"),
        True,
    ),
    (
        "two entries of the bank's own names",
        Transfer("9.00", I1, "A1"),
        Transfer("9.00", I1, "A2"),
        False,
    ),
    (
        "without a name, on two days",
        Transfer("9.00", I1),
        Transfer("9.00", I1, day="2026-06-16"),
        False,
    ),
    ("without a name, told again", Transfer("9.00", I1), Transfer("9.00", I1), True),
    (
        "without a name, of another payer",
        Transfer("9.00", I1),
        Transfer("9.00", I1, payer="Bob"),
        False,
    ),
]


@pytest.mark.parametrize(("what", "one", "other", "same"), SAME, ids=[each[0] for each in SAME])
def test_money_is_known_again_in_another_statement(
    what: str, one: Transfer, other: Transfer, same: bool
) -> None:
    (first,) = read_statement(statement(one)).credits
    (second,) = read_statement(statement(other, version="02")).credits
    assert (first.reference == second.reference) is same


def test_two_alike_on_one_day_are_two_in_every_statement_that_has_them() -> None:
    twice = read_statement(statement(Transfer("9.00", I1), Transfer("9.00", I1)))
    first, second = (each.reference for each in twice.credits)
    assert first != second
    again = read_statement(statement(*[Transfer("9.00", I1)] * 3))
    assert [each.reference for each in again.credits][:2] == [first, second]


# --- what is refused -----------------------------------------------------------------------------

GOOD = statement(Transfer("20.00", I1, "A1"))
REFUSED = [
    ("nothing", b"", "no XML"),
    ("no XML", b"amount;20.00", "no XML"),
    ("cut off", GOOD[:-9], "no XML"),
    ("another message", GOOD.replace(b"camt.053.001.08", b"camt.052.001.08"), "give camt.053"),
    ("another version", GOOD.replace(b"camt.053.001.08", b"camt.053.001.13"), "give camt.053"),
    ("no statement in it", re.sub(rb"<Stmt>.*</Stmt>", b"", GOOD), "holds no statement"),
    ("a document type",
     GOOD.replace(b"<Document", b'<!DOCTYPE d [<!ENTITY a "b">]><Document'), "document type"),
    ("a file from elsewhere",
     GOOD.replace(b"<Document", b'<!DOCTYPE d SYSTEM "file:///etc/passwd"><Document'),
     "document type"),
    ("an amount in words", GOOD.replace(b">20.00<", b">twenty<"), "is no amount"),
    ("an amount below zero", GOOD.replace(b">20.00<", b">-20.00<"), "is no amount"),
    ("an amount without a currency", GOOD.replace(b' Ccy="EUR"', b""), "is no amount"),
    ("an amount with an exponent", GOOD.replace(b">20.00<", b">2e999999<"), "is no amount"),
    ("an amount without end", GOOD.replace(b">20.00<", b">" + b"9" * 5_000 + b"<"), "is no amount"),
    ("an infinite amount", GOOD.replace(b">20.00<", b">Infinity<"), "is no amount"),
    ("an amount of other digits",
     GOOD.replace(b">20.00<", ">٢٠<".encode()), "is no amount"),
    ("half a cent", GOOD.replace(b">20.00<", b">20.005<"), "no whole number"),
    ("half a yen", GOOD.replace(b">20.00<", b">20.5<").replace(b"EUR", b"JPY"), "no whole number"),
    ("a day that is none", GOOD.replace(b"2026-06-15", b"2026-06-31"), "is no date"),
    ("too deep", b"<a>" * 100, "give camt.053"),
    ("too large", b" " * (BYTES_MAX + 1), "bytes"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "data", "said"), REFUSED, ids=[each[0] for each in REFUSED])
def test_a_file_that_is_not_whole_and_right_counts_nothing(
    what: str, data: bytes, said: str
) -> None:
    with pytest.raises(StatementError, match=said):
        read_statement(data)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
@example(b'<?xml version="1.0" encoding="utf-7"?><Document/>')
@example(b'<?xml version="1.0" encoding="nowhere"?><Document/>')
def test_any_bytes_are_a_statement_or_a_clear_error(data: bytes) -> None:
    with pytest.raises(StatementError, match=r"\w+ \w+"):
        read_statement(data)


@settings(max_examples=300, deadline=None)
@given(at=st.integers(0, len(GOOD) - 1), size=st.integers(0, 30), put=st.binary(max_size=30))
def test_a_statement_that_was_changed_anywhere_is_whole_or_refused(
    at: int, size: int, put: bytes
) -> None:
    """Never a part of it: one entry is read as one, or as none of those that came."""
    try:
        read = read_statement(GOOD[:at] + put + GOOD[at + size :])
    except StatementError:
        return
    assert len(read.credits) + read.debits + read.not_booked <= 1
    assert all(each.amount >= 0 for each in read.credits)


# --- for which invoice ---------------------------------------------------------------------------

COUNTED: list[tuple[str, tuple[Any, ...], tuple[PaymentShown, ...], list[tuple[str, int, str]]]] = [
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
]


@pytest.mark.parametrize(
    ("what", "transfers", "invoices", "expected"), COUNTED, ids=[each[0] for each in COUNTED]
)
def test_money_is_counted_for_the_invoice_that_it_names(
    what: str, transfers: Any, invoices: Any, expected: list[tuple[str, int, str]]
) -> None:
    made = planned(*transfers, invoices=invoices)
    assert [(each.invoice.number, each.amount, each.note) for each in made.receipts] == expected


LEFT: list[tuple[str, Transfer | tuple[Transfer, ...], tuple[PaymentShown, ...], str]] = [
    ("no number", Transfer("20.00", "thanks"), (invoice(),), "names no invoice"),
    ("not known", Transfer("20.00", f"{H}-I1"), (invoice(),), "not known here"),
    ("a credit note", Transfer("20.00", C1), (invoice(C1, 0, kind="credit"),), "a credit note"),
    ("another currency", Transfer("20.00", I1, currency="USD"), (invoice(),), "another currency"),
    ("paid already", Transfer("20.00", I1), (invoice(still_open=0),), "is paid already"),
    ("another sum of two", Transfer("30.00", f"{I1} {I2}"), (invoice(), invoice(I2)),
     "another sum"),
    ("nothing at all", Transfer("0.00", I1), (invoice(),), "comes to nothing"),
    ("a reversal", Transfer("20.00", I1, reversal=True), (invoice(),), "a reversal"),
    ("money taken back", Transfer("20.00", I1, direction="DBIT", reversal=True), (invoice(),),
     "a reversal"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "transfer", "invoices", "why"), LEFT, ids=[each[0] for each in LEFT]
)
def test_what_can_t_be_said_is_left_to_somebody(
    what: str, transfer: Any, invoices: Any, why: str
) -> None:
    made = planned(transfer, invoices=invoices)
    assert made.receipts == ()
    (left,) = made.left
    assert why in left.problem
    assert left.credit.amount in (2_000, 3_000, 0)


def test_a_batch_that_does_not_add_up_is_left_whole() -> None:
    data = statement((Transfer("20.00", I1, "A"), Transfer("9.00", I2, "B")))
    read = read_statement(data.replace(b'<Amt Ccy="EUR">29.0</Amt>', b'<Amt Ccy="EUR">30.00</Amt>'))
    (credit,) = read.credits
    assert (credit.amount, credit.odd != "") == (3_000, True)


def test_money_that_was_counted_is_known_and_not_asked_for_again() -> None:
    (credit,) = read_statement(statement(Transfer("20.00", I1, "A1"))).credits
    receipt = {"report_id": "r", "amount": 2_000, "reference": credit.reference}
    before = invoice(
        still_open=0, receipts=(receipt | {"at": datetime(2026, 6, 15, 12, tzinfo=UTC)},)
    )
    made = plan((credit,), {I1: before})
    assert (made.known, made.receipts, made.left) == ((credit,), (), ())
