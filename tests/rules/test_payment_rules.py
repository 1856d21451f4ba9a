"""What payment_service promises: the difference is moved once, by each method, at each event."""

from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from domain.people import name_mark
from runtime.rows import Call, MemoryRows
from schemas.letters import Billed, Notice
from schemas.orders import OrderCancelled, OrderPaid, OrderPlaced, OrderRefused
from schemas.parts import FavorTerms, Member, Party, Product, Tier
from schemas.payments import Payment, PaymentReported, PaymentRetried
from services.payment_service import rows
from services.payment_service.processor import PROCESSOR
from services.payment_service.rules import facts, groups, payers, provider, reports
from services.payment_service.rules.provider import Reply
from tests.rules.payment_world import DAY, GROUP, HOUR, T, World, terms


def world(*args: Any, **kwargs: Any) -> World:
    return World(Random(0), terms(*args, **kwargs))


def moves(of: World, payer: str = "ann") -> list[tuple[str, str, int, str]]:
    """A payer's payments as (kind, method, amount, status), in the order they were begun."""
    return [
        (each.kind, each.method, each.amount, each.status)
        for each in of.latest().values()
        if (each.member_id or "") == payer
    ]


# --- each method, from the sale to the end -------------------------------------------------------

ENDS: list[tuple[str, dict[str, Any], list[tuple[str, str, int, str]]]] = [
    ("a card that holds until the close", {"method": "card", "days": 3},
     [("authorisation", "card", 2_000, "succeeded"), ("capture", "card", 1_800, "succeeded")]),
    ("a card that would not", {"method": "card", "days": 20},
     [("charge", "card", 2_000, "succeeded"), ("refund", "card", 200, "succeeded")]),
    ("an invoice", {"method": "invoice"},
     [("invoice", "invoice", 2_000, "succeeded"), ("credit", "invoice", 200, "succeeded"),
      ("refund", "invoice", 200, "succeeded")]),
    ("no favor as it stayed incomplete", {"method": "card", "if_incomplete": "none"},
     [("authorisation", "card", 2_000, "succeeded"), ("capture", "card", 2_000, "succeeded")]),
    ("all back as it stayed incomplete", {"method": "card", "if_incomplete": "cancel-all"},
     [("authorisation", "card", 2_000, "cancelled"), ("release", "card", 2_000, "succeeded")]),
    ("all of a charge back", {"method": "card", "days": 20, "if_incomplete": "cancel-all"},
     [("charge", "card", 2_000, "succeeded"), ("refund", "card", 2_000, "succeeded")]),
    ("a credit note over all", {"method": "invoice", "if_incomplete": "cancel-all"},
     [("invoice", "invoice", 2_000, "succeeded"), ("credit", "invoice", 2_000, "succeeded"),
      ("refund", "invoice", 2_000, "succeeded")]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "given", "expected"), ENDS, ids=[each[0] for each in ENDS])
def test_a_member_pays_and_gets_the_favor(
    what: str, given: dict[str, Any], expected: list[tuple[str, str, int, str]]
) -> None:
    it = world(**given)
    it.order("ann", 2)
    it.come_to_rest()
    assert moves(it) == expected
    assert it.is_settled()


def test_a_shop_has_the_money_and_is_told_to_refund_the_favor() -> None:
    it = world(method="shop")
    it.order("ann", 2, paid=True)
    it.come_to_rest()
    assert moves(it) == [("refund", "shop", 200, "succeeded")]
    (payment,) = it.latest().values()
    assert (payment.cause.kind, payment.cause.favor_version) == ("favor", 1)


@pytest.mark.parametrize(
    ("status", "told", "notice"),
    [
        ("succeeded", {"code": "JB-7KQ2"}, {"kind": "payment-done", "code": "JB-7KQ2"}),
        ("succeeded", {}, {"kind": "payment-done", "code": None}),
        ("failed", {"reason": "no, do it by hand"}, {"kind": "payment-failed", "reason": None}),
    ],
)
def test_what_a_shop_did_is_told_to_the_payer(
    status: str, told: dict[str, str], notice: dict[str, str | None]
) -> None:
    """A favor may be a code; why it failed is for whoever mends it, in the payment alone."""
    it = world(method="shop")
    it.order("ann", 2, paid=True)
    it.drain()
    it.pass_time(it.terms.closes_at + HOUR)
    it.drain()
    (asked,) = it.latest().values()
    it.commands["payment-reports"].append(report(asked.payment_id, status, **told))
    it.drain()
    (payment,) = it.latest().values()
    assert (payment.status, payment.code) == (status, told.get("code"))
    assert payment.problem == told.get("reason")
    letter = [each for each in it.payments.sent if isinstance(each, Notice)][-1]
    said = {"kind": letter.kind, **letter.says.model_dump()}
    assert {name: said[name] for name in notice} == notice


def test_a_group_pays_one_sum_at_its_close() -> None:
    it = world("group", "card")
    it.order("ann", 2)
    it.order("bob", 3)
    it.drain()
    assert it.latest() == {}
    it.come_to_rest()
    assert moves(it, "") == [("charge", "card", 4_500, "succeeded")]
    (payment,) = it.latest().values()
    assert payment.member_id is None


@pytest.mark.slow
@pytest.mark.parametrize("scope", ["member", "group"])
@pytest.mark.parametrize("method", ["card", "invoice", "shop"])
@pytest.mark.parametrize("days", [3, 20])
def test_after_a_withdrawal_nothing_is_owed(scope: str, method: str, days: float) -> None:
    it = world(scope, method, days=days)
    it.order("ann", 2, paid=method == "shop")
    it.pass_time(T + HOUR)
    for _ in range(40):
        it.drain()
        it.call()
    for name in it.open_sessions():
        it.provider.pay(name, it.now)
    it.withdraw()
    it.come_to_rest()
    assert it.is_settled()
    assert {payer: it.paid(payer) for payer in it.owed()} == dict.fromkeys(it.owed(), 0)


# --- the order's own money -----------------------------------------------------------------------

BOUNDARIES = [
    ("just before the margin", timedelta(days=6) - timedelta(microseconds=1), "authorisation"),
    ("at the margin", timedelta(days=6), "charge"),
    ("long before the close", timedelta(days=30), "charge"),
    ("after the close", timedelta(hours=-1), "authorisation"),
]


@pytest.mark.parametrize(("what", "left", "kind"), BOUNDARIES, ids=[b[0] for b in BOUNDARIES])
def test_a_card_is_held_only_where_the_hold_outlasts_the_group(
    what: str, left: timedelta, kind: str
) -> None:
    given = terms(days=10)
    group = MemoryRows(GROUP)
    now = given.closes_at - left
    groups.take_terms(given, group, now)
    payers.take_order(order("o1"), group, now)
    (move,) = (row for name, row in group.items() if name.startswith("payment/"))
    assert (move.kind, move.amount, move.status) == (kind, 2_000, "pending")


def order(order_id: str, **fields: Any) -> OrderPlaced:
    given = {
        "order_id": order_id,
        "source": "shop",
        "group_id": GROUP,
        "member_id": "ann",
        "quantity": 2,
        "ordered_at": T,
    }
    return OrderPlaced(**given | fields)


def opened(method: str = "card", **fields: Any) -> MemoryRows:
    group = MemoryRows(GROUP)
    groups.take_terms(terms(method=method, **fields), group, T)
    return group


def payments(group: MemoryRows) -> list[rows.Move]:
    return [row for name, row in group.items() if name.startswith("payment/")]


def test_an_order_that_comes_again_is_asked_for_once() -> None:
    group = opened()
    payers.take_order(order("o1"), group, T)
    before = dict(group)
    payers.take_order(order("o1", quantity=9), group, T + HOUR)
    assert dict(group) == before


def test_an_order_before_its_terms_is_asked_for_once_they_come() -> None:
    group = MemoryRows(GROUP)
    payers.take_order(order("o1"), group, T)
    assert payments(group) == []
    groups.take_terms(terms(), group, T)
    while "chunk/open" in group:
        groups.open_waiting(group, T)
    assert [(each.kind, each.amount) for each in payments(group)] == [("authorisation", 2_000)]


@pytest.mark.parametrize("method", ["card", "invoice"])
@pytest.mark.parametrize("is_first", [True, False], ids=["before-its-terms", "after-them"])
def test_no_money_is_asked_for_an_order_of_another_shop(method: Any, *, is_first: bool) -> None:
    """Not even until order_service has refused it; the group's own shop is asked as ever."""
    group = MemoryRows(GROUP)
    bound = terms(method=method).model_copy(update={"sources": ("shop",)})
    elsewhere = [order("o1", source="rival"), order("o2", source="rival", member_id="bob")]
    if not is_first:
        groups.take_terms(bound, group, T)
    for each in elsewhere:
        payers.take_order(each, group, T)
    payers.take_order(OrderPaid(**dict(elsewhere[0]) | {"type": "OrderPaid"}), group, T)
    groups.take_terms(bound, group, T)
    while "chunk/open" in group:
        groups.open_waiting(group, T)
    payers.take_order(CANCEL.model_copy(update={"source": "rival"}), group, T)
    assert payments(group) == []
    assert not list(group.scan("payer/"))
    payers.take_order(order("o1"), group, T)
    assert [each.amount for each in payments(group)] == [2_000]


CANCEL = OrderCancelled(order_id="o1", source="shop", group_id=GROUP, cancelled_at=T)
REFUSAL = OrderRefused(
    group_id=GROUP, order_id="o1", source="shop", member_id="ann", quantity=2, reason="too-late"
)


@pytest.mark.parametrize("word", [CANCEL, REFUSAL], ids=["cancelled", "refused"])
def test_a_void_order_is_not_asked_for_and_what_was_asked_is_called_off(word: Any) -> None:
    group = opened()
    rule = PROCESSOR.on[type(word)]
    rule(word, group, T)
    payers.take_order(order("o1"), group, T)
    assert payments(group) == []

    group = opened()
    payers.take_order(order("o1"), group, T)
    rule(word, group, T)
    (move,) = payments(group)
    assert move.is_void
    assert provider.request(_call(group), group, T).action == "withdraw"


def test_a_refused_return_voids_no_order_of_its_name() -> None:
    group = opened()
    payers.take_order(order("o1"), group, T)
    payers.take_order(REFUSAL.model_copy(update={"reason": "exceeds-orders"}), group, T)
    assert not payments(group)[0].is_void


def test_an_order_refused_after_it_was_paid_is_refunded() -> None:
    """It arrives more than 72 hours after the close."""
    it = world(days=3)
    it.pass_time(T + 3 * DAY + 80 * HOUR)
    it.drain()
    it.order("ann", 2)
    # The provider is quicker than order_service.
    it.read("payment", "orders")
    it.call()
    (session,) = it.open_sessions()
    it.provider.pay(session, it.now)
    it.come_to_rest()
    assert moves(it)[0][-1] == "cancelled"
    assert it.paid("ann") == 0
    assert it.is_settled()


def test_an_order_of_nothing_counts_without_a_provider() -> None:
    group = opened()
    payers.take_order(order("o1", value=0), group, T)
    (move,) = payments(group)
    assert (move.kind, move.amount, move.status) == ("charge", 0, "succeeded")
    assert not [name for name in group if name.startswith("call/")]


def test_what_the_shop_was_paid_is_not_asked_of_the_card() -> None:
    it = world()
    name = it.order("ann", 2)
    it.drain()
    it.call()
    it.pay_at_shop(name)
    it.come_to_rest()
    assert moves(it) == [
        ("authorisation", "card", 2_000, "cancelled"),
        ("refund", "shop", 200, "succeeded"),
    ]


# --- late, back, and again -----------------------------------------------------------------------


@pytest.mark.parametrize("method", ["card", "invoice", "shop"])
def test_a_late_order_pays_its_price_less_its_favor(method: str) -> None:
    it = world(method=method)
    it.order("ann", 2, paid=method == "shop")
    it.come_to_rest()
    assert it.is_settled()
    it.order("ann", 1, paid=method == "shop")
    it.come_to_rest()
    assert it.paid("ann") == it.owed()["ann"] == 2_700
    assert [each.version for each in it.settled()] == [1, 2]


@pytest.mark.slow
@pytest.mark.parametrize("days", [3, 20])
@pytest.mark.parametrize("method", ["card", "invoice", "shop"])
def test_goods_that_come_back_are_refunded_less_what_was_given(method: str, days: float) -> None:
    it = world(method=method, days=days)
    it.order("ann", 3, paid=method == "shop")
    it.come_to_rest()
    it.give_back("ann", 1)
    it.give_back("ann", 1)
    it.come_to_rest()
    assert it.paid("ann") == it.owed()["ann"] == 900


def test_goods_that_come_back_before_the_close_are_refunded_then() -> None:
    it = world(days=20)
    it.order("ann", 3)
    for _ in range(3):
        it.drain()
        it.call()
    it.provider.pay(it.open_sessions()[0], it.now)
    it.hear_provider()
    it.drain()
    it.give_back("ann", 1)
    it.drain()
    it.call()
    assert moves(it) == [
        ("charge", "card", 3_000, "succeeded"),
        ("refund", "card", 1_000, "succeeded"),
    ]


def test_a_favor_that_is_behind_its_row_is_waited_for() -> None:
    it = world(method="card", days=20)
    it.order("ann", 2)
    it.come_to_rest()
    it.give_back("ann", 1)
    for service, topic in (("order", "orders"), ("payment", "purchases")):
        while (service, topic) in it.unread():
            it.read(service, topic)
    assert it.payments.calls(it.now) == []
    it.drain()
    it.come_to_rest()
    assert [move[2] for move in moves(it)] == [2_000, 200, 900]


def test_where_no_favor_follows_a_row_it_is_waited_for_an_hour() -> None:
    """Two pieces cheaper than the tier's price get no favor, and neither does one of them."""
    favor = FavorTerms(tiers=(Tier(from_quantity=1, unit_price=900),))
    it = world(method="card", days=20, favor=favor)
    it.order("ann", 2, value=900)
    it.come_to_rest()
    it.give_back("ann", 1)
    it.drain()
    before = it.now
    assert not it.is_settled()
    it.come_to_rest()
    assert it.now >= before + HOUR
    assert it.paid("ann") == it.owed()["ann"]
    assert it.is_settled()


def test_a_hold_that_lapsed_is_asked_for_anew() -> None:
    it = world(days=3)
    it.order("ann", 2)
    for _ in range(3):
        it.drain()
        it.call()
    it.provider.pay(it.open_sessions()[0], it.now)
    it.hear_provider()
    it.drain()
    (intent,) = it.provider.intents
    it.provider.lapse(intent, it.now)
    it.come_to_rest()
    assert it.paid("ann") == it.owed()["ann"] == 1_800
    assert moves(it)[0] == ("authorisation", "card", 2_000, "cancelled")


# --- answers and reports -------------------------------------------------------------------------


def _call(group: MemoryRows) -> str:
    (name,) = (name for name in group if name.startswith("call/"))
    return name


def asked(reply: Reply | None = None) -> tuple[MemoryRows, str]:
    """A group with one order, its page asked for; and the payment's id."""
    group = opened()
    payers.take_order(order("o1", member_email="ann@x.example"), group, T)
    name = _call(group)
    if reply is not None:
        provider.settle(name, reply, group, T)
    return group, name.rpartition("/")[2]


def report(payment_id: str, status: str, number: int = 1, **fields: Any) -> PaymentReported:
    return PaymentReported(
        report_id=f"r{number}",
        group_id=GROUP,
        payment_id=payment_id,
        status=status,  # type: ignore[arg-type]
        at=T,
        **fields,
    )


PAGE = Reply("pending", session="cs_1", page="https://pay.example/cs_1")


def test_the_intent_stands_with_its_key_before_anything_is_asked() -> None:
    group, payment_id = asked()
    request = provider.request(_call(group), group, T)
    assert request.key == f"{payment_id}-1"
    assert not request.looks
    assert payment_id == rows.payment_id_of(
        GROUP, "ann", "authorisation", "card", "order", "shop", "o1", None, "", 0
    )


def test_a_page_is_shown_while_it_can_be_paid() -> None:
    group, payment_id = asked(PAGE)
    fact = facts.payment(f"payment/{payment_id}", group)
    assert (fact.status, fact.page) == ("pending", "https://pay.example/cs_1")
    reports.take_report(report(payment_id, "authorised"), group, T)
    fact = facts.payment(f"payment/{payment_id}", group)
    assert (fact.status, fact.page) == ("authorised", None)


WORDS = [
    ("told twice", ["authorised", "authorised"], "authorised"),
    ("expired after it was paid", ["authorised", "failed"], "authorised"),
    ("paid after it expired", ["failed", "authorised"], "authorised"),
    ("a hold that lapsed", ["authorised", "cancelled"], "cancelled"),
    ("set again after it lapsed", ["authorised", "cancelled", "authorised"], "cancelled"),
    ("captured, but by whom", ["succeeded"], "pending"),
    ("not paid", ["failed"], "failed"),
]


@pytest.mark.parametrize(("what", "words", "status"), WORDS, ids=[each[0] for each in WORDS])
def test_what_is_known_is_not_taken_back_by_late_words(
    what: str, words: list[str], status: str
) -> None:
    group, payment_id = asked(PAGE)
    for number, word in enumerate(words):
        reports.take_report(report(payment_id, word, number), group, T)
    assert group[f"payment/{payment_id}"].status == status


def test_a_report_that_is_faster_than_the_reply_wins() -> None:
    group, payment_id = asked()
    name = _call(group)
    group[name] = replace(group[name], owner="w")
    reports.take_report(report(payment_id, "authorised"), group, T)
    provider.settle(name, PAGE, group, T)
    assert group[f"payment/{payment_id}"].status == "authorised"
    assert name not in group


def test_tries_without_an_answer_keep_the_key_and_grow_apart() -> None:
    group, payment_id = asked()
    name, now, pauses = _call(group), T, []
    for _ in range(8):
        provider.settle(name, Reply("again", "no answer"), group, now)
        pauses.append(group[name].at - now)
        now = group[name].at
    assert sorted(pauses[:6]) == pauses[:6]
    assert group[f"payment/{payment_id}"].keys == 1
    assert not provider.request(name, group, T + 22 * HOUR).looks
    assert provider.request(name, group, T + 24 * HOUR).looks


def test_an_answer_that_is_kept_under_its_key_is_asked_anew_after_a_look() -> None:
    group, payment_id = asked()
    provider.settle(_call(group), Reply("again", "500", spent=True), group, T)
    request = provider.request(_call(group), group, T)
    assert (request.key, request.looks) == (f"{payment_id}-2", True)


def test_a_payment_that_failed_is_told_and_tried_again_only_when_asked() -> None:
    group, payment_id = asked()
    name = _call(group)
    sent = provider.settle(name, Reply("declined", "card-declined"), group, T)
    told = [each for each in sent if isinstance(each, Notice)]
    assert [
        (each.kind, each.says.party_id, each.recipient_id, each.says.role) for each in told
    ] == [
        ("payment-failed", "ann", "shop:ann", None),
        ("payment-failed", "org", "m-org", "organizer"),
    ]
    assert name not in group
    again = PaymentRetried(group_id=GROUP, payment_id=payment_id, at=T)
    reports.retry(again, group, T)
    assert provider.request(name, group, T).key == f"{payment_id}-2"
    before = dict(group)
    reports.retry(again, group, T)
    assert dict(group) == before


def test_without_an_answer_for_three_days_it_has_failed() -> None:
    group, payment_id = asked()
    name, now = _call(group), T
    while name in group:
        now = group[name].at
        provider.settle(name, Reply("again", "no answer"), group, now)
    assert timedelta(days=2) < now - T <= timedelta(days=3) + 3 * HOUR
    assert group[f"payment/{payment_id}"].problem == "no-answer"


def test_a_page_nobody_tells_of_is_looked_at_after_a_day() -> None:
    group, _ = asked(PAGE)
    name = _call(group)
    assert group[name] == Call(at=T + 25 * HOUR, since=T + 25 * HOUR)
    request = provider.request(name, group, T + 25 * HOUR)
    assert (request.action, request.session) == ("ask", "cs_1")


def test_a_failed_refund_is_asked_under_a_new_reference() -> None:
    it = world(days=20)
    it.order("ann", 2)
    it.come_to_rest()
    (refund,) = (each for each in it.latest().values() if each.kind == "refund")
    row = it.payments.rows[f"payment/{refund.payment_id}"]
    assert row.reference
    for number, message in enumerate(
        [
            report(refund.payment_id, "failed", number=90),
            PaymentRetried(group_id=GROUP, payment_id=refund.payment_id, at=T),
        ]
    ):
        it.commands["payment-reports"].append(message)
        it.drain()
        assert it.latest()[refund.payment_id].status == ("failed", "pending")[number]
    (name,) = it.payments.calls(it.now)
    request = it.payments.claim(name, it.now)
    assert (request.reference, request.key) == ("", f"{refund.payment_id}-2")


def test_a_part_of_an_invoice_counts_once_however_often_it_is_reported() -> None:
    group = opened("invoice")
    payers.take_order(order("o1"), group, T)
    (name,) = (name for name in group if name.startswith("payment/"))
    payment_id = name.partition("/")[2]
    part = report(payment_id, "succeeded", amount=500)
    for _ in range(3):
        reports.take_report(part, group, T)
    fact: Payment = facts.payment(name, group)
    assert (fact.status, fact.received, fact.provider_reference) == ("pending", 500, f"{GROUP}-I1")
    reports.take_report(report(payment_id, "succeeded", 2), group, T)
    fact = facts.payment(name, group)
    assert (fact.status, fact.received) == ("succeeded", 2_000)


def test_an_invoice_says_what_it_bills_and_since_when_and_what_came_for_it() -> None:
    it = world(method="invoice")
    it.order("ann", 2)
    it.drain()
    (invoice,) = it.latest().values()
    assert (invoice.quantity, invoice.value, invoice.favor) == (2, 2_000, 0)
    assert invoice.begun_at == it.now
    told = [each for each in it.payments.sent if isinstance(each, Notice)]
    assert [(each.kind, each.says.payment_kind) for each in told] == [("payment-done", "invoice")]
    assert told[0].says.closes_at == it.terms.closes_at, "after which a credit note may come"
    it.come_to_rest()
    paid, credit, _ = it.latest().values()
    assert (paid.quantity, paid.value, paid.favor, paid.begun_at) == (
        *(2, 2_000, 0),
        invoice.begun_at,
    )
    assert sum(each.amount for each in paid.receipts or ()) == paid.received == 2_000
    assert (credit.quantity, credit.value, credit.favor) == (2, 2_000, 200)
    assert credit.begun_at is not None
    assert credit.begun_at >= it.terms.closes_at
    told = [each for each in it.payments.sent if isinstance(each, Notice)]
    kinds = [each.says.payment_kind for each in told]
    assert kinds.count("invoice") == 1, "of an invoice is told when it is written"


def test_a_letter_about_an_invoice_says_what_stands_on_its_paper() -> None:
    it = world(method="invoice")
    it.order("ann", 2)
    it.drain()
    (invoice,) = it.latest().values()
    (letter,) = (each.says for each in it.payments.sent if isinstance(each, Notice))
    assert letter.billed == Billed(payment=invoice, still_open=2_000)
    assert (letter.product, letter.request_id) == (Product(name="tea"), "R")
    it.come_to_rest()
    credits_ = [
        each.says.billed
        for each in it.payments.sent
        if isinstance(each, Notice) and each.says.payment_kind == "credit"
    ]
    assert [each and (each.payment.amount, each.still_open) for each in credits_] == [(200, 0)]
    others = (each.says for each in it.payments.sent if isinstance(each, Notice))
    assert all((each.billed is None) == (each.payment_kind == "refund") for each in others)


@pytest.mark.parametrize("scope", ["member", "group"])
def test_a_letter_about_an_invoice_has_the_mark_of_the_name_that_the_request_gave(
    scope: str,
) -> None:
    mark = name_mark("R", "Ann")
    asked = terms(scope, "invoice")
    it = World(
        Random(1),
        asked.model_copy(
            update={
                "members": (Member(id="ann", person_id="m-ann", name_mark=mark),),
                "organizer": Party(id="org", person_id="m-org", name_mark=mark),
            }
        ),
    )
    it.order("ann", 2)
    it.come_to_rest()
    marks = {
        each.says.billed.name_mark
        for each in it.payments.sent
        if isinstance(each, Notice) and each.says.billed
    }
    assert marks == {mark}


def test_terms_of_an_earlier_version_name_no_product_so_letters_have_no_paper() -> None:
    it = world(method="invoice")
    it.drain()
    it.payments.rows["terms"] = replace(it.payments.rows["terms"], product=None)
    it.order("ann", 2)
    it.drain()
    (letter,) = (each.says for each in it.payments.sent if isinstance(each, Notice))
    assert (letter.billed, letter.product) == (None, None)


def test_a_group_s_invoice_says_all_that_its_members_had() -> None:
    it = world("group", "invoice")
    it.order("ann", 2)
    it.order("bob", 3)
    it.come_to_rest()
    (invoice,) = it.latest().values()
    assert (invoice.quantity, invoice.value, invoice.favor) == (5, 5_000, 500)
    assert invoice.amount == 4_500
    assert invoice.number == f"{GROUP}-I1"


def test_words_on_payments_that_are_not_known_change_nothing() -> None:
    group = opened()
    before = dict(group)
    reports.take_report(report("nobody's", "succeeded"), group, T)
    reports.retry(PaymentRetried(group_id=GROUP, payment_id="nobody's", at=T), group, T)
    assert dict(group) == before


# --- ninety days later ---------------------------------------------------------------------------


def test_a_settled_group_shrinks_to_a_mark_and_an_open_one_stays() -> None:
    it = world()
    it.order("ann", 2)
    it.come_to_rest()
    it.pass_time(it.now + 100 * DAY)
    it.drain()
    assert list(it.payments.rows) == ["group"]
    assert it.payments.rows["group"].over

    open_one = world("group", "shop")
    open_one.order("ann", 2)
    open_one.pass_time(T + 4 * DAY)
    open_one.drain()
    open_one.pass_time(T + 200 * DAY)
    assert not open_one.payments.rows["group"].over
