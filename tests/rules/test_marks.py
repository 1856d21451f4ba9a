"""The same money counts once, and equal money as often as it came, whatever statements tell it."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.ids import derive
from schemas.api.payments import PaymentDetail
from schemas.parts import Receipt
from terminal.receipts import Plan, plan
from terminal.statements import read_statement
from tests.bank import Sheet, Transfer, message, statement, stmt

I1 = f"{derive('spring-oil')}-I1"
HALF = Transfer("10.00", I1)
OPEN = 10**9
#: Fields of a payment that marks do not read.
UNTOLD = ("member_id", "begun_at", "quantity", "value", "favor", "page", "problem")


@dataclass
class Books:
    """An invoice, and the money that imports counted for it."""

    invoice: PaymentDetail = field(
        default_factory=lambda: PaymentDetail.model_validate(
            {"payment_id": "p", "group_id": "g", "kind": "invoice", "amount": OPEN}
            | {"currency": "EUR", "status": "pending", "number": I1, "received": 0}
            | {"receipts": (), "open": OPEN, "version": 1, "method": "invoice"}
            | {"cause": {"kind": "order"}}
            | dict.fromkeys(UNTOLD),
            strict=False,
        )
    )
    counted: list[str] = field(default_factory=list)

    def take(self, *files: bytes) -> Plan:
        """Import files at once, and count what is planned."""
        credits = [credit for file in files for credit in read_statement(file).credits]
        made = plan(credits, {I1: self.invoice})
        at = datetime(2026, 6, 15, tzinfo=UTC)
        for each in made.receipts:
            reference = each.credit.reference
            assert reference not in {known.reference for known in self.invoice.receipts}
            self.counted.append(f"{each.credit.booked_on} {each.credit.text}")
            receipt = Receipt(report_id="r", amount=each.amount, reference=reference, at=at)
            receipts = (*self.invoice.receipts, receipt)
            self.invoice = self.invoice.model_copy(update={"receipts": receipts})
        return made


def page(at: int, *entries: Transfer, is_last: bool = False, **said: str) -> bytes:
    return statement(*entries, sheet=Sheet(page=at, is_last=is_last, **said))


UNDATED = replace(HALF, day="")
VALUED = replace(HALF, day="", value_day="2026-06-15")
# Files that are imported one after the other; how many are counted in the end, left to people.
IMPORTS: list[tuple[str, list[bytes], int, int]] = [
    ("two alike in one statement", [statement(HALF, HALF)], 2, 0),
    ("the same statement twice", [statement(HALF, HALF), statement(HALF, HALF)], 2, 0),
    ("two alike with a value date alone", [statement(VALUED, VALUED)] * 2, 2, 0),
    ("two alike without a date", [statement(UNDATED, UNDATED)] * 2, 2, 0),
    ("alike on two days", [statement(HALF), statement(replace(HALF, day="2026-06-16"))], 2, 0),
    ("an overlapping one that knows more", [statement(HALF), statement(HALF, HALF)], 2, 0),
    ("an overlapping one that knows less", [statement(HALF, HALF), statement(HALF)], 2, 0),
    ("two pages of a day", [page(1, HALF), page(2, HALF, is_last=True)], 2, 0),
    ("two pages of a day, the last first", [page(2, HALF, is_last=True), page(1, HALF)], 2, 0),
    ("two pages of a day, twice", [page(1, HALF), page(2, HALF)] * 2, 2, 0),
    ("two pages with ids of their own", [page(1, HALF, id="a"), page(2, HALF, id="b")], 2, 0),
    ("two pages of one number", [page(1, HALF, number="7"), page(2, HALF, number="7")], 2, 0),
    ("two pages of one period",
     [page(n, HALF, number="7", period="2026-06-15/2026-06-15") for n in (1, 2)], 2, 0),
    ("three pages, each with two", [page(n, HALF, HALF) for n in (1, 2, 3)], 6, 0),
    ("pages without a date", [page(1, UNDATED), page(2, UNDATED)] * 2, 2, 0),
    ("pages, then the whole", [page(1, HALF), page(2, HALF), statement(HALF, HALF)], 2, 0),
    ("the whole, then pages", [statement(HALF, HALF), page(1, HALF), page(2, HALF)], 2, 0),
    ("one page, the whole, the other page",
     [page(1, HALF), statement(HALF, HALF), page(2, HALF)], 2, 0),
    ("the only page of one", [page(1, HALF, is_last=True), statement(HALF)], 1, 0),
    ("pages of two statements that nothing tells apart",
     [page(1, HALF, number="7"), page(2, HALF, number="8")], 1, 1),
    ("two statements without a date",
     [statement(UNDATED), statement(UNDATED, sheet=Sheet(id="2"))], 1, 1),
    ("two statements of a day in one file",
     [message(stmt(HALF), stmt(HALF, sheet=Sheet(id="2")))], 1, 1),
    ("the bank's own name without a date, told again",
     [statement(replace(UNDATED, reference="A1"), sheet=Sheet(id=each)) for each in "12"], 1, 0),
    ("two names of the bank's", [statement(*(replace(HALF, reference=each) for each in "AB"))], 2,
     0),
    ("a name of the bank's, the text cut next time",
     [statement(replace(HALF, reference="A1", text=f"{I1}{more}")) for more in (" and more", "")],
     1, 0),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "files", "counted", "left"), IMPORTS, ids=[each[0] for each in IMPORTS]
)
def test_equal_money_counts_as_often_as_it_came(
    what: str, files: list[bytes], counted: int, left: int
) -> None:
    books = Books()
    plans = [books.take(file) for file in files]
    assert len(books.counted) == counted
    assert [each.reason for each in plans[-1].left] == ["maybe-known"] * left
    # All of them at once, as a ZIP holds them.
    together = Books()
    together.take(*files)
    assert len(together.counted) == counted


# --- any histories -------------------------------------------------------------------------------

DAYS = 4
TEXTS = (f"{I1} a", f"{I1} b")
#: How many transfers alike came on each day with each text.
came = st.lists(
    st.tuples(st.integers(0, DAYS - 1), st.sampled_from(TEXTS)), min_size=1, max_size=10
)


@dataclass(frozen=True)
class Told:
    """A statement of some days in some order of entries, in so many pages; 1 is a whole one."""

    first: int
    last: int
    pages: int
    shuffle: int


told = st.builds(
    lambda days, pages, shuffle: Told(min(days), max(days), pages, shuffle),
    st.tuples(st.integers(0, DAYS - 1), st.integers(0, DAYS - 1)),
    st.sampled_from((1, 1, 2, 3)),
    st.integers(0, 99),
)


def files_of(of: Told, money: list[tuple[int, str]]) -> list[bytes]:
    entries = [each for each in money if of.first <= each[0] <= of.last]
    Random(of.shuffle).shuffle(entries)
    period = f"2026-06-{10 + of.first}/2026-06-{10 + of.last}"
    made = []
    for number in range(of.pages):
        its = [
            Transfer("10.00", text, day=f"2026-06-{10 + day}")
            for day, text in entries[number :: of.pages]
        ]
        sheet = Sheet(period=period, number=f"{of.pages}{of.shuffle}")
        if of.pages > 1:
            sheet = replace(sheet, page=number + 1, is_last=number + 1 == of.pages)
        made.append(statement(*its, sheet=sheet))
    return made


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(money=came, statements=st.lists(told, min_size=1, max_size=4), order=st.randoms())
def test_whatever_is_imported_nothing_counts_twice_and_nothing_is_lost(
    money: list[tuple[int, str]], statements: list[Told], order: Random
) -> None:
    """In any order of files, each of them more than once, overlapping, whole or in pages."""
    files = [file for each in statements for file in files_of(each, money)]
    imports = files * 2
    order.shuffle(imports)
    books = Books()
    truth = Counter(f"2026-06-{10 + day} {text}" for day, text in money)
    for file in imports:
        books.take(file)
        assert not Counter(books.counted) - truth
    covered = {day for each in statements for day in range(each.first, each.last + 1)}
    expected = Counter(f"2026-06-{10 + day} {text}" for day, text in money if day in covered)
    # What was left to people because nobody can tell is said each time.
    left = [credit for file in files for credit in books.take(file).left]
    doubted = {f"{each.credit.booked_on} {each.credit.text}" for each in left}
    missing = expected - Counter(books.counted)
    assert set(missing) <= doubted
    if len({each for each in statements if each.pages > 1}) <= 1:
        assert not doubted
