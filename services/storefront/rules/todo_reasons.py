"""Facts that need people, and why: the rows of the table ``todos``. Pure.

A task itself says whether it is open, and names its shop. A payment or a letter has a row only
while its fact shows that people have something to do. Its owner is the shop that runs its group;
``owners`` looks that up, as the group's terms may come later.
"""

from typing import Any, Final

from domain.letters import is_about_auction
from schemas.letters import Delivery
from schemas.ops import Task
from schemas.payments import Payment
from schemas.reasons import LetterReason, LetterReply, PaymentFailure, PaymentReason

TODO_KINDS: Final = ("payment", "transfer", "order", "letter", "record")
#: The owner that stands for the admin.
ADMINS: Final = ""
#: Payments that move existing money: without an answer it is not known whether they were made
#: (payment_service).
_MOVES_MONEY: Final = frozenset({"capture", "refund", "release"})
#: Of a shop's payments and of transfers, by method, kind and status.
_REASONS: Final = {
    ("shop", "refund", "pending"): PaymentReason.PAY_BACK,
    ("shop", "refund", "failed"): PaymentReason.PAY_BACK_FAILED,
    ("shop", "charge", "pending"): PaymentReason.COLLECT,
    ("shop", "charge", "failed"): PaymentReason.COLLECT_FAILED,
    ("invoice", "refund", "pending"): PaymentReason.TRANSFER_BACK,
    ("invoice", "refund", "failed"): PaymentReason.TRANSFER_BACK_FAILED,
}
#: Replies about letters that need nobody.
_LEFT_OUT: Final = (
    *(LetterReply.UNSUBSCRIBED, LetterReply.NOT_SENT),
    *(LetterReply.ERASED, LetterReply.MERGED),
)
#: A payment that was made, and is disputed: its provider waits for an answer.
_TAKES_MONEY: Final = frozenset({"charge", "capture"})
_IN_DISPUTE: Final = ("succeeded", PaymentFailure.DISPUTED)


def reason_of_payment(payment: Payment) -> PaymentReason | None:
    """Why a payment needs people, as a code; ``None`` if it does not.

    A failed card payment by the payer needs no people: the payer can try again, and the order
    counts only after that.
    """
    if payment.method == "card" and payment.status == "failed":
        return _reason_of_card(payment)
    if payment.kind in _TAKES_MONEY and (payment.status, payment.problem) == _IN_DISPUTE:
        return PaymentReason.CARD_DISPUTED
    return _REASONS.get((payment.method, payment.kind, payment.status))


def _reason_of_card(payment: Payment) -> PaymentReason | None:
    if payment.problem == PaymentFailure.DISPUTE_LOST:
        return PaymentReason.CARD_DISPUTE_LOST
    if payment.problem == PaymentFailure.NOT_ACCEPTED:
        return PaymentReason.CARD_NOT_ACCEPTED
    is_of_money_that_was_there = payment.kind in _MOVES_MONEY
    if payment.problem == PaymentFailure.NO_ANSWER:
        return (
            PaymentReason.CARD_UNSURE
            if is_of_money_that_was_there
            else PaymentReason.CARD_NO_ANSWER
        )
    return PaymentReason.CARD_FAILED if is_of_money_that_was_there else None


def reason_of_letter(delivery: Delivery) -> LetterReason | None:
    """Why a letter was not delivered, as a code; ``None`` if it was, may be, or is not wanted."""
    reply = delivery.reply or ""
    if delivery.status == "bounced":
        if reply.startswith(LetterReply.GIVEN_UP):
            return LetterReason.GIVEN_UP
        return (
            LetterReason.NO_SMTPUTF8
            if LetterReply.NEEDS_SMTPUTF8 in reply
            else LetterReason.REFUSED
        )
    if delivery.status == "suppressed" and not reply.startswith(_LEFT_OUT):
        if reply == LetterReply.NO_ADDRESS:
            return LetterReason.NO_ADDRESS
        return LetterReason.NO_MAILBOX
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
