"""What shops are told to pay: at which orders, how often, and what is said of it at the end."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.rows import Call, MemoryRows
from schemas.groups import GroupPurchase
from schemas.orders import OrderCancelled, OrderPaid, OrderPlaced, OrderReturned
from schemas.parts import Message, PaymentCause, Product
from schemas.payments import Payment, PaymentReported
from services.shop_bridge.processor import INSTRUCTIONS
from services.shop_bridge.rules.outbound import answers as hearing
from services.shop_bridge.rules.outbound import instructions
from services.shop_bridge.rules.outbound.rows import Instruction, Reply, Request
from services.shop_bridge.rules.outbound.shares import spread

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
GROUP = "GB-KQSWB-YNRXY-7"
ID = "0123456789abcdef0123456789abcdef"
HOUR = timedelta(hours=1)
Shop = Callable[[Request], Reply]


class Group:
    """The rows of one group on their way out, and what was reported."""

    def __init__(self) -> None:
        self.rows = MemoryRows(GROUP)
        self.now = NOW
        self.said: list[PaymentReported] = []
        self.asked: list[Request] = []

    def take(self, *messages: Message) -> None:
        for message in messages:
            self._say(INSTRUCTIONS.on[type(message)](message, self.rows, self.now))

    def _say(self, messages: Sequence[Message]) -> None:
        for message in messages:
            assert isinstance(message, PaymentReported)
            self.said.append(message)

    def order(self, number: int, value: int | None, member: str = "ann", **more: Any) -> None:
        told: dict[str, Any] = {
            "order_id": str(number),
            "source": "shop",
            "group_id": GROUP,
            "member_id": member,
            "quantity": 2,
            "value": value,
            "currency": "EUR",
            "ordered_at": NOW + number * HOUR,
        }
        self.take(OrderPaid(**(told | more)))

    def pay(self, amount: int, version: int = 1, **more: Any) -> None:
        told: dict[str, Any] = {
            "payment_id": ID,
            "group_id": GROUP,
            "member_id": "ann",
            "kind": "refund",
            "method": "shop",
            "amount": amount,
            "currency": "EUR",
            "status": "pending",
            "cause": PaymentCause(kind="favor", favor_version=1),
            "version": version,
        }
        self.take(Payment(**(told | more)))

    @property
    def calls(self) -> list[tuple[str, Call]]:
        return list(self.rows.scan("call/"))

    def step(self, shop: Shop, *, ambiguous: bool = False) -> Request:
        """The next call that is due is claimed, made, and answered."""
        name, call = min(self.calls, key=lambda each: each[1].at)
        self.now = max(self.now, call.at)
        self.rows[name] = claimed = replace(call, owner="w", ambiguous=ambiguous)
        asked: Request = hearing.request(name, self.rows, self.now)
        rest = Reply("later", seconds=asked.rest_seconds)
        reply = rest if asked.rest_seconds else shop(asked)
        if not asked.rest_seconds:
            self.asked.append(asked)
        self._say(hearing.settle(name, reply, self.rows, self.now))
        assert self.rows.get(name) is not claimed
        return asked

    def run(self, shop: Shop, steps: int = 100) -> None:
        while self.calls and not self.said and steps:
            self.step(shop)
            steps -= 1

    @property
    def spread(self) -> list[tuple[str, int]]:
        return [(each.order_id, each.amount) for each in self.asked]

    @property
    def instruction(self) -> Instruction:
        it: Instruction = self.rows[f"instruction/{ID}"]
        return it


def pays(asked: Request) -> Reply:
    return Reply("done", reference=f"R{asked.order_id}", amount=asked.amount)


def refuses(asked: Request) -> Reply:
    return Reply("refused", "too little" if not asked.amount else "no automatic refunds")


def elsewhere(asked: Request) -> Reply:
    return Reply("elsewhere")


def has_left(**left: int) -> Shop:
    """A shop whose orders have so much left, whatever we think."""

    def shop(asked: Request) -> Reply:
        order = f"o{asked.order_id}"
        if not asked.amount:
            return Reply("refused", "too little")
        if left[order] < asked.amount:
            return Reply("less", left=left[order])
        left[order] -= asked.amount
        return pays(asked)

    return shop


@pytest.fixture
def group() -> Group:
    """Ann ordered for 10, then for 20; Bob for 50."""
    made = Group()
    made.order(1, 1_000)
    made.order(2, 2_000)
    made.order(3, 5_000, "bob")
    return made


# --- at which orders -----------------------------------------------------------------------------

EXTRA = {"quantity": 1, "unit_price": 400}
#: What happened to the orders, what is to go back, and at which orders it does.
SPREADS: list[tuple[str, Callable[[Group], Any], int, list[tuple[str, int]]]] = [
    ("the latest", lambda it: None, 500, [("2", 500)]),
    ("the latest in whole", lambda it: None, 2_000, [("2", 2_000)]),
    ("the one before too", lambda it: None, 2_500, [("2", 2_000), ("1", 500)]),
    ("all", lambda it: None, 3_000, [("2", 2_000), ("1", 1_000)]),
    ("what is void has nothing", lambda it: it.take(void(2)), 500, [("1", 500)]),
    ("what came back has less", lambda it: it.take(back(2)), 1_500, [("2", 1_000), ("1", 500)]),
    ("a return counts once", lambda it: it.take(back(2), back(2)), 1_000, [("2", 1_000)]),
    ("of an edit, at the shop's order", lambda it: it.order(4, 600, order_id="2-e1"), 700,
     [("2", 600), ("2", 100)]),
    ("of a second group's cart", lambda it: it.order(4, 600, order_id="9-g2"), 100, [("9", 100)]),
    ("another currency is not ours to count", lambda it: it.order(4, 900, currency="USD"), 500,
     [("2", 500)]),
    ("a price for each", lambda it: it.order(4, None, **EXTRA), 500, [("4", 400), ("2", 100)]),
    ("told twice, it counts as it first came", lambda it: it.order(2, 9_000), 2_500,
     [("2", 2_000), ("1", 500)]),
]  # fmt: skip


def void(number: int) -> OrderCancelled:
    return OrderCancelled(
        order_id=str(number), source="shop", group_id=GROUP, cancelled_at=NOW + HOUR
    )


def back(number: int) -> OrderReturned:
    return OrderReturned(
        return_id=f"r{number}",
        source="shop",
        group_id=GROUP,
        member_id="ann",
        order_id=str(number),
        quantity=1,
        returned_at=NOW + HOUR,
    )


@pytest.mark.parametrize(("what", "given", "amount", "parts"), SPREADS, ids=[s[0] for s in SPREADS])
def test_an_amount_goes_back_at_the_payer_s_orders_the_latest_first(
    group: Group,
    what: str,
    given: Callable[[Group], Any],
    amount: int,
    parts: list[tuple[str, int]],
) -> None:
    given(group)
    group.pay(amount)
    group.run(pays)
    assert group.spread == parts
    (said,) = group.said
    assert (said.status, said.amount) == ("succeeded", None)
    assert said.provider_reference == ", ".join(f"R{order}" for order, _ in parts)
    assert not group.calls


def test_an_order_may_be_void_before_it_comes() -> None:
    group = Group()
    group.take(void(2))
    group.order(1, 1_000)
    group.order(2, 2_000)
    group.pay(500)
    group.run(pays)
    assert group.spread == [("1", 500)]


def test_a_group_that_pays_as_one_has_all_orders(group: Group) -> None:
    group.pay(6_000, member_id=None)
    group.run(pays)
    assert group.spread == [("3", 5_000), ("2", 1_000)]


def test_the_shop_knows_better_what_is_left(group: Group) -> None:
    group.pay(2_500)
    group.run(has_left(o1=1_000, o2=1_700))
    assert [(each.order_id, each.amount) for each in group.asked] == [
        ("2", 2_000), ("2", 1_700), ("1", 800),
    ]  # fmt: skip
    assert group.said[0].status == "succeeded"
    assert len({each.key for each in group.asked}) == 3, "each part has a key of its own"


def test_what_can_t_be_placed_is_said_and_nothing_is_begun(group: Group) -> None:
    group.pay(3_001)
    group.run(lambda asked: Reply("refused", "too little") if not asked.amount else pays(asked))
    (said,) = group.said
    assert said.status == "failed"
    assert "30.01 EUR could not be refunded" in (said.reason or "")
    assert "by hand" in (said.reason or "")
    assert all(not each.amount for each in group.asked)


def test_a_payer_without_orders_here_is_said(group: Group) -> None:
    group.pay(100, member_id="carol")
    group.run(refuses)
    assert group.said[0].status == "failed"
    assert group.asked[0].source == ""


def test_a_no_sends_it_to_the_next_order(group: Group) -> None:
    group.pay(800)
    group.run(lambda asked: refuses(asked) if asked.order_id == "2" else pays(asked))
    assert group.spread == [("2", 800), ("1", 800)]
    assert group.said[0].status == "succeeded"


def test_a_no_for_which_the_others_have_too_little_is_said(group: Group) -> None:
    group.pay(1_200)
    group.run(lambda asked: refuses(asked) if asked.order_id == "2" else pays(asked))
    (said,) = group.said
    assert said.status == "failed"
    assert "order 2 at shop: no automatic refunds" in (said.reason or "")
    assert group.instruction.done == 0, "less than all is not begun"


BY_HAND = "it was paid by hand (Bank Deposit), so a refund in the shop moves no money"
#: What the orders say that are asked, what goes back at which, and what people are told of it.
LEFT_TO_PEOPLE: list[tuple[str, dict[str, Reply], int, list[tuple[str, int]], str]] = [
    ("both paid by hand",
     {"1": Reply("less", BY_HAND), "2": Reply("less", BY_HAND)}, 500, [],
     f"5.00 EUR could not be refunded: order 2 at shop: {BY_HAND}; order 1 at shop: {BY_HAND}"),
    ("the latest paid by hand, the other has as much",
     {"2": Reply("less", BY_HAND)}, 500, [("1", 500)], ""),
    ("the latest paid by hand, the other has less",
     {"2": Reply("less", BY_HAND)}, 1_200, [],
     f"12.00 EUR could not be refunded: order 2 at shop: {BY_HAND}"),
    ("a gift card has a part, the other order the rest",
     {"2": Reply("less", BY_HAND, left=300)}, 1_200, [("2", 300), ("1", 900)], ""),
    ("a gift card has a part, the other order less than the rest",
     {"2": Reply("less", BY_HAND, left=100)}, 1_200, [],
     f"12.00 EUR could not be refunded: order 2 at shop: {BY_HAND}"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("answers", "amount", "went", "told"),
    [row[1:] for row in LEFT_TO_PEOPLE],
    ids=[row[0] for row in LEFT_TO_PEOPLE],
)
def test_what_was_paid_by_hand_is_left_to_people_with_what_to_do(
    group: Group,
    answers: dict[str, Reply],
    amount: int,
    went: list[tuple[str, int]],
    told: str,
) -> None:
    done: list[tuple[str, int]] = []

    def shop(asked: Request) -> Reply:
        answer = answers.get(asked.order_id)
        if answer is not None and asked.amount > answer.left:
            return answer
        done.append((asked.order_id, asked.amount))
        return pays(asked)

    group.pay(amount)
    group.run(shop)
    assert done == went
    (said,) = group.said
    assert said.status == ("failed" if told else "succeeded")
    if told:
        assert said.reason is not None
        assert said.reason.startswith(told)
        assert f"`jointbuy payment done {ID}`" in said.reason
        assert group.instruction.done == 0


def test_what_moved_of_a_part_counts_and_the_rest_is_asked_for_anew(group: Group) -> None:
    """One of two gateways failed: what went back by the other is not paid back again."""
    replies = iter([Reply("done", reference="R", amount=300), Reply("refused", "no")])
    group.pay(2_000)
    group.run(lambda asked: next(replies))
    assert [each.amount for each in group.asked] == [2_000, 1_700]
    assert len({each.key for each in group.asked}) == 2
    (said,) = group.said
    assert said.status == "failed"
    assert "17.00 EUR of 20.00 EUR could not be refunded" in (said.reason or "")


def test_a_charge_is_no_shop_s_to_make(group: Group) -> None:
    group.pay(500, kind="charge")
    group.run(lambda asked: Reply("refused", "a shop can't charge"))
    assert group.asked[0].kind == "charge"
    assert "5.00 EUR was not collected" in (group.said[0].reason or "")


# --- whose orders count ---------------------------------------------------------------------------


def bound(*sources: str) -> GroupPurchase:
    return GroupPurchase(
        group_id=GROUP,
        request_id="r",
        version=1,
        requested_at=NOW,
        issued_at=NOW,
        product=Product(name="tea"),
        number_of_products=1,
        opens_at=NOW,
        closes_at=NOW + HOUR,
        sources=sources,
    )


@pytest.mark.parametrize("is_known_first", [True, False])
@pytest.mark.parametrize("payer", ["ann", None], ids=["a-member", "the-group-as-one"])
def test_nothing_is_paid_back_at_a_shop_whose_orders_do_not_count(
    payer: str | None, *, is_known_first: bool
) -> None:
    """Else a cart at another shop that names a member would have that shop pay the favor."""
    group = Group()
    if is_known_first:
        group.take(bound("shop", "admin"))
    group.order(1, 1_000)
    group.order(9, 9_000, source="rival")
    group.take(bound("shop", "admin"))
    group.pay(800, member_id=payer)
    group.run(pays)
    assert [(each.source, each.order_id) for each in group.asked] == [("shop", "1")]
    assert group.said[0].status == "succeeded"


def test_what_the_shop_has_too_little_for_is_not_taken_from_another(group: Group) -> None:
    group.take(bound("shop"))
    group.order(9, 9_000, source="rival")
    group.pay(3_001)
    group.run(lambda asked: Reply("refused", "too little") if not asked.amount else pays(asked))
    assert {each.source for each in group.asked} == {"shop"}
    assert group.said[0].status == "failed"


# --- shops that answer by themselves -------------------------------------------------------------


def test_a_shop_that_is_not_ours_to_ask_keeps_its_instruction(group: Group) -> None:
    """It is looked at again each day, as somebody may say how it is asked."""
    group.pay(500)
    for day in range(3):
        group.run(elsewhere, steps=1)
        ((_, call),) = group.calls
        assert call.at == NOW + timedelta(days=day + 1)
        group.step(elsewhere)  # looks whether it has an end by now, and asks anew
    assert group.said == []
    group.pay(500, version=2, status="succeeded")
    assert not group.calls
    assert group.said == []


def test_once_it_may_be_asked_it_is(group: Group) -> None:
    group.pay(500)
    group.step(elsewhere)
    group.run(pays)
    assert group.said[0].status == "succeeded"


@pytest.mark.parametrize("kind", ["refund", "charge"])
def test_more_than_we_know_of_is_no_failure_at_a_shop_that_is_not_ours(
    group: Group, kind: str
) -> None:
    group.pay(9_999, kind=kind)
    group.run(elsewhere, steps=10)
    assert group.said == []
    assert group.calls


def test_of_two_shops_ours_pays_if_it_can_alone(group: Group) -> None:
    group.order(4, 3_000, source="till")
    group.pay(2_500)
    group.run(lambda asked: elsewhere(asked) if asked.source == "till" else pays(asked))
    assert [(each.source, each.amount) for each in group.asked] == [
        ("till", 2_500), ("shop", 2_000), ("shop", 500),
    ]  # fmt: skip
    assert group.said[0].status == "succeeded"


# --- again and again -----------------------------------------------------------------------------


def test_the_same_key_until_there_is_an_answer_in_growing_pauses(group: Group) -> None:
    group.pay(500)
    waits = []
    for _ in range(9):
        before = group.now
        group.step(lambda asked: Reply("again", "not now"))
        waits.append(min(call.at for _, call in group.calls) - before)
    group.order(5, 9_000)  # later than what was begun
    group.run(pays)
    assert len({(each.key, each.order_id, each.amount) for each in group.asked}) == 1
    assert waits[0] < waits[3] < waits[6] <= timedelta(hours=2.4)
    assert group.said[0].status == "succeeded"


def test_a_shop_s_own_wish_to_wait_is_heeded(group: Group) -> None:
    group.pay(500)
    group.step(lambda asked: Reply("again", "busy", seconds=77))
    assert group.calls[0][1].at == NOW + timedelta(seconds=77)


def test_after_three_days_without_an_answer_it_failed(group: Group) -> None:
    group.pay(500)
    group.run(lambda asked: Reply("ours", "the shop answers 401"), steps=200)
    (said,) = group.said
    assert group.now - NOW > timedelta(days=3)
    assert "the shop answers 401" in (said.reason or "")
    assert not group.calls


def test_what_may_have_been_done_is_never_given_up(group: Group) -> None:
    """Else it would be moved again, as another payment, or by hand."""
    group.pay(500)
    group.step(lambda asked: Reply("again", "no answer", is_open=True))
    assert group.calls[0][1].at - NOW >= hearing.OPEN_PAUSE
    group.run(lambda asked: Reply("again", "503"), steps=200)
    assert group.said == []
    assert group.now - NOW > timedelta(days=10)
    group.run(pays)
    assert group.said[0].status == "succeeded"


def test_after_a_crash_the_shop_is_given_time_to_end(group: Group) -> None:
    group.pay(500)
    asked = group.step(pays, ambiguous=True)
    assert asked.rest_seconds == hearing.OPEN_PAUSE.total_seconds()
    assert group.instruction.is_unsure
    group.run(pays)
    assert group.spread == [("2", 500)]


def test_what_is_old_may_have_an_end_that_is_not_read_yet(group: Group) -> None:
    """As when all is read from the beginning: who was paid long ago is not paid again."""
    group.pay(500)
    group.now += 5 * HOUR
    assert group.step(pays).rest_seconds
    group.pay(500, version=2, status="succeeded")
    assert not group.calls
    assert group.asked == []


def test_what_failed_is_tried_again_under_another_key(group: Group) -> None:
    group.pay(500)
    group.run(refuses)
    (said,) = group.said
    assert said.status == "failed"
    group.pay(500, version=2, status="failed")
    group.said.clear()
    group.pay(500, version=3)
    group.run(pays)
    assert group.said[0].status == "succeeded"
    assert group.said[0].report_id != said.report_id
    assert group.asked[-1].key not in {each.key for each in group.asked[:-1]}


def test_what_was_done_of_it_is_not_done_again(group: Group) -> None:
    """Order 2 paid its part, then order 1 refused; a second try asks for the rest alone."""
    group.pay(2_500)
    group.run(lambda asked: pays(asked) if asked.order_id == "2" else refuses(asked))
    assert "5.00 EUR of 25.00 EUR" in (group.said[0].reason or "")
    group.pay(2_500, version=2, status="failed")
    group.said.clear()
    group.asked.clear()
    group.pay(2_500, version=3)
    group.run(pays)
    assert group.spread == [("1", 500)]
    assert group.said[0].provider_reference == "R2, R1"


def test_what_was_done_of_a_payment_that_is_called_off_counts_for_the_next(group: Group) -> None:
    group.pay(2_500)
    group.run(lambda asked: pays(asked) if asked.order_id == "2" else refuses(asked))
    group.pay(2_500, version=2, status="cancelled")
    group.said.clear()
    group.asked.clear()
    group.pay(2_700, payment_id="f" * 32)
    group.run(pays)
    assert group.spread == [("1", 700)]
    assert group.said[0].status == "succeeded"


def test_other_payments_are_none_of_its_business(group: Group) -> None:
    group.pay(500, method="card")
    group.pay(500, kind="invoice", method="invoice")
    assert not group.calls
    assert "due/forget" in group.rows


# --- codes ---------------------------------------------------------------------------------------

CODES = [
    ("a favor", {"amount": 2_500}, 2_500),
    ("all of the money", {"amount": 3_000}, 0),
    ("a withdrawal", {"amount": 500, "cause": PaymentCause(kind="withdrawal")}, 0),
    ("goods that came back", {"amount": 500, "cause": PaymentCause(kind="order")}, 0),
]


@pytest.mark.parametrize(("what", "told", "worth"), CODES, ids=[each[0] for each in CODES])
def test_only_a_favor_that_is_not_everything_may_be_a_code(
    group: Group, what: str, told: dict[str, Any], worth: int
) -> None:
    group.pay(**told)
    assert group.step(pays).as_code == worth


def test_a_code_is_for_all_at_once_and_takes_nothing_from_an_order(group: Group) -> None:
    group.pay(2_500)
    code = Reply("done", reference="JB-AAAA", amount=2_500, is_code=True)
    group.run(lambda asked: code)
    assert len(group.asked) == 1
    assert group.said[0].provider_reference == group.said[0].code == "JB-AAAA"
    assert all(order.refunded == 0 for _, order in group.rows.scan("order/"))


# --- always --------------------------------------------------------------------------------------


@given(st.integers(0, 10_000), st.lists(st.integers(0, 3_000), max_size=8))
def test_parts_sum_to_the_amount_and_none_is_above_what_is_left(
    amount: int, left: list[int]
) -> None:
    named = [(f"order/shop/{number}", most) for number, most in enumerate(left)]
    parts, missing = spread(amount, named)
    assert sum(part.amount for part in parts) + missing == amount
    assert missing == max(amount - sum(left), 0)
    assert all(0 < part.amount <= dict(named)[part.order] for part in parts)
    assert [part.order for part in parts] == sorted({part.order for part in parts})


class Books:
    """A shop that answers as it likes, and keeps books by key: what is done is done once."""

    def __init__(self, random: Random, left: dict[str, int]) -> None:
        self.random = random
        self.left = left
        self.done: dict[str, int] = {}

    def __call__(self, asked: Request) -> Reply:
        if not asked.amount:
            return Reply("refused", "too little")
        if asked.key in self.done:
            return Reply("done", reference=asked.key, amount=self.done[asked.key])
        mood = self.random.random()
        if mood < 0.2:
            return Reply("again", "not now")
        left = self.left[asked.order_id]
        if mood < 0.25 or left < asked.amount:
            return Reply("refused", "no") if mood < 0.25 else Reply("less", left=left)
        self.left[asked.order_id] -= asked.amount
        self.done[asked.key] = asked.amount
        if mood < 0.6:
            return Reply("again", "lost", is_open=True)
        return Reply("done", reference=asked.key, amount=asked.amount)


@given(
    seed=st.integers(0, 10**9),
    orders=st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 3_000)), max_size=5),
    amounts=st.lists(st.integers(1, 4_000), min_size=1, max_size=3),
)
def test_whatever_is_lost_or_said_twice_the_shop_pays_what_was_asked_once(
    seed: int, orders: list[tuple[int, int]], amounts: list[int]
) -> None:
    """Payments that fail are tried again some times, then called off for the next sum."""
    random = Random(seed)
    group = Group()
    for number, (value, _) in enumerate(orders):
        group.order(number, value)
    books = Books(random, {str(number): left for number, (_, left) in enumerate(orders)})
    at_first = dict(books.left)
    succeeded = 0
    for number, amount in enumerate(amounts):
        payment_id = f"{number:032x}"
        version = 1
        for last in (False, False, True):
            group.said.clear()
            group.pay(amount, version, payment_id=payment_id)
            group.pay(amount, version, payment_id=payment_id)  # topics repeat themselves
            group.run(books, steps=400)
            (said,) = group.said
            if said.status == "succeeded":
                succeeded += amount
                group.pay(amount, version + 1, payment_id=payment_id, status="succeeded")
                break
            ends = "cancelled" if last else "failed"
            group.pay(amount, version + 1, payment_id=payment_id, status=ends)
            version += 2
        assert not group.calls
    paid = sum(books.done.values())
    ahead = group.rows["payer/ann"].ahead if "payer/ann" in group.rows else 0
    assert paid == succeeded + ahead
    for number, (value, _) in enumerate(orders):
        went = at_first[str(number)] - books.left[str(number)]
        assert 0 <= went <= min(value, at_first[str(number)])


def test_half_a_year_later_all_is_forgotten_but_what_is_under_way(group: Group) -> None:
    group.pay(500)
    instructions.begin_forgetting("due/forget", group.rows, NOW)
    assert "chunk/forget" not in group.rows
    group.run(pays)
    instructions.begin_forgetting("due/forget", group.rows, NOW)
    while "chunk/forget" in group.rows:
        instructions.forget(group.rows, NOW)
    assert set(group.rows) <= {"due/forget"}


def test_placed_and_paid_are_one_order() -> None:
    group = Group()
    told = {"order_id": "1", "source": "shop", "group_id": GROUP, "member_id": "ann"}
    group.take(OrderPlaced(**told, quantity=1, value=500, currency="EUR", ordered_at=NOW))
    group.order(1, 500)
    group.pay(600)
    group.run(refuses)
    assert group.said[0].status == "failed"
