"""The whole way of a group purchase, from the request to the favor, on a real broker."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.ids import derive
from runtime.records import milliseconds
from schemas.groups import GroupPurchaseRequested
from schemas.orders import OrderPaid
from schemas.parts import FavorTerms, ListedMember, Product, Tier
from stack.brokers import RunningBroker
from tests.system.stack import stack_on

pytestmark = pytest.mark.system
T = datetime(2026, 5, 4, 9, tzinfo=UTC)
SERVICES = ("request_service", "order_service", "favor_service")


@pytest.mark.parametrize("broker_kind", ["kafka", "embedded"])
def test_listed_members_who_all_order_get_their_favor_at_once(
    broker_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """A request becomes an id, orders become rows, and the last one brings everyone's favor.

    Who has an address is told of each step by letter, whatever the feed repeats.
    """
    broker: RunningBroker = request.getfixturevalue(broker_kind)
    asked = GroupPurchaseRequested(
        request_id="office-tea",
        requested_at=T,
        product=Product(name="Sencha, 1 kg"),
        number_of_products=5,
        unit_price=2_400,
        currency="EUR",
        members=(ListedMember(id="ann", email="ann@x.example"), ListedMember(id="bob")),
        favor=FavorTerms(tiers=(Tier(from_quantity=5, percent_off=10),)),
    )
    group_id = derive("office-tea")
    with stack_on(broker, tmp_path) as stack:
        stack.start(*SERVICES)
        stack.feed("group-purchase-requests", (asked, milliseconds(T)))
        stack.wait_for("request-outcomes", "office-tea", group_id=group_id)
        for member, quantity, minutes in [("ann", 2, 1), ("bob", 3, 2)]:
            at = T + timedelta(minutes=minutes)
            order = OrderPaid(
                order_id=f"order-of-{member}",
                source="shop",
                group_id=group_id,
                member_id=member,
                quantity=quantity,
                ordered_at=at,
            )
            # Feeds repeat themselves; a purchase counts once all the same.
            stack.feed("orders", (order, milliseconds(at)), (order, milliseconds(at)))
        decision = stack.wait_for("favors", group_id, members=2)
        state = stack.latest("purchases")[group_id]
        favors = stack.latest("favors")
        stack.wait_for("notices", "ann", kind="favor-given")
        letters = [record.value for record in stack.read("notices")]
        people = [(record.key, record.value["email"]) for record in stack.read("people")]

    assert (state["status"], state["quantity"], state["value"]) == ("complete", 5, 12_000)
    assert favors[f"{group_id}/member/ann"]["amount"] == 480
    assert favors[f"{group_id}/member/bob"]["amount"] == 720
    assert decision["total"] == 1_200
    assert people == [("ann", "ann@x.example")]
    assert sorted((letter["kind"], letter["recipient_id"]) for letter in letters) == [
        ("favor-given", "ann"),
        ("id-issued", "ann"),
        ("order-counted", "ann"),
    ]
