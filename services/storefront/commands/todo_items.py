"""Tasks for people in words: the task, its cause, and what to do. Pure: facts in, words out.

The texts stand in ``todo_texts``, one for each kind and reason; a reason that is not known there
gets a general one, which is right whatever the reason is. No address of a person is in
any of it: a mail server's or a shop's words may repeat one, so they are masked.
"""

import shlex
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote

from domain.money import in_decimals
from domain.tries import PAUSES, TRIED_FOR
from runtime.masking import without_addresses
from schemas.api.todos import Way
from schemas.letters import Delivery
from schemas.ops import Task
from schemas.parts import Message
from schemas.payments import Payment
from schemas.reasons import (
    OrderReason,
    RecordReason,
    TransferReason,
)
from services.storefront.rules.rows import TodoRow
from services.storefront.rules.todo_reasons import (
    is_about_group,
    reason_of_letter,
    reason_of_payment,
)
from services.storefront.rules.todo_texts import LETTERS, OTHER, TO_DO
from texts.catalogue import ENGLISH, texts

#: How a todo is closed: ``done`` by saying so, ``outcome`` by saying what became of the payment,
#: ``retry`` by trying it again.
#: Reasons of orders that have no dead letter: there is nothing that came.
_WITHOUT_DEAD_LETTER: Final = frozenset({OrderReason.NOT_FETCHED, OrderReason.NOT_THE_PRODUCT})
#: Reasons of transfers that brought no money, so that none may be recorded for an invoice.
_NOT_RECEIVED: Final = frozenset({TransferReason.REVERSAL, TransferReason.RETURNED})
#: Reasons of records that stay wrong as they are.
_TO_MEND: Final[frozenset[str]] = frozenset(
    {
        RecordReason.MISTYPED_GROUP,
        RecordReason.SCHEMA,
        RecordReason.NO_VALUE,
        RecordReason.TOO_LARGE,
        RecordReason.BEYOND_LIMITS,
    }
)
#: When shop_bridge has made its last try; a payment that is then still pending needs people.
BRIDGE_TRIES_FOR: Final = TRIED_FOR + PAUSES[-1]


@dataclass(frozen=True, slots=True)
class Todo:
    """One thing that is left to people.

    ``task_id`` is a task's id, a payment's, or a letter's as ``jointbuy letters`` names it.
    ``reason`` is a code, ``problem`` what a program said of it, in English. ``amount`` is in minor
    units of ``currency``. ``letter`` is the letter's kind. ``commands`` are to be typed. ``ways``
    are how it is closed over the API or the page.
    """

    task_id: str
    kind: str
    reason: str
    since: datetime
    about: str
    group_id: str | None = None
    recipient_id: str | None = None
    letter: str | None = None
    amount: int | None = None
    currency: str | None = None
    problem: str = ""
    commands: tuple[str, ...] = ()
    ways: tuple[Way, ...] = ()

    @property
    def link(self) -> str | None:
        """The path of the page of its group."""
        return f"/groups/{quote(self.group_id, safe='')}" if self.group_id else None

    @property
    def text(self) -> str:
        """What to do, in English: `_` of it is what to do in another language."""
        known = TO_DO[self.kind]
        return known.get(self.reason, known[OTHER])

    def what_to_do(self, language: str = ENGLISH) -> str:
        """What to do, in words."""
        return texts(language).gettext(self.text)

    @property
    def letter_text(self) -> str:
        """What a letter is, in English."""
        return LETTERS.get(self.letter or OTHER, LETTERS[OTHER])


def todo_of(row: TodoRow, *, for_admin: bool) -> Todo:
    """A row in words; only the admin is told commands that need the topics.

    Raises ``TypeError`` for a fact that never is left to people.
    """
    match row.fact:
        case Task():
            return _task(row.fact, row.since, for_admin=for_admin)
        case Payment():
            return _payment(row.fact, row.since)
        case Delivery():
            return _letter(row.fact, row.since, for_admin=for_admin)
    raise TypeError(f"{type(row.fact).__name__} is never left to people")


def is_open(fact: Message) -> bool:
    """Whether people have something to do, by a fact as it is now."""
    match fact:
        case Task():
            return fact.done_at is None
        case Payment():
            return reason_of_payment(fact) is not None
        case Delivery():
            return reason_of_letter(fact) is not None
    return False


def is_under_way(fact: Message, since: datetime, now: datetime) -> bool:
    """Whether shop_bridge may still pay by itself, at a shop where it does."""
    is_pending = isinstance(fact, Payment) and fact.method == "shop" and fact.status == "pending"
    return is_pending and now < since + BRIDGE_TRIES_FOR


# --- by kind -------------------------------------------------------------------------------------


def _payment(payment: Payment, since: datetime) -> Todo:
    reason = reason_of_payment(payment) or OTHER
    quoted_id = shlex.quote(payment.payment_id)
    ways: tuple[Way, ...] = () if payment.method == "card" else ("outcome",)
    commands = [f"jointbuy payment done {quoted_id}"] if ways else []
    if payment.status == "failed":
        ways = (*ways, "retry")
        commands.append(f"jointbuy payment retry {quoted_id}")
    elif payment.kind == "charge":
        commands.append(f"jointbuy payment failed {quoted_id} --reason WHY")
    return Todo(
        task_id=payment.payment_id,
        kind="payment",
        reason=reason,
        since=since,
        about=payment.member_id or payment.group_id,
        group_id=payment.group_id,
        amount=payment.amount,
        currency=payment.currency,
        problem=without_addresses(payment.problem or ""),
        commands=tuple(commands),
        ways=ways,
    )


def _letter(delivery: Delivery, since: datetime, *, for_admin: bool) -> Todo:
    quoted_id = shlex.quote(delivery.key)
    commands = (f"jointbuy letters show {quoted_id}", f"jointbuy letters resend {quoted_id}")
    return Todo(
        task_id=delivery.notice_id,
        kind="letter",
        reason=reason_of_letter(delivery) or OTHER,
        since=since,
        about=delivery.about,
        group_id=delivery.about if is_about_group(delivery) else None,
        recipient_id=delivery.recipient_id,
        letter=delivery.kind,
        problem=without_addresses(delivery.reply or ""),
        commands=commands if for_admin else (),
    )


def _task(task: Task, since: datetime, *, for_admin: bool) -> Todo:
    return Todo(
        task_id=task.task_id,
        kind=task.kind,
        reason=task.reason,
        since=since,
        # A transfer's is the bank's mark, by which its money counts once.
        about=task.about if task.kind == "transfer" else without_addresses(task.about),
        group_id=task.group_id,
        amount=task.amount,
        currency=task.currency,
        problem=without_addresses(task.problem),
        commands=_commands_of_task(task, for_admin=for_admin),
        ways=() if task.kind == "record" else ("done",),
    )


def _commands_of_task(task: Task, *, for_admin: bool) -> tuple[str, ...]:
    quoted_id = shlex.quote(task.task_id)
    done = f"jointbuy todo done {quoted_id} --reason TEXT"
    show = f"jointbuy dead-letters show --task {quoted_id}"
    replay = f"jointbuy dead-letters replay --task {quoted_id}"
    if task.reason in _TO_MEND:
        replay += " --value FILE"
    match task.kind:
        case "transfer":
            amount = "AMOUNT"
            if task.amount and task.currency:
                amount = in_decimals(task.amount, task.currency)
            reference = shlex.quote(task.about)
            if task.reason in _NOT_RECEIVED:
                return (done,)
            return (f"jointbuy invoice paid NUMBER {amount} --reference {reference}", done)
        case "order":
            if not for_admin or task.reason in _WITHOUT_DEAD_LETTER:
                return (done,)
            if task.reason == OrderReason.MISTYPED_GROUP:
                return (show, replay, done)
            return (show, done)
        case "record":
            return (show, replay, f"jointbuy dead-letters purge --task {quoted_id}")
