"""Whatever happens in whatever order: nobody pays too much or twice, and all ends settled."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.invoices import open_of
from domain.ledger import balances, entries
from papers.bills import Payer, bill_of
from schemas.parts import FavorTerms, Tier
from schemas.payments import PaymentRetried
from services.payment_service.rules.book import Book
from services.payment_service.rules.reports import open_amount
from tests.rules.payment_world import DAY, HOUR, World, terms
from tests.simulator.auctions import Record

MEMBERS = ("ann", "bob", "eve")
FAVORS = (
    FavorTerms(tiers=(Tier(from_quantity=2, percent_off=10),)),
    FavorTerms(scope="group", tiers=(Tier(from_quantity=3, percent_off=7.5),)),
    FavorTerms(
        tiers=(Tier(from_quantity=1, amount_off=150), Tier(from_quantity=6, amount_off=400))
    ),
    FavorTerms(tiers=(Tier(from_quantity=1, unit_price=900),)),
    FavorTerms(tiers=(Tier(from_quantity=1, gift="a cup"),)),
    FavorTerms(),
)


def world_of(random: Random) -> World:
    methods = {
        member: random.choice(("card", "card", "invoice", "shop"))
        for member in MEMBERS
        if random.random() < 0.5
    }
    group = terms(
        scope=random.choice(("member", "member", "group")),
        method=random.choice(("card", "card", "invoice", "shop")),
        methods=methods if len(methods) == len(MEMBERS) or random.random() < 0.2 else None,
        days=random.choice((0.5, 3, 6, 20)),
        number=random.choice((3, 6, 1_000)),
        if_incomplete=random.choice(("as-reached", "none", "cancel-all")),
        favor=random.choice(FAVORS),
    )
    return World(random, group, stored=random.random() < 0.2)


def step(world: World) -> None:
    """One thing that happens."""
    random = world.random
    placed = [each for each in world.orders if random.random() < 0.5]
    orders_last = world.now < world.terms.closes_at + 80 * HOUR
    match random.randrange(20):
        case 0 | 1 | 2 if orders_last and len(world.orders) < 7:
            value = random.choice((0, 0, 0, 1, 777))
            member = random.choice(MEMBERS)
            paid = random.random() < 0.25
            by_link = not paid and random.random() < 0.3
            world.order(member, random.randint(1, 4), paid=paid, value=value, unconfirmed=by_link)
        case 3 if placed and random.random() < 0.3:
            world.pay_at_shop(placed[0])
        case 4 if placed and random.random() < 0.5:
            world.cancel(placed[0])
        case 5 if placed:
            name = placed[0] if random.random() < 0.5 else None
            world.give_back(world.orders[placed[0]].member_id, random.randint(1, 3), name)
        case 6 if random.random() < 0.05:
            world.withdraw()
        case 7 | 8:
            world.call(random.choice(("well", "well", "lost", "killed", "not")))
        case 9:
            world.hear_provider(again=random.random() < 0.3)
        case 10:
            sessions = [each for each in world.open_sessions() if world._is_known(each)]
            if sessions:
                name = random.choice(sessions)
                done = world.provider.pay if random.random() < 0.9 else world.provider.abandon
                done(name, world.now)
        case 11:
            world.answer_instruction(succeeds=random.random() < 0.8)
        case 12 if random.random() < 0.3:
            world.retry_failed()
        case 13:
            span = random.choice((HOUR / 30, HOUR, 10 * HOUR, 3 * DAY))
            world.pass_time(world.now + span)
        case 14 if world.provider.intents and random.random() < 0.1:
            world.provider.lapse(random.choice(list(world.provider.intents)), world.now)
        case 14 if paid := [n for n, each in world.provider.intents.items() if each.received]:
            state = random.choice(("open", "open", "won", "lost"))
            world.provider.say_disputed(random.choice(paid), state, world.now)
        case 15 if random.random() < 0.3:
            refunds = [p for p, each in world.latest().items() if each.kind == "refund"]
            world.provider.declines.update(refunds[-1:])
        case 17 if placed:
            world.confirm(placed[0])
        case 16 if world._read:
            service, topic = random.choice([*world._read])
            if world._read[service, topic]:
                world.read(service, topic, again=True)
        case _:
            unread = world.unread()
            for _ in range(min(len(unread), random.randint(1, 5))):
                if unread := world.unread():
                    world.read(*random.choice(unread))


def live(seed: int) -> World:
    random = Random(seed)
    world = world_of(random)
    for _ in range(random.randint(5, 120)):
        step(world)
        check_sums(world)
        check_papers(world)
    share = random.choice((1.0, 0.9))
    refusing = Random(seed + 1)
    world.come_to_rest(pays=lambda _: refusing.random() < share)
    if random.random() < 0.3:  # banks dispute payments long after
        for name in list(world.provider.intents):
            world.provider.say_disputed(name, "open", world.now)
        for _ in range(random.randint(0, 60)):
            step(world)
            check_sums(world)
    if world.now < world.terms.closes_at + 2 * HOUR:
        world.pass_time(world.terms.closes_at + 2 * HOUR)
    world.come_to_rest()
    return world


def told(world: World) -> str:
    lines = [f"{world.terms.payment} {world.terms.members}"]
    lines += [
        f"{each.member_id} {each.kind} {each.method} {each.amount} {each.status} {each.cause}"
        f" {each.problem}"
        for each in world.latest().values()
    ]
    rows = world.payments.rows
    lines += [f"{name}: {row}" for name, row in rows.items() if not name.startswith("payment/")]
    lines += [str(each) for each in world.commands["orders"]]
    return "\n".join(lines)


def check(world: World) -> None:
    for payer, amount in world.owed().items():
        paid = world.paid(payer)
        assert paid == amount, f"{payer} owes {amount}, paid {paid}\n{told(world)}"
    assert world.is_settled(), told(world)
    for payer, agreed in world.agreed.items():
        assert 0 <= world.provider.net(payer) <= agreed
        assert 0 <= world.at_bank[payer] <= agreed
    check_books(world)
    check_papers(world)


def check_books(world: World) -> None:
    """The ledger sums to zero, leaves nothing open, and has the provider's and the bank's sums."""
    booked = list(entries(world.latest().values()))
    assert sum(entry.amount for entry in booked) == 0
    sums = balances(booked)
    assert not [account for account in sums if account[0] in ("receivable", "held")], sums
    for payer in world.agreed:
        assert sums.get(("card", payer), 0) == world.provider.net(payer)
        assert sums.get(("bank", payer), 0) == world.at_bank[payer]
        assert sums.get(("shop", payer), 0) == world.at_shop[payer]


def check_papers(world: World) -> None:
    """A paper's lines come to its amount; as open it says what payment_service takes as open."""
    facts = world.latest()
    for payment in facts.values():
        if payment.number is None:
            continue
        mine = [each for each in facts.values() if each.member_id == payment.member_id]
        bill = bill_of(payment, world.terms.product, Payer(id="ann"), open_of(payment, mine))
        total = sum(line.amount for line in bill.lines)
        assert total == (-payment.amount if bill.is_credit else payment.amount), payment
        assert sum(each.amount for each in payment.receipts or ()) == (payment.received or 0)
        if payment.kind == "invoice" and payment.status == "pending":
            book = Book(payment.member_id or "", world.payments.rows, world.now)
            assert bill.open == open_amount(book.moves[payment.payment_id], book.moves)


def check_sums(world: World) -> None:
    """In the midst of it too: the books balance, and the bank's account is what was reported."""
    booked = list(entries(world.latest().values()))
    assert sum(entry.amount for entry in booked) == 0
    sums = balances(booked)
    of_cards = sum(amount for (account, _), amount in sums.items() if account == "card")
    assert 0 <= of_cards <= sum(world.agreed.values())
    assert all(amount >= 0 for (account, _), amount in sums.items() if account == "held")


def check_repeats(world: World) -> None:
    """Everything is told once more, in any order: nothing changes."""
    before, told_before = dict(world.payments.rows), len(world.payments.sent)
    for topic in ("group-purchases", "purchases", "favors", "orders", "payment-reports"):
        for message in world.topic(topic):
            if not isinstance(message, PaymentRetried):
                world.payments.apply(Record(topic, world.now, message))
    assert dict(world.payments.rows) == before
    assert len(world.payments.sent) == told_before


@pytest.mark.slow
@settings(max_examples=120, deadline=None)
@given(st.integers(0, 2**32))
def test_all_ends_with_what_is_owed_paid_and_the_group_settled(seed: int) -> None:
    world = live(seed)
    check(world)
    check_repeats(world)
