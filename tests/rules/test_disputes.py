"""Disputed payments by card: the same money never goes back twice, and people see what is left."""

from datetime import timedelta
from random import Random
from typing import Any

import pytest

from domain.ledger import entries
from runtime.rows import Call
from schemas.letters import Notice
from schemas.payments import Payment, PaymentDisputed, PaymentReported
from services.payment_service.rules.provider import Reply
from tests.rules.payment_world import DAY, GROUP, HOUR, T, World, terms

Paid = tuple[str, int, str, str | None]


class Case:
    """Ann paid 20.00 by card for two units; her group runs for twenty days."""

    def __init__(self) -> None:
        self.world = World(Random(0), terms(days=20, if_incomplete="cancel-all"))
        self.order = self.world.order("ann", 2)
        self.world.drain()
        self.world.call()
        (session,) = self.world.open_sessions()
        self.world.provider.pay(session, T)
        self.world.hear_provider()
        self.world.drain()
        (self.charge,) = self.world.latest()
        self.world.now = T + HOUR
        self.said = 0

    def dispute(
        self, state: Any, hours: float = 2, amount: int | None = 2_000, **more: Any
    ) -> None:
        self.said += 1
        told = {"report_id": f"d{self.said}", "group_id": GROUP, "payment_id": self.charge}
        told |= {"dispute_id": "du_1", "state": state, "amount": amount}
        told["at"] = T + timedelta(hours=hours)
        message = PaymentDisputed.model_validate(told | more)
        self.world.commands["payment-reports"].append(message)
        self.world.drain()

    def close(self) -> None:
        """The period is over: nothing was reached, so all is to go back."""
        self.world.pass_time(self.world.terms.closes_at + HOUR)
        self.world.drain()

    def call(self, reply: Reply | None = None) -> None:
        """The one call that may be done now."""
        (name,) = self.world.payments.calls(self.world.now)
        request = self.world.payments.claim(name, self.world.now)
        assert request.action == "refund"
        given = reply or self.world.provider.do(request, self.world.now)
        self.world.payments.settle(name, given, self.world.now)

    def calls(self) -> list[str]:
        return self.world.payments.calls(self.world.now + 300 * DAY)

    def paid(self) -> list[Paid]:
        facts = self.world.latest().values()
        assert sum(entry.amount for entry in entries(facts)) == 0
        return [(each.kind, each.amount, each.status, each.problem) for each in facts]

    def facts(self, kind: str) -> list[Payment]:
        return [each for each in self.world.latest().values() if each.kind == kind]

    def letters(self) -> list[tuple[str, str]]:
        sent = [each for each in self.world.payments.sent if isinstance(each, Notice)]
        return [(each.kind, each.says.payment_kind) for each in sent]


CHARGED: Paid = ("charge", 2_000, "succeeded", None)
DISPUTED: Paid = ("charge", 2_000, "succeeded", "disputed")
LOST: Paid = ("charge", 2_000, "succeeded", "dispute-lost")
BACK: Paid = ("refund", 2_000, "succeeded", None)
WAITS: Paid = ("refund", 2_000, "pending", "disputed")
DROPPED: Paid = ("refund", 2_000, "cancelled", None)
TAKEN: Paid = ("refund", 2_000, "succeeded", "dispute-lost")
OWED: Paid = ("charge", 2_000, "failed", "dispute-lost")
# What happens in turn, and the payments then; a step is a state of the dispute, or the close.
TURNS: list[tuple[str, list[str], list[Paid]]] = [
    ("no dispute", ["close"], [CHARGED, BACK]),
    ("open", ["open"], [DISPUTED]),
    ("won", ["open", "won"], [CHARGED]),
    ("open at the close", ["open", "close"], [DISPUTED, WAITS]),
    ("opened while a refund is asked for", ["close-uncalled", "open"], [DISPUTED, WAITS]),
    ("won after the close", ["open", "close", "won", "call"], [CHARGED, BACK]),
    ("won of a refund asked for", ["close-uncalled", "open", "won", "call"], [CHARGED, BACK]),
    ("lost after the close", ["open", "close", "lost"], [LOST, WAITS[:2] + DROPPED[2:], TAKEN]),
    ("lost before it", ["open", "lost"], [LOST, TAKEN, OWED]),
    ("lost, told at once", ["lost"], [LOST, TAKEN, OWED]),
    ("lost, told again", ["lost", "again"], [LOST, TAKEN, OWED]),
    ("lost, then all is to go back", ["lost", "close"],
     [LOST, TAKEN, ("charge", 2_000, "cancelled", "dispute-lost")]),
    ("the opening told after the end", ["lost", "open-late"], [LOST, TAKEN, OWED]),
    ("won, the opening told after it", ["won", "open-late"], [CHARGED]),
    ("opened again by the bank", ["won", "open-later"], [DISPUTED]),
    ("lost, and won in the end", ["lost", "won-later"],
     [CHARGED, ("refund", 2_000, "cancelled", "dispute-lost"),
      ("charge", 2_000, "cancelled", "dispute-lost")]),
    ("won and lost of one moment", ["won", "lost"], [LOST, TAKEN, OWED]),
    ("lost and won of one moment", ["lost", "won"], [LOST, TAKEN, OWED]),
    ("a refund was made before it was lost", ["close", "lost-nothing"], [LOST, BACK]),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("what", "steps", "expected"), TURNS, ids=[each[0] for each in TURNS])
def test_a_dispute_holds_refunds_and_one_that_is_lost_is_money_that_went_back(
    what: str, steps: list[str], expected: list[Paid]
) -> None:
    case = Case()
    for step in steps:
        if step.startswith("close"):
            case.close()
            if step == "close" and case.world.payments.calls(case.world.now):
                case.call()
        elif step == "call":
            case.call()
        elif step == "again":
            case.world.commands["payment-reports"].append(
                case.world.commands["payment-reports"][-1]
            )
            case.world.drain()
        else:
            state, _, when = step.partition("-")
            hours = {"late": 1.0, "later": 3.0}.get(when, 2.0 if state != "open" else 1.5)
            case.dispute(state, hours, 0 if when == "nothing" else 2_000)
    assert case.paid() == expected


def test_money_that_a_dispute_took_has_its_name_and_no_letter() -> None:
    case = Case()
    before = case.letters()
    case.dispute("lost")
    (refund,) = case.facts("refund")
    assert refund.provider_reference == "du_1"
    # People are told that a payment is left to them; nobody is told of a refund.
    assert case.letters()[len(before) :] == [("payment-failed", "charge")] * 2
    assert case.calls() == []


def test_what_a_payer_owes_after_a_lost_dispute_is_asked_for_only_if_people_say_so() -> None:
    case = Case()
    case.dispute("lost")
    case.world.retry_failed()
    case.world.drain()
    asked = case.facts("charge")[-1]
    assert (asked.status, asked.problem) == ("pending", None)
    assert len(case.calls()) == 1


def test_goods_that_come_back_after_a_lost_dispute_leave_nothing_owed() -> None:
    case = Case()
    case.dispute("lost")
    case.world.cancel(case.order)
    case.world.drain()
    assert case.facts("charge")[-1].status == "cancelled"
    assert [each.amount for each in case.facts("refund")] == [2_000]


def test_a_part_that_is_disputed_and_lost_leaves_the_rest_to_be_refunded() -> None:
    case = Case()
    case.dispute("open", amount=500)
    case.close()
    case.dispute("lost", 3, amount=500)
    case.call()
    standing = [each for each in case.facts("refund") if each.status != "cancelled"]
    assert [(each.amount, each.status) for each in standing] == [
        (500, "succeeded"),
        (1_500, "succeeded"),
    ]


def test_two_disputes_both_have_to_end() -> None:
    case = Case()
    case.dispute("open")
    case.dispute("open", dispute_id="du_2")
    case.close()
    case.dispute("won", 3)
    assert case.calls() == []
    case.dispute("won", 3, dispute_id="du_2")
    assert len(case.calls()) == 1


REFUSED = Reply("disputed", "charge_disputed", spent=True)


def test_a_refund_that_stripe_refuses_for_a_dispute_waits_and_is_tried_each_day() -> None:
    """Nobody told of the dispute, and it lasts longer than any other try does."""
    case = Case()
    case.close()
    for number in range(1, 100):
        case.call(REFUSED)
        (refund,) = case.facts("refund")
        assert (refund.status, refund.problem) == ("pending", "disputed")
        (name,) = case.calls()
        at = case.world.now + DAY
        assert case.world.payments.rows[name] == Call(at=at, since=at)
        case.world.pass_time(at)
        request = case.world.payments.claim(name, at)
        assert request.key == f"{refund.payment_id}-{number + 1}"
        case.world.payments.crash(name)
    case.call()
    assert case.facts("refund")[0].status == "succeeded"


@pytest.mark.parametrize(
    ("state", "expected"),
    [("won", (2_000, "succeeded", None)), ("lost", (2_000, "cancelled", None))],
)
def test_a_refund_that_was_refused_goes_on_when_the_dispute_ends(
    state: str, expected: tuple[int, str, str | None]
) -> None:
    case = Case()
    case.close()
    case.call(REFUSED)
    case.dispute("open")
    case.dispute(state, 3)
    if state == "won":
        case.call()
    refund = case.facts("refund")[0]
    assert (refund.amount, refund.status, refund.problem) == expected


def test_a_refund_under_way_when_the_dispute_is_heard_is_told_by_its_own_answer() -> None:
    case = Case()
    case.close()
    (name,) = case.world.payments.calls(case.world.now)
    case.world.payments.claim(name, case.world.now)
    case.dispute("open")
    (refund,) = case.facts("refund")
    assert (refund.status, refund.problem) == ("pending", None)
    case.world.payments.settle(name, REFUSED, case.world.now)
    (refund,) = case.facts("refund")
    assert (refund.status, refund.problem, case.calls()) == ("pending", "disputed", [])


def test_a_refund_that_was_made_while_a_dispute_was_lost_is_in_the_books_beside_it() -> None:
    """Then more went back than came: it is owed again, and people see it."""
    case = Case()
    case.world.cancel(case.order)
    case.world.drain()
    case.call()
    case.dispute("lost")
    assert [(each.amount, each.status) for each in case.facts("refund")] == [
        (2_000, "succeeded"),
        (2_000, "succeeded"),
    ]
    owed = case.facts("charge")[-1]
    assert (owed.amount, owed.status, owed.problem) == (2_000, "failed", "dispute-lost")


@pytest.mark.parametrize("payment_id", ["nobody's", "a-refund"])
def test_a_dispute_of_another_payment_than_by_card_changes_nothing(payment_id: str) -> None:
    case = Case()
    case.close()
    if payment_id == "a-refund":
        payment_id = case.facts("refund")[0].payment_id
    before = dict(case.world.payments.rows)
    case.dispute("lost", payment_id=payment_id)
    assert dict(case.world.payments.rows) == before


def test_a_payment_that_is_told_of_after_its_dispute_is_disputed_too() -> None:
    case = Case()
    case.dispute("open")
    again = PaymentReported(
        report_id="late", group_id=GROUP, payment_id=case.charge, status="succeeded", at=T
    )
    case.world.commands["payment-reports"].append(again)
    case.world.drain()
    assert case.paid() == [DISPUTED]
