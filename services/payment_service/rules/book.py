"""A payer's payments as one book over the rows of a group: the shell around ``balance``.

``level`` applies the difference between what is owed and what is done. Every change of a payment
goes through ``put``, which raises its version; letters are written from these changes at the end.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from runtime.rows import Call, Rows
from schemas.parts import Message
from services.payment_service.rows import (
    CHUNKS,
    DISPUTED,
    GROUP,
    NO_CURRENCY,
    ORDERS,
    SETTLED,
    TERMS,
    Kind,
    Move,
    Payer,
    PaymentStatus,
    Settled,
    call_name,
    member_name,
    method_of,
    move_name,
    payer_name,
    payment_id_of,
)
from services.payment_service.rules.balance import (
    Account,
    Action,
    Arrived,
    Become,
    Begin,
    CallOff,
    difference,
    difference_of_orders,
    is_level,
    owed,
    papers_covered,
)
from services.payment_service.rules.facts import Change, letters
from services.payment_service.rules.waiting import count_waiting


def bring_to_level(payer_id: str | None, rows: Rows, now: datetime) -> Sequence[Message]:
    """Apply the difference for a payer; None: the terms that say who pays have not come."""
    if payer_id is None:
        count_waiting(rows, now)
        return ()
    return Book(payer_id, rows, now).level()


def settle_group(rows: Rows, now: datetime) -> None:
    """Settle a group once it has ended and no payer has anything open.

    A later payment unsettles it, until that payment is through too.
    """
    group = rows[GROUP]
    is_settled = group.has_ended and not group.unsettled and CHUNKS("level") not in rows
    if is_settled != group.is_settled:
        rows[GROUP] = replace(group, is_settled=is_settled)
        if is_settled:
            before = rows.get(SETTLED)
            rows[SETTLED] = Settled(version=1 if before is None else before.version + 1, at=now)


class Book:
    """The payments of one payer by id, the oldest first."""

    def __init__(self, payer_id: str, rows: Rows, now: datetime) -> None:
        self.payer_id = payer_id
        self.rows = rows
        self.now = now
        self.moves: dict[str, Move] = {each: rows[move_name(each)] for each in self.payer.payments}
        self._changes: list[Change] = []

    @property
    def payer(self) -> Payer:
        """The payer's row."""
        return self.rows[payer_name(self.payer_id)]

    # --- what is owed, what is done, the difference ----------------------------------------------

    def level(self) -> Sequence[Message]:
        """Bring the payments to what is owed; returns the letters about all changes."""
        account = self._account()
        orders = difference_of_orders(account, self.moves, self.now)
        self._apply(orders)
        sums = owed(self._account() if orders else account)
        if sums is not None:
            if sums.is_final and account.payer.level_value != account.payer.value:
                self._put_payer(replace(self.payer, level_value=account.payer.value))
            self._apply(difference(sums, self.moves))
        if account.method == "invoice":
            self._apply(list(papers_covered(self.moves)))
        self._settle(is_settled=sums is not None and sums.is_final and is_level(sums, self.moves))
        settle_group(self.rows, self.now)
        return letters(self._changes, self.rows, self.now)

    def _account(self) -> Account:
        row = self.rows.get(member_name(self.payer_id))
        payer = self.payer
        return Account(
            payer_id=self.payer_id,
            method=method_of(self.payer_id, self.rows),
            terms=self.rows[TERMS],
            group=self.rows[GROUP],
            payer=payer,
            orders={name: self.rows[ORDERS.stored(name)] for name in payer.orders},
            mark=row.mark if row else 0,
        )

    def _apply(self, actions: Iterable[Action]) -> None:
        for action in actions:
            match action:
                case Begin():
                    self.begin(action)
                case CallOff(payment_id):
                    self._call_off(payment_id)
                case Become(payment_id, status):
                    self.become(payment_id, status)
                case Arrived(order):
                    name = ORDERS.stored(order)
                    self.rows[name] = replace(self.rows[name], is_there=True)

    def _settle(self, *, is_settled: bool) -> None:
        payer = self.payer
        if is_settled != payer.settled:
            self._put_payer(replace(payer, settled=is_settled))
            group = self.rows[GROUP]
            change = -1 if is_settled else 1
            self.rows[GROUP] = replace(group, unsettled=group.unsettled + change)

    def _put_payer(self, payer: Payer) -> None:
        self.rows[payer_name(self.payer_id)] = payer

    # --- begin -----------------------------------------------------------------------------------

    def begin(self, new: Begin) -> None:
        """Keep a new payment. A credit note, and a payment of nothing, is done at once."""
        payment_id = self._new_id(new)
        is_done = new.kind == "credit" or not new.amount
        is_paper = new.kind in ("invoice", "credit")
        quantity, value, favor = self._billed(new) if is_paper else (None, None, None)
        move = Move(
            version=0,
            payer=self.payer_id,
            kind=new.kind,
            method=new.method,
            amount=new.amount,
            currency=self._currency(new),
            status="succeeded" if is_done else new.status,
            cause=new.cause,
            parent=new.parent,
            reference=self._number(new.kind) if is_paper else new.reference,
            problem=new.problem,
            is_void=new.status == "cancelled",
            was_there=is_done or new.status == "succeeded",
            begun_at=self.now,
            quantity=quantity,
            value=value,
            favor=favor,
        )
        payer = self.payer
        self._put_payer(replace(payer, payments=(*payer.payments, payment_id)))
        if move.status == "pending":
            self._put_pending(payment_id, move)
        else:
            self.put(payment_id, move)
        if new.order:
            name = ORDERS.stored(new.order)
            order = self.rows[name]
            self.rows[name] = replace(
                order,
                payment_id=payment_id,
                state="dead" if move.is_void else order.state,
                # An invoice is there once it is written.
                is_there=move.was_there or move.kind == "invoice",
            )

    def _new_id(self, new: Begin) -> str:
        stem = (self.payer_id, new.kind, new.method, *new.cause, new.parent)
        number = 0
        while (payment_id := payment_id_of(self.rows.key, *stem, number)) in self.moves:
            number += 1
        return payment_id

    def _currency(self, new: Begin) -> str:
        terms = self.rows[TERMS]
        known = terms.currency or self.payer.currency or NO_CURRENCY
        return self.moves[new.parent].currency if new.parent else known

    def _billed(self, new: Begin) -> tuple[int, int, int]:
        """Quantity, value and favor of an order, or of all that the payer has."""
        payer = self.payer
        if new.quantity is not None:
            return new.quantity, new.amount, 0
        return payer.quantity, payer.value, payer.favor

    def _number(self, kind: Kind) -> str:
        """The next number of an invoice or a credit note; each group has its own series."""
        group = self.rows[GROUP]
        invoices, credits_ = (
            group.invoices + (kind == "invoice"),
            group.credits + (kind == "credit"),
        )
        self.rows[GROUP] = replace(group, invoices=invoices, credits=credits_)
        return f"{self.rows.key}-" + (f"I{invoices}" if kind == "invoice" else f"C{credits_}")

    # --- change ----------------------------------------------------------------------------------

    def put(self, payment_id: str, move: Move) -> None:
        """Keep a payment as it is now."""
        before = self.moves.get(payment_id)
        if move == before:
            return
        move = replace(move, version=move.version + 1)
        if move.status != "pending":
            self._drop_call(payment_id)
        self.moves[payment_id] = move
        self.rows[move_name(payment_id)] = move
        self._changes.append(Change(payment_id, before, move))

    def become(self, payment_id: str, status: PaymentStatus) -> None:
        """Change nothing of a payment but its status."""
        self.put(payment_id, replace(self.moves[payment_id], status=status))

    def hold(self, payment_id: str) -> None:
        """Have a refund wait for the end of a dispute, unless it was tried already."""
        move = self.moves[payment_id]
        call = self.rows.get(call_name(payment_id))
        is_under_way = call is not None and bool(call.owner or call.ambiguous)
        if not (is_under_way or move.attempts or move.reference):
            self.put(payment_id, replace(move, problem=DISPUTED))
            self._drop_call(payment_id)

    def go_on(self, payment_id: str) -> None:
        """Go on with a payment that waited for the end of a dispute, or of an earlier call."""
        self._put_pending(payment_id, replace(self.moves[payment_id], problem=None))

    def retry(self, payment_id: str) -> None:
        """Try a failed payment again, under a new key; if it may have been done, look first.

        Another refund may have been made before the bank sent the first one back.
        """
        move = self.moves[payment_id]
        fresh = replace(
            move,
            status="pending",
            is_void=False,
            is_unsure=False,
            looks=move.looks or move.is_unsure or move.kind == "refund",
            keys=move.keys + 1,
            attempts=0,
            first_tried_at=None,
            problem=None,
            session=None,
            page=None,
            # A refund that failed keeps its reference at Stripe; the next one gets another.
            reference=None if move.kind == "refund" else move.reference,
        )
        self._put_pending(payment_id, fresh)

    def _call_off(self, payment_id: str) -> None:
        """Call off a payment: at once if it failed, else when Stripe has answered."""
        move = self.moves[payment_id]
        if move.has_failed:
            self.put(payment_id, replace(move, status="cancelled", is_void=True))
        elif move.status == "pending" and not move.is_void:
            self.put(payment_id, replace(move, is_void=True))
            self._call(payment_id)

    # --- calls to Stripe -------------------------------------------------------------------------

    def _put_pending(self, payment_id: str, move: Move) -> None:
        """Keep a payment that is to be made. Ask Stripe for it, unless a dispute forbids it."""
        is_refund = move.kind == "refund" and move.method == "card"
        if is_refund and self.moves[move.parent].is_disputed:
            self.put(payment_id, replace(move, problem=DISPUTED))
            return
        self.put(payment_id, move)
        if move.method == "card":
            self._call(payment_id)

    def _call(self, payment_id: str) -> None:
        """Have a payment made; a call that is under way ends first."""
        name = call_name(payment_id)
        call = self.rows.get(name)
        if call is None or not call.owner:
            self.rows[name] = Call(at=self.now, since=self.now)

    def _drop_call(self, payment_id: str) -> None:
        """Make no call; the answer to one that is under way will change nothing."""
        call = self.rows.get(call_name(payment_id))
        if call is not None and not call.owner:
            del self.rows[call_name(payment_id)]
