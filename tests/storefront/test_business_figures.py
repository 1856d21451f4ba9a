"""Figures of the business are those of the facts, in whatever order they came."""

from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import REGISTRY

from schemas.auctions import ConditionReplaced, ShownOffer
from schemas.parts import Message
from schemas.payments import Payment
from services.storefront.readmodel import figures
from tests.read_model import model_of
from tests.storefront.test_read_model import auction, group, state, write

#: A minute after the time of each record that ``write`` writes.
NOW = datetime.fromtimestamp(61, UTC)


def payment(number: int, kind: str, method: str, status: str, amount: int, **more: Any) -> Payment:
    said = {
        "payment_id": f"p-{number}",
        "group_id": "g-000",
        "member_id": "ann",
        "kind": kind,
        "method": method,
        "amount": amount,
        "currency": "EUR",
        "status": status,
        "cause": {"kind": "order"},
        "version": 1,
    }
    return Payment.model_validate(said | more)


def takeover(number: int, version: int, before: int, after: int) -> ConditionReplaced:
    offers = (
        ShownOffer(offer_id=f"o-{price}", seller_id="s", unit_price=price, minimum_reservations=1)
        for price in (before, after)
    )
    return ConditionReplaced(
        auction_id=f"a-{number:03}",
        version=version,
        before=next(offers),
        shown=next(offers),
        currency="EUR",
        at=NOW,
    )


FACTS: tuple[Message, ...] = (
    *(group(number, currency="EUR") for number in range(4)),
    state(0, status="open", quantity=79, value=12_345),
    state(1, status="open", quantity=80, value=100),
    state(2, status="complete", quantity=100, value=5_000),
    # Without its terms, it is on no list and in no figure.
    state(9, status="elapsed", value=7),
    auction(0, status="open", reservations=40),
    auction(1, status="open", reservations=39),
    auction(2, status="concluded", reservations=3),
    auction(3, status="failed", reservations=5),
    takeover(0, 2, 900, 800),
    takeover(2, 2, 90_000, 85_000),
    takeover(2, 3, 85_000, 84_950),
    takeover(3, 2, 900, 800),
    payment(1, "authorisation", "card", "authorised", 1_000),
    payment(2, "authorisation", "card", "cancelled", 2_000),
    payment(3, "authorisation", "card", "authorised", 700, currency="JPY"),
    payment(4, "invoice", "invoice", "pending", 5_000, received=2_000),
    payment(5, "credit", "invoice", "succeeded", 1_000),
    payment(6, "refund", "shop", "pending", 400, member_id="bob"),
    payment(7, "charge", "shop", "succeeded", 4_000, member_id="bob"),
    payment(8, "refund", "card", "pending", 300, member_id="cat"),
    payment(9, "refund", "card", "succeeded", 300, member_id="cat"),
)
FIGURES: tuple[tuple[str, dict[str, str], float | None], ...] = (
    ("groups", {"status": "open"}, 3),
    ("groups", {"status": "complete"}, 1),
    ("groups", {"status": "elapsed"}, 0),
    ("groups_near", {}, 1),
    ("groups_ordered_money", {"status": "open", "currency": "EUR"}, 124.45),
    ("groups_ordered_money", {"status": "complete", "currency": "EUR"}, 50),
    ("auctions", {"status": "open"}, 2),
    ("auctions", {"status": "concluded"}, 1),
    ("auctions", {"status": "withdrawn"}, 0),
    ("auctions_near", {}, 1),
    ("auctions_saved_money", {"currency": "EUR"}, 3 * 50.5),
    ("held_money", {"currency": "EUR"}, 10),
    ("held_money", {"currency": "JPY"}, 700),
    # 50 claimed, 20 received and 10 credited of ann; to bob and cat what is not paid back.
    ("owed_money", {"currency": "EUR", "side": "by-payers"}, 20),
    ("owed_money", {"currency": "EUR", "side": "to-payers"}, 7),
    ("payments_pending", {"method": "card", "kind": "refund"}, 1),
    ("payments_pending", {"method": "card", "kind": "charge"}, None),
    ("payments_pending_oldest_seconds", {"method": "card", "kind": "refund"}, 60),
    ("payments_pending_oldest_seconds", {"method": "invoice", "kind": "invoice"}, 60),
)


async def shown(url: str) -> dict[tuple[str, str], float | None]:
    """Each figure of the table as metrics show it now."""
    engine = model_of(url)
    await figures.show(engine, NOW)
    await engine.dispose()
    return {
        (name, str(labels)): REGISTRY.get_sample_value(f"jointbuy_{name}", labels)
        for name, labels, _ in FIGURES
    }


@pytest.mark.parametrize("turned", [False, True])
async def test_figures_are_those_of_the_facts(url: str, turned: bool) -> None:
    for fact in FACTS[::-1] if turned else FACTS:
        await write(url, fact)
    expected = {(name, str(labels)): value for name, labels, value in FIGURES}
    assert await shown(url) == expected
    await write(url, *FACTS)
    assert await shown(url) == expected, "the same facts once more"


async def test_what_is_over_or_deleted_is_in_no_figure(url: str) -> None:
    await write(url, *FACTS)
    await write(
        url,
        payment(8, "refund", "card", "succeeded", 300, member_id="cat", version=2),
        payment(1, "authorisation", "card", "succeeded", 1_000, version=2),
        deleted=(("auctions", "a-002/replaced/2"), ("payments", "g-000/payment/p-6")),
    )
    found = await shown(url)
    assert found["payments_pending", str({"method": "card", "kind": "refund"})] is None
    assert found["held_money", str({"currency": "EUR"})] is None
    assert found["owed_money", str({"currency": "EUR", "side": "to-payers"})] == 0
    assert found["auctions_saved_money", str({"currency": "EUR"})] == 3 * 0.5


async def test_no_number_is_too_large(url: str) -> None:
    """Sums of what a fact may hold pass what a database's number holds."""
    most = 10**15
    await write(url, *(payment(n, "authorisation", "card", "authorised", most) for n in range(3)))
    await write(url, auction(0, status="concluded", reservations=most), takeover(0, 2, most, 0))
    found = await shown(url)
    assert found["held_money", str({"currency": "EUR"})] == 3 * most / 100
    assert found["auctions_saved_money", str({"currency": "EUR"})] == pytest.approx(1e28)
