"""What is left to people: which facts are, and that every kind and reason has words."""

from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from schemas.letters import Delivery, LetterKind
from schemas.ops import Task, transfer_task_id
from schemas.payments import Payment
from schemas.reasons import (
    LetterReason,
    OrderReason,
    PaymentReason,
    RecordReason,
    TransferReason,
)
from services.storefront.commands.todo_items import is_open, todo_of
from services.storefront.rules import todo_texts
from services.storefront.rules.rows import TodoRow
from services.storefront.rules.todo_reasons import TODO_KINDS, reason_of_letter, reason_of_payment
from services.storefront.rules.todo_texts import OTHER
from texts.catalogue import languages, texts
from texts.words import TASK_KINDS

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
GROUP = "GB-7K3M9-QXA2F-D"


def payment(method: str, kind: str, status: str, problem: str | None = None) -> Payment:
    return Payment.model_validate(
        {
            "payment_id": "p-1",
            "group_id": GROUP,
            "member_id": "m-ann",
            "kind": kind,
            "method": method,
            "amount": 900,
            "currency": "EUR",
            "status": status,
            "cause": {"kind": "favor"},
            "problem": problem,
            "begun_at": NOW,
            "version": 1,
        }
    )


def letter(status: str, reply: str | None = None, kind: str = "favor-given") -> Delivery:
    return Delivery.model_validate(
        {
            "recipient_id": "m-ann",
            "notice_id": "n-1",
            "kind": kind,
            "about": GROUP,
            "status": status,
            "attempts": 1,
            "reply": reply,
            "queued_at": NOW,
            "at": NOW,
            "version": 1,
        }
    )


def task(kind: str = "transfer", **fields: Any) -> Task:
    said = {"task_id": f"{kind}-1", "kind": kind, "about": "B1", "reason": "new", "since": NOW}
    return Task.model_validate({**said, "problem": "why", **fields})


# --- which -----------------------------------------------------------------------------------

PAYMENTS: list[tuple[str, str, str, str | None, str | None]] = [
    ("shop", "refund", "pending", None, "pay-back"),
    ("shop", "refund", "failed", "the shop says no", "pay-back-failed"),
    ("shop", "refund", "succeeded", None, None),
    ("shop", "refund", "cancelled", None, None),
    ("shop", "charge", "pending", None, "collect"),
    ("shop", "charge", "failed", "no shop can", "collect-failed"),
    ("invoice", "invoice", "pending", None, None),
    ("invoice", "invoice", "succeeded", None, None),
    ("invoice", "credit", "succeeded", None, None),
    ("invoice", "refund", "pending", None, "transfer-back"),
    ("invoice", "refund", "failed", "refused", "transfer-back-failed"),
    ("invoice", "refund", "succeeded", None, None),
    ("card", "authorisation", "pending", None, None),
    ("card", "authorisation", "failed", "expired", None),
    ("card", "authorisation", "failed", "no-answer", "card-no-answer"),
    ("card", "charge", "failed", "card-declined", None),
    ("card", "charge", "failed", None, None),
    ("card", "charge", "failed", "not-accepted", "card-not-accepted"),
    ("card", "capture", "pending", None, None),
    ("card", "capture", "failed", "no-answer", "card-unsure"),
    ("card", "capture", "failed", "refused", "card-failed"),
    ("card", "refund", "failed", "no-answer", "card-unsure"),
    ("card", "refund", "failed", "not-accepted", "card-not-accepted"),
    ("card", "release", "failed", "no-answer", "card-unsure"),
    ("card", "refund", "succeeded", None, None),
    ("card", "charge", "cancelled", "beyond-limits", None),
    ("card", "charge", "succeeded", "disputed", "card-disputed"),
    ("card", "capture", "succeeded", "disputed", "card-disputed"),
    ("card", "refund", "pending", "disputed", None),
    ("card", "charge", "succeeded", "dispute-lost", None),
    ("card", "refund", "succeeded", "dispute-lost", None),
    ("card", "charge", "cancelled", "dispute-lost", None),
    ("card", "charge", "failed", "dispute-lost", "card-dispute-lost"),
    ("card", "refund", "failed", "dispute-lost", "card-dispute-lost"),
    ("shop", "refund", "failed", "it was paid by hand (cod)", "pay-back-failed"),
]
LETTERS: list[tuple[str, str | None, str | None]] = [
    ("queued", None, None),
    ("sent", "250 OK", None),
    ("deferred", "451 later", None),
    ("bounced", "550 5.7.1 blocked", "refused"),
    ("bounced", None, "refused"),
    ("bounced", "given up after 3 days: 451 later", "given-up"),
    ("bounced", "ü@x.example can't be reached: it needs SMTPUTF8, which is not", "no-smtputf8"),
    ("suppressed", "not sent: it was of use until 2026-11-01 09:00 UTC", None),
    ("suppressed", "unsubscribed", None),
    ("suppressed", "unsubscribed from invitation", None),
    ("suppressed", "the address was refused: 550 5.1.1", "no-mailbox"),
    ("suppressed", None, "no-mailbox"),
    ("suppressed", "no address is known", "no-address"),
    ("suppressed", "the person was erased", None),
    ("suppressed", "merged into n1", None),
]


@pytest.mark.slow
@pytest.mark.parametrize(("method", "kind", "status", "problem", "reason"), PAYMENTS)
def test_a_payment_is_left_to_people_where_nobody_else_can_go_on(
    method: str, kind: str, status: str, problem: str | None, reason: str | None
) -> None:
    found = payment(method, kind, status, problem)
    assert reason_of_payment(found) == reason
    assert is_open(found) == (reason is not None)


@pytest.mark.parametrize(("status", "reply", "reason"), LETTERS)
def test_a_letter_is_left_to_people_when_it_will_not_arrive(
    status: str, reply: str | None, reason: str | None
) -> None:
    found = letter(status, reply)
    assert reason_of_letter(found) == reason
    assert is_open(found) == (reason is not None)


def test_a_task_is_left_to_people_until_it_is_done() -> None:
    assert is_open(task())
    assert not is_open(task(done_at=NOW, done_reason="counted"))


# --- in words --------------------------------------------------------------------------------

KNOWN = {
    "payment": set(PaymentReason),
    "letter": set(LetterReason),
    "transfer": set(TransferReason),
    "order": set(OrderReason),
    "record": set(RecordReason),
}


def test_each_reason_of_a_payment_and_a_letter_has_an_example() -> None:
    assert {reason for *_, reason in PAYMENTS if reason} == set(PaymentReason)
    assert {reason for *_, reason in LETTERS if reason} == set(LetterReason)


def test_each_kind_and_reason_has_a_text() -> None:
    assert set(KNOWN) == set(TODO_KINDS) == set(TASK_KINDS)
    assert set(KNOWN) == set(todo_texts.ONE)
    for kind, reasons in KNOWN.items():
        for reason in {*reasons, OTHER}:
            assert todo_texts.TO_DO[kind].get(reason), f"say in todo_texts.py: {kind} {reason}"
    for each in get_args(LetterKind):
        assert todo_texts.LETTERS.get(each)


def test_each_text_belongs_to_a_known_reason() -> None:
    told = {kind: set(reasons) for kind, reasons in todo_texts.TO_DO.items()}
    assert told == {kind: {*reasons, OTHER} for kind, reasons in KNOWN.items()}


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("kind", ["transfer", "order", "record"])
def test_a_reason_of_a_later_version_gets_words_that_are_right_for_any(
    kind: str, language: Any
) -> None:
    todo = todo_of(TodoRow(task(kind, reason="of-a-later-version"), NOW, ""), for_admin=True)
    assert todo.reason == "of-a-later-version"
    assert todo.what_to_do(language) == texts(language).gettext(todo_texts.TO_DO[kind][OTHER])


@pytest.mark.parametrize(
    ("fact", "commands", "ways"),
    [
        (payment("shop", "refund", "pending"), ["payment done p-1"], ("outcome",)),
        (
            payment("shop", "refund", "failed", "no"),
            ["payment done p-1", "payment retry p-1"],
            ("outcome", "retry"),
        ),
        (
            payment("shop", "charge", "pending"),
            ["payment done p-1", "payment failed p-1 --reason WHY"],
            ("outcome",),
        ),
        (payment("card", "refund", "failed", "no-answer"), ["payment retry p-1"], ("retry",)),
        (payment("invoice", "refund", "pending"), ["payment done p-1"], ("outcome",)),
        (
            task("transfer", about="AB 12", amount=4000, currency="EUR"),
            [
                "invoice paid NUMBER 40.00 --reference 'AB 12'",
                "todo done transfer-1 --reason TEXT",
            ],
            ("done",),
        ),
        *(
            (task(reason=reason, amount=4000), ["todo done transfer-1 --reason TEXT"], ("done",))
            for reason in ("reversal", "returned")
        ),
        *(
            (task("order", reason=reason), ["todo done order-1 --reason TEXT"], ("done",))
            for reason in ("not-fetched", "not-the-product")
        ),
        (
            task("order", reason="not-json"),
            ["dead-letters show --task order-1", "todo done order-1 --reason TEXT"],
            ("done",),
        ),
        (
            task("order", reason="mistyped-group"),
            [
                "dead-letters show --task order-1",
                "dead-letters replay --task order-1 --value FILE",
                "todo done order-1 --reason TEXT",
            ],
            ("done",),
        ),
        (
            task("record", reason="wrong-partition"),
            [
                "dead-letters show --task record-1",
                "dead-letters replay --task record-1",
                "dead-letters purge --task record-1",
            ],
            (),
        ),
        (
            task("record", reason="mistyped-group"),
            [
                "dead-letters show --task record-1",
                "dead-letters replay --task record-1 --value FILE",
                "dead-letters purge --task record-1",
            ],
            (),
        ),
        (letter("bounced"), ["letters show m-ann/n-1", "letters resend m-ann/n-1"], ()),
    ],
)
def test_each_says_the_command_for_it(fact: Any, commands: list[str], ways: Any) -> None:
    todo = todo_of(TodoRow(fact, NOW, ""), for_admin=True)
    assert list(todo.commands) == [f"jointbuy {each}" for each in commands]
    assert todo.ways == ways


def test_a_shop_is_told_no_command_that_needs_the_topics() -> None:
    assert todo_of(TodoRow(letter("bounced"), NOW, "s"), for_admin=False).commands == ()
    of_order = todo_of(TodoRow(task("order", reason="schema"), NOW, "s"), for_admin=False)
    assert of_order.commands == ("jointbuy todo done order-1 --reason TEXT",)


@pytest.mark.parametrize(
    "fact",
    [
        letter("bounced", "550 5.1.1 <ann@people.example> no such user"),
        payment("shop", "refund", "failed", "no refund for ann@people.example"),
        task("order", problem="email: ann@people.example is odd", about="ann@people.example"),
        task("record", problem="ann@people.example"),
        task("transfer", problem="from ann@people.example"),
    ],
)
def test_texts_contain_no_address(fact: Any) -> None:
    todo = todo_of(TodoRow(fact, NOW, ""), for_admin=True)
    assert "@" not in f"{todo.problem} {todo.about} {todo.commands}"


def test_one_transfer_is_one_task_and_two_are_two() -> None:
    assert transfer_task_id("AB 12") == transfer_task_id("AB 12") != transfer_task_id("AB 13")
    assert len(transfer_task_id("x" * 200)) <= 64
