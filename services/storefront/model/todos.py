"""Which facts need people: the rows of the table ``todos``. Pure.

A task itself says whether it is open, and names its shop. A payment or a letter has a row only
while its fact shows that people have something to do. Its owner is the shop that runs its group;
``owners`` looks that up, as the group's terms may come later.
"""

from typing import Any, Final

from domain.letters import is_about_auction
from schemas.letters import Delivery
from schemas.ops import Task
from schemas.payments import Payment

TODO_KINDS: Final = ("payment", "transfer", "order", "letter", "record")
#: The owner that stands for the admin.
ADMINS: Final = ""
#: Payments that move existing money: without an answer it is not known whether they were made
#: (payment_service).
_MOVES_MONEY: Final = frozenset({"capture", "refund", "release"})
#: Of a shop's payments and of transfers, by method, kind and status.
_REASONS: Final = {
    ("shop", "refund", "pending"): "pay-back",
    ("shop", "refund", "failed"): "pay-back-failed",
    ("shop", "charge", "pending"): "collect",
    ("shop", "charge", "failed"): "collect-failed",
    ("invoice", "refund", "pending"): "transfer-back",
    ("invoice", "refund", "failed"): "transfer-back-failed",
}
#: Problems of card payments that failed for another reason than the payer's.
_NO_ANSWER, _NOT_ACCEPTED = "no-answer", "not-accepted"
#: Problems of a payment that the payer's bank disputes, or took back.
_DISPUTED, _DISPUTE_LOST = "disputed", "dispute-lost"
#: Beginnings of the notifier's replies.
_UNSUBSCRIBED, _GIVEN_UP, _TOO_LATE = "unsubscribed", "given up", "not sent"
#: Its words about an address that the mail server can't take.
_NEEDS_SMTPUTF8 = "needs SMTPUTF8"
#: A payment that was made, and is disputed: its provider waits for an answer.
_TAKES_MONEY: Final = frozenset({"charge", "capture"})
_IN_DISPUTE: Final = ("succeeded", _DISPUTED)


def reason_of_payment(payment: Payment) -> str | None:
    """Why a payment needs people, as a code; ``None`` if it does not.

    A failed card payment by the payer needs no people: the payer can try again, and the order
    counts only after that.
    """
    if payment.method == "card" and payment.status == "failed":
        return _reason_of_card(payment)
    if payment.kind in _TAKES_MONEY and (payment.status, payment.problem) == _IN_DISPUTE:
        return "card-disputed"
    return _REASONS.get((payment.method, payment.kind, payment.status))


def _reason_of_card(payment: Payment) -> str | None:
    if payment.problem == _DISPUTE_LOST:
        return "card-dispute-lost"
    if payment.problem == _NOT_ACCEPTED:
        return "card-not-accepted"
    is_of_money_that_was_there = payment.kind in _MOVES_MONEY
    if payment.problem == _NO_ANSWER:
        return "card-unsure" if is_of_money_that_was_there else "card-no-answer"
    return "card-failed" if is_of_money_that_was_there else None


def reason_of_letter(delivery: Delivery) -> str | None:
    """Why a letter was not delivered, as a code; ``None`` if it was, may be, or is not wanted."""
    reply = delivery.reply or ""
    if delivery.status == "bounced":
        if reply.startswith(_GIVEN_UP):
            return "given-up"
        return "no-smtputf8" if _NEEDS_SMTPUTF8 in reply else "refused"
    if delivery.status == "suppressed" and not reply.startswith((_UNSUBSCRIBED, _TOO_LATE)):
        return "no-mailbox"
    return None


def is_about_group(delivery: Delivery) -> bool:
    """Whether a letter is about a group, not about an auction."""
    return not is_about_auction(delivery.kind)


# --- rows ----------------------------------------------------------------------------------------


def row_of_task(task: Task, _: int) -> dict[str, Any]:
    """A task's columns, with times as they are."""
    return {
        "topic": "tasks",
        "key": task.key,
        "kind": task.kind,
        "group_id": task.group_id,
        "owner": ADMINS if task.shop_id is None else task.shop_id,
        "since": task.since,
        "done_at": task.done_at,
        "version": task.version,
    }


def row_of_payment(payment: Payment, at: int) -> dict[str, Any] | None:
    """The same of a payment that needs people; its owner is looked up later."""
    if reason_of_payment(payment) is None:
        return None
    return {
        "topic": "payments",
        "key": payment.key,
        "kind": "payment",
        "group_id": payment.group_id,
        "owner": None,
        "since": at if payment.begun_at is None else payment.begun_at,
        "done_at": None,
        "version": payment.version,
    }


def row_of_letter(delivery: Delivery, _: int) -> dict[str, Any] | None:
    """The same of an undelivered letter; ``since`` is when it was to be sent."""
    if reason_of_letter(delivery) is None:
        return None
    return {
        "topic": "deliveries",
        "key": delivery.key,
        "kind": "letter",
        "group_id": delivery.about if is_about_group(delivery) else None,
        "owner": None if is_about_group(delivery) else ADMINS,
        "since": delivery.queued_at,
        "done_at": None,
        "version": delivery.version,
    }
