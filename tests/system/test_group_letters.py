"""The letters of a group purchase as a mail server other than ours reads them."""

import re
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.groups import GroupPurchaseRequested
from schemas.orders import OrderPaid
from schemas.parts import Contact, FavorTerms, ListedMember, Product, Tier
from stack.brokers import RunningBroker
from tests.system.letters import mail_env
from tests.system.mail import Mailpit
from tests.system.purchases import T
from tests.system.stack import Stack, stack_on
from tests.system.test_counter_auction import stamped

pytestmark = pytest.mark.system

TEA = "Sencha 煎茶, 1 kg"
TOKYO = ZoneInfo("Asia/Tokyo")
CLOSES_AT = T + timedelta(hours=8)
DEE = Contact(id="dee", name="Dee", email="dee@letters.example")
MEMBERS = (
    ListedMember(id="ann", name="Ann", email="ann@letters.example", time_zone="Europe/Berlin"),
    ListedMember(
        id="hanako",
        name="山田 花子",
        email="hanako@letters.example",
        locale="ja",
        time_zone="Asia/Tokyo",
    ),
)
#: (to, kind): what the letter says in text and HTML.
EXPECTED: dict[tuple[str, str], tuple[str, ...]] = {
    ("dee", "id-issued"): (TEA, "5"),
    ("ann", "id-issued"): (TEA, "Ann"),
    ("hanako", "id-issued"): (TEA, "山田 花子", f"{CLOSES_AT.astimezone(TOKYO):%-H:%M}"),
    ("ann", "order-counted"): (TEA, "2", "€48.00"),
    ("hanako", "order-counted"): (TEA, "3", "72.00"),
    ("ann", "favor-given"): (TEA, "€4.80"),
    ("hanako", "favor-given"): (TEA, "7.20"),
    ("hanako", "order-refused"): ("1",),
}


@pytest.mark.parametrize("broker_kind", ["kafka", pytest.param("embedded", marks=pytest.mark.long)])
def test_every_letter_of_a_group_purchase_arrives_once_and_says_what_is_so(
    broker_kind: str, mailpit: Mailpit, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    broker: RunningBroker = request.getfixturevalue(broker_kind)
    mailpit.delete_all()
    with stack_on(broker, tmp_path) as stack:
        stack.start("request_service", "order_service", "favor_service")
        stack.start("notifier", **mail_env(mailpit.port))
        group_id = _requested(stack)
        for number, member in enumerate(MEMBERS, 2):
            paid = _paid(group_id, member.id, quantity=number)
            stack.feed("orders", *[stamped(paid, paid.ordered_at)] * 2)
        stack.pass_time(T + timedelta(hours=2), "orders", "group-purchase-requests")
        stack.wait_for("purchases", group_id, status="complete", quantity=5)
        late = _paid(group_id, "hanako", quantity=1, hours=9)
        stack.feed("orders", stamped(late, late.ordered_at))
        stack.pass_time(T + timedelta(hours=10), "orders", "group-purchase-requests")
        stack.wait_for("purchases", f"{group_id}/refused/shop/hanako-9")
        stack.wait_idle()
        listed = mailpit.wait_for(len(EXPECTED))
        letters = [_read(mailpit, each["ID"]) for each in listed]
        deliveries = stack.latest("deliveries")

    assert Counter(which for which, _ in letters) == Counter(dict.fromkeys(EXPECTED, 1))
    assert {each["status"] for each in deliveries.values()} == {"sent"}
    for which, letter in letters:
        assert letter["From"]["Address"] == "jointbuy@shop.example"
        assert group_id in letter["Subject"] + letter["Text"]
        for body in ("Text", "HTML"):
            for said in EXPECTED[which]:
                assert said in letter[body], (which, body, said, letter[body])


def _requested(stack: Stack) -> str:
    asked = GroupPurchaseRequested(
        request_id="letters",
        requested_at=T,
        organizer=DEE,
        product=Product(name=TEA),
        number_of_products=5,
        unit_price=2_400,
        currency="EUR",
        opens_at=T,
        closes_at=CLOSES_AT,
        grace_seconds=0,
        members=MEMBERS,
        favor=FavorTerms(tiers=(Tier(from_quantity=5, percent_off=10),)),
    )
    stack.feed("group-purchase-requests", stamped(asked, T))
    stack.pass_time(T + timedelta(minutes=5), "group-purchase-requests", "orders")
    outcome = stack.wait_for("request-outcomes", "letters")
    return str(outcome["group_id"])


def _paid(group_id: str, member_id: str, quantity: int, hours: int = 1) -> OrderPaid:
    return OrderPaid(
        order_id=f"{member_id}-{hours}",
        source="shop",
        group_id=group_id,
        member_id=member_id,
        quantity=quantity,
        ordered_at=T + timedelta(hours=hours),
    )


def _read(mailpit: Mailpit, id: str) -> tuple[tuple[str, str], dict[str, Any]]:
    """To whom and of what kind it is, and what the server made of it."""
    letter = mailpit.message(id)
    (to,) = letter["To"]
    (kind,) = re.findall(rb"^X-Jointbuy-Kind: (\S+)\r?$", mailpit.raw(id), re.M)
    return (to["Address"].partition("@")[0], kind.decode()), letter
