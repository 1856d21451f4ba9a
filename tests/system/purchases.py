"""What several system tests tell of a group purchase, and what they read of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from domain.ids import derive
from schemas.groups import GroupPurchase
from schemas.orders import OrderPaid
from schemas.parts import Product
from tests.system.stack import Stack, partition_of

#: Not long ago: Kafka compacts facts of more than a week ago at once, and the tests read them all.
T = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=12)


def groups_in(partition: int, count: int) -> list[str]:
    """Ids of groups whose records sit in a partition."""
    names = (derive(f"request-{number}") for number in range(1_000))
    return [name for name in names if partition_of(name) == partition][:count]


def group_until(
    group_id: str, closes_at: datetime, opens_at: datetime, **terms: Any
) -> GroupPurchase:
    """Terms that only the deadline closes."""
    return GroupPurchase(
        group_id=group_id,
        request_id=f"request-of-{group_id}",
        version=terms.pop("version", 1),
        requested_at=opens_at,
        issued_at=opens_at,
        product=Product(name="Sencha, 1 kg"),
        number_of_products=1_000_000,
        opens_at=opens_at,
        closes_at=closes_at,
        grace_seconds=0,
        **terms,
    )


def order_at(group_id: str, number: int, ordered_at: datetime, quantity: int = 1) -> OrderPaid:
    """The group's n-th order."""
    return OrderPaid(
        order_id=f"{group_id}-{number}",
        source="shop",
        group_id=group_id,
        member_id="ann",
        quantity=quantity,
        ordered_at=ordered_at,
    )


def text(at: datetime) -> str:
    """A time as facts show it."""
    return at.isoformat().replace("+00:00", "Z")


def states(stack: Stack, group_id: str) -> list[dict[str, Any]]:
    """Every summary of a group, in order."""
    return [each.value for each in stack.read("purchases") if each.key == group_id]


def closings(stack: Stack, group_id: str) -> list[dict[str, Any]]:
    """What the deadline decided: the first summary of each close, so one at most."""
    told = states(stack, group_id)
    return [
        state
        for before, state in zip([None, *told], told, strict=False)
        if state["status"] != "open" and (before is None or before["status"] == "open")
    ]
