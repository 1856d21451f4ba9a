"""Sums over a payer's invoices, credit notes and refunds, and what is open of each invoice."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.invoices import Sums, open_of, sums_of


@dataclass(frozen=True)
class Move:
    """A payment, as far as the sums need it."""

    kind: str
    amount: int
    status: str = "pending"
    received: int | None = None
    method: str = "invoice"


SUMS: list[tuple[str, tuple[Move, ...], Sums, int]] = [
    # what, payments, sums, open in all
    ("nothing", (), Sums(), 0),
    ("an invoice", (Move("invoice", 900),), Sums(900), 900),
    ("a part came", (Move("invoice", 900, received=300),), Sums(900, received=300), 600),
    ("too much came", (Move("invoice", 900, received=1_000),), Sums(900, received=1_000), -100),
    ("too much went back",
     (Move("invoice", 900, received=1_000), Move("refund", 100)),
     Sums(900, received=1_000, refunded=100), 0),
    ("a credit note", (Move("invoice", 900), Move("credit", 100)), Sums(900, 100), 800),
    ("an invoice that its credit note covers",
     (Move("invoice", 900, "cancelled"), Move("credit", 900, "succeeded")), Sums(900, 900), 0),
    ("a credit note that is called off",
     (Move("invoice", 900), Move("credit", 100, "cancelled")), Sums(900), 900),
    ("a refund that failed still stands",
     (Move("invoice", 900, received=950), Move("refund", 50, "failed")),
     Sums(900, received=950, refunded=50), 0),
    ("other methods", (Move("refund", 50, method="shop"), Move("charge", 50, method="card")),
     Sums(), 0),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "payments", "sums", "in_all"), SUMS, ids=[each[0] for each in SUMS]
)
def test_sums_of_a_payer(what: str, payments: tuple[Move, ...], sums: Sums, in_all: int) -> None:
    assert sums_of(payments) == sums
    assert sums_of(payments).open == in_all


STATUSES = st.sampled_from(["pending", "succeeded", "failed", "cancelled"])
MOVES = st.lists(
    st.builds(
        Move,
        st.sampled_from(["invoice", "credit", "refund"]),
        st.integers(0, 1_000),
        STATUSES,
        st.none() | st.integers(0, 1_200),
        st.sampled_from(["invoice", "invoice", "card"]),
    )
)


@given(MOVES)
def test_no_more_is_open_of_an_invoice_than_is_left_of_it_and_in_all(moves: list[Move]) -> None:
    in_all = max(0, sums_of(moves).open)
    for each in moves:
        still = open_of(each, moves)
        assert 0 <= still <= in_all
        assert still <= max(0, each.amount - (each.received or 0))
        if each.kind != "invoice" or each.status != "pending":
            assert still == 0
