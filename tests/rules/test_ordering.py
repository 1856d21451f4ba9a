"""What the storefront makes of an order by a link, and of the link that confirms it."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from domain.people import name_mark
from runtime.links import Links
from schemas.api.orders import OrderGiven
from schemas.api.parts import PersonGiven
from schemas.groups import GroupPurchase
from schemas.orders import OrderConfirmed, OrderPlaced, OrderRefused, PurchaseRow, PurchaseState
from schemas.parts import Member, MemberPayment, Message, PaymentTerms, Period, Product
from schemas.people import Person
from services.storefront.access.callers import Access, Actor
from services.storefront.access.rates import Count
from services.storefront.commands import commands_of
from services.storefront.commands.orders import Confirmable
from services.storefront.problems import Impossible, Overtaken
from services.storefront.settings import PageSettings

NOW = datetime.now(UTC)
ANYBODY = Actor("member", "", "G", client="203.0.113.9")
ANN = Actor("member", "ann", "G", client="203.0.113.9")
BOB = Actor("member", "bob", "G", client="203.0.113.9")
EMAIL = "eve@people.example"
PERSON = Person(person_id="leaf:ann", email="ann@people.example", seen_at=NOW)
MEMBERS = (
    Member(id="ann", person_id="leaf:ann"),
    Member(id="bob", payment=MemberPayment(method="card")),
)


def group(**terms: Any) -> GroupPurchase:
    given: dict[str, Any] = {
        "group_id": "G", "request_id": "R", "version": 1, "requested_at": NOW, "issued_at": NOW,
        "product": Product(name="tea"), "number_of_products": 5, "unit_price": 100,
        "currency": "EUR", "opens_at": NOW - timedelta(hours=1),
        "closes_at": NOW + timedelta(days=1), "payment": PaymentTerms(method="invoice"),
    }  # fmt: skip
    return GroupPurchase(**given | terms)


def state(quantity: int, status: Any = "open") -> PurchaseState:
    return PurchaseState(
        group_id="G", request_id="R", version=2, status=status, quantity=quantity, value=0,
        currency="EUR", members=1, closed_at=None if status == "open" else NOW,
    )  # fmt: skip


def row_of(member_id: str, person_id: str, name_mark: str) -> PurchaseRow:
    return PurchaseRow(
        group_id="G", request_id="R", member_id=member_id, version=1, quantity=1, value=100,
        period=Period(opens_at=NOW, closes_at=NOW), orders=1, person_id=person_id,
        name_mark=name_mark,
    )  # fmt: skip


class Shop:
    """Commands over facts that are given, with all that is sent and all letters counted."""

    def __init__(self, *facts: Message, **settings: Any) -> None:
        self.facts = {fact.key: fact for fact in facts}
        self.sent: list[Message] = []
        self.letters: list[str] = []
        self.engine: Any = None
        pages = PageSettings(link_secret="a secret of the tests", answer_seconds=0, **settings)
        access = Access(pages, Links("a secret of the tests"), cast("Any", None), cast("Any", None))
        means: Any = self
        commands = commands_of(pages, means, means, means, access, means, means)
        self.commands, self.ids = commands.orders, commands.ids
        self.confirmed: list[str] = []
        self.commands._reservations = means

    async def fact(self, topic: str, key: str) -> Message | None:
        return self.facts.get(key)

    async def people(self, person_ids: Iterable[str | None]) -> dict[str, Person]:
        return {
            each: fact
            for each in person_ids
            if each and isinstance(fact := self.facts.get(each), Person)
        }

    async def order_confirmed(self, order_key: str) -> None:
        self.confirmed.append(order_key)

    async def send(self, topic: Any, *messages: Message) -> None:
        self.sent += messages

    async def count_all(self, counts: Sequence[Count]) -> None:
        self.letters += [each.who for each in counts if each.what == "letters-to-one"]

    def expect(self, topic: Any, *keys: str, when: Any = None) -> "Shop":
        return self

    def __enter__(self) -> "Shop":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    async def within(self, seconds: float) -> Message | None:
        return None

    def order(self, actor: Actor, quantity: int = 1, email: str | None = EMAIL) -> Any:
        given = OrderGiven(quantity=quantity, member=PersonGiven(email=email) if email else None)
        return asyncio.run(self.commands.place(actor, "G", given, "once"))

    def confirm(self, until: datetime, quantity: int = 1) -> Any:
        order = Confirmable("G", "ann", "storefront", "w-1", quantity, until)
        return asyncio.run(self.commands.confirm(order))


@pytest.mark.parametrize("scope", ["member", "group"])
@pytest.mark.parametrize(
    ("actor", "email"), [(ANYBODY, EMAIL), (ANN, None), (ANN, EMAIL), (BOB, EMAIL)]
)
def test_every_order_by_a_link_is_sent_as_unconfirmed(
    scope: Any, actor: Actor, email: str | None
) -> None:
    members = () if actor is ANYBODY else MEMBERS
    payment = PaymentTerms(scope=scope, method="invoice")
    shop = Shop(group(members=members, payment=payment), PERSON)
    ordered = shop.order(actor, email=email)
    assert ordered.state == "unconfirmed"
    (sent,) = shop.sent
    assert isinstance(sent, OrderPlaced)
    assert sent.unconfirmed
    # The letter is counted where it goes to: to the list's address if there is one.
    assert shop.letters == ["ann@people.example" if actor is ANN else EMAIL]
    # A typed address changes neither the list's address nor another person's.
    sent_on = None if actor is ANN else EMAIL
    assert sent.member_email == sent_on
    assert sent.person_id == (shop.ids.person_of(EMAIL) if sent_on else None)


def test_an_order_by_a_link_has_the_typed_name_and_else_the_one_given_before_in_the_group() -> None:
    shop = Shop(group(payment=PaymentTerms(scope="member", method="invoice")))
    member, person_id = shop.ids.of_address(EMAIL), shop.ids.person_of(EMAIL)
    terms = shop.facts["G"]
    assert isinstance(terms, GroupPurchase)

    def named(typed: str | None) -> str | None:
        given = OrderGiven(quantity=1, member=PersonGiven(email=EMAIL, name=typed))
        asyncio.run(shop.commands.place(ANYBODY, "G", given, "once"))
        sent = shop.sent[-1]
        assert isinstance(sent, OrderPlaced)
        return sent.member_name

    shop.facts[person_id] = Person(person_id=person_id, email=EMAIL, name="Zoe", seen_at=NOW)
    assert (named("Ann"), named("evil.example"), named(None)) == ("Ann", None, None)
    mark = name_mark(terms.request_id, "Zoe")
    shop.facts[f"G/member/{member}"] = row_of(member, person_id, mark)
    assert named(None) == "Zoe"
    # Somebody else's name, given elsewhere.
    shop.facts[f"G/member/{member}"] = row_of(member, person_id, name_mark("r-2", "Zoe"))
    assert named(None) is None


@pytest.mark.parametrize("scope", ["member", "group"])
def test_a_trusted_front_end_confirms_before_it_orders(scope: Any) -> None:
    payment = PaymentTerms(scope=scope, method="invoice")
    shop = Shop(group(payment=payment), trust_orders="yes")
    assert shop.order(ANN, email=None).state == "recorded"
    confirmed, placed = shop.sent
    assert isinstance(confirmed, OrderConfirmed)
    assert isinstance(placed, OrderPlaced)
    assert (confirmed.order_id, confirmed.source) == (placed.order_id, placed.source)
    assert placed.unconfirmed


@pytest.mark.parametrize(
    ("actor", "members", "asked"),
    [
        (ANYBODY, (), True),
        (ANYBODY, MEMBERS, True),
        (ANN, MEMBERS, False),
        (BOB, MEMBERS, True),
        (Actor("member", "zoe", "G", client="203.0.113.9"), MEMBERS, True),
        (ANN, (), True),
    ],
)
def test_who_has_no_address_here_is_asked_for_one(
    actor: Actor, members: tuple[Member, ...], asked: bool
) -> None:
    shop = Shop(group(members=members))
    assert shop.commands.asks_address(actor, group(members=members)) is asked
    if asked:
        with pytest.raises(Impossible) as refusal:
            shop.order(actor, email=None)
        assert [each.field for each in refusal.value.problems] == ["member.email"]
        assert not shop.sent


@pytest.mark.slow
@pytest.mark.parametrize("trust", ["yes", "no"])
@pytest.mark.parametrize(
    ("facts", "stops", "most"),
    [
        ((), False, 5),
        ((), True, 5),
        ((state(3),), False, 5),
        ((state(3),), True, 2),
        ((state(4),), True, 1),
        ((state(7, "complete"),), True, 5),
    ],
)
def test_an_order_has_at_most_what_the_group_still_takes(
    trust: Any, facts: tuple[Message, ...], stops: bool, most: int
) -> None:
    terms = group(stop_at_number=stops)

    class WithBoth(Shop):
        async def fact(self, topic: str, key: str) -> Message | None:
            return terms if topic == "group-purchases" else next(iter(facts), None)

    shop = WithBoth(trust_orders=trust)
    assert asyncio.run(shop.commands.units_by_link_max(terms)) == most
    for quantity in (most + 1, 10**9):
        with pytest.raises(Impossible) as refusal:
            shop.order(ANYBODY, quantity)
        (problem,) = refusal.value.problems
        assert (problem.field, problem.problem.endswith(f"at most {most}")) == ("quantity", True)
    assert not shop.sent


@pytest.mark.parametrize("method", ["card", "invoice"])
def test_a_link_confirms_and_again(method: Any) -> None:
    shop = Shop(group(payment=PaymentTerms(method=method)))
    for _ in range(2):
        assert shop.confirm(datetime.now(UTC) + timedelta(seconds=30)).state == "recorded"
    assert [type(each) for each in shop.sent] == [OrderConfirmed] * 2
    assert {each.event_id for each in shop.sent} == {"G/storefront/w-1"}
    assert set(shop.confirmed) == {"G/storefront/w-1"}, "the link's page says so from now on"


@pytest.mark.parametrize(
    ("reason", "left", "refusal"),
    [
        (None, timedelta(0), Overtaken),
        ("expired", timedelta(hours=1), Overtaken),
        ("withdrawn", timedelta(hours=1), Impossible),
        ("beyond-limits", timedelta(hours=1), Impossible),
    ],
)
def test_what_is_void_or_refused_is_not_confirmed(
    reason: str | None, left: timedelta, refusal: type[Exception]
) -> None:
    shop = Shop(group())
    if reason:
        answer = OrderRefused(
            group_id="G", order_id="w-1", source="storefront", member_id="ann", quantity=1,
            reason=reason,
        )  # fmt: skip
        shop.facts[answer.key] = answer
    with pytest.raises(refusal):
        shop.confirm(datetime.now(UTC) + left)
    assert not shop.sent
    assert not shop.confirmed
