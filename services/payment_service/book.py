"""A payer's payments as one book: what is in it, and how payments are begun, changed, called off.

Every change of a payment goes through ``put``, which raises its version and writes the letters.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from runtime.rows import Call, Rows
from schemas.parts import Message, Method
from services.payment_service import letters
from services.payment_service.rows import (
    DISPUTE_LOST,
    DISPUTED,
    NO_CURRENCY,
    Cause,
    Group,
    Kind,
    Move,
    Payer,
    PaymentStatus,
    Terms,
    call_name,
    move_name,
    payer_name,
    payment_id_of,
)

#: Kinds that an answer from outside is not waited for: the paper is the act.
AT_ONCE = frozenset({"credit"})


class Book:
    """The payments of one payer, over the rows of a group."""

    def __init__(self, payer_id: str, rows: Rows, now: datetime) -> None:
        self.payer_id = payer_id
        self.rows = rows
        self.now = now
        self.sent: list[Message] = []
        self._moves: dict[str, Move] = {each: rows[move_name(each)] for each in self.payer.payments}

    @property
    def payer(self) -> Payer:
        """The payer's row."""
        payer: Payer = self.rows[payer_name(self.payer_id)]
        return payer

    def __getitem__(self, payment_id: str) -> Move:
        return self._moves[payment_id]

    def each(self, method: Method, *kinds: Kind, parent: str = "") -> Iterator[tuple[str, Move]]:
        """Payments by this method of these kinds, of a parent if one is given, the oldest first."""
        for payment_id, move in list(self._moves.items()):
            if move.method == method and move.kind in kinds and parent in ("", move.parent):
                yield payment_id, move

    # --- begin -----------------------------------------------------------------------------------

    def begin(
        self,
        kind: Kind,
        method: Method,
        amount: int,
        cause: Cause,
        *,
        parent: str = "",
        quantity: int | None = None,
    ) -> str:
        """Put a payment that is to be brought about; where nothing is to be moved it is through.

        ``quantity`` is that of the order that it is for, if it is for one.
        """
        payment_id = self._new_id(kind, method, cause, parent)
        move = Move(0, self.payer_id, kind, method, amount, self._currency(), "pending", cause)
        move.parent = parent
        move.begun_at = self.now
        payer = self.payer
        if kind in ("invoice", "credit"):
            move.reference = self._number(kind)
            if quantity is None:
                move.quantity, move.value, move.favor = payer.quantity, payer.value, payer.favor
            else:
                move.quantity, move.value, move.favor = quantity, amount, 0
        self._add(payment_id)
        if kind in AT_ONCE or not amount:
            self.put(payment_id, replace(move, status="succeeded", was_there=True))
            return payment_id
        self._put_pending(payment_id, move)
        if kind == "invoice":
            self.sent += letters.done(payment_id, move, self.rows, self.now)
        return payment_id

    def enter_lost(self, parent: str, amount: int, cause: Cause, dispute_id: str) -> None:
        """Book the money that a dispute moved back to the payer; no letter is sent."""
        payment_id = self._new_id("refund", "card", cause, parent)
        currency = self._moves[parent].currency
        move = Move(0, self.payer_id, "refund", "card", amount, currency, "succeeded", cause)
        move.parent, move.begun_at, move.was_there = parent, self.now, True
        move.reference, move.problem = dispute_id, DISPUTE_LOST
        self._add(payment_id)
        self.put(payment_id, move)

    def decline(self, kind: Kind, method: Method, amount: int, cause: Cause, problem: str) -> str:
        """Put a cancelled payment, which was never made; ``problem`` says why."""
        payment_id = self._new_id(kind, method, cause, "")
        move = Move(0, self.payer_id, kind, method, amount, self._currency(), "cancelled", cause)
        move.begun_at = self.now
        move.is_void = True
        move.problem = problem
        self._add(payment_id)
        self.put(payment_id, move)
        return payment_id

    def _new_id(self, kind: Kind, method: Method, cause: Cause, parent: str) -> str:
        stem = (self.payer_id, kind, method, *cause, parent)
        number = 0
        payment_id = payment_id_of(self.rows.key, *stem, number)
        while payment_id in self._moves:
            number += 1
            payment_id = payment_id_of(self.rows.key, *stem, number)
        return payment_id

    def _add(self, payment_id: str) -> None:
        payer = self.payer
        self.rows[payer_name(self.payer_id)] = replace(
            payer, payments=(*payer.payments, payment_id)
        )

    def _currency(self) -> str:
        terms: Terms = self.rows["terms"]
        return terms.currency or self.payer.currency or NO_CURRENCY

    def _number(self, kind: Kind) -> str:
        """The next number of an invoice or credit note, in a series of the group's own."""
        group: Group = self.rows["group"]
        if kind == "invoice":
            group = replace(group, invoices=group.invoices + 1)
            number = f"I{group.invoices}"
        else:
            group = replace(group, credits=group.credits + 1)
            number = f"C{group.credits}"
        self.rows["group"] = group
        return f"{self.rows.key}-{number}"

    def _put_pending(self, payment_id: str, move: Move) -> None:
        """Keep a payment that is to be made, and ask its provider for it if there is one."""
        is_refund = move.kind == "refund" and move.method == "card"
        if is_refund and self._moves[move.parent].is_disputed:
            self.put(payment_id, replace(move, problem=DISPUTED))
            return
        self.put(payment_id, move)
        if move.method == "card":
            self._call(payment_id)

    def hold(self, payment_id: str) -> None:
        """Have a refund wait for the end of a dispute, unless it was tried already."""
        move = self._moves[payment_id]
        call: Call | None = self.rows.get(call_name(payment_id))
        is_under_way = call is not None and bool(call.owner or call.ambiguous)
        if not (is_under_way or move.attempts or move.reference):
            self.put(payment_id, replace(move, problem=DISPUTED))
            self._drop_call(payment_id)

    def go_on(self, payment_id: str) -> None:
        """Go on with a refund that waited for the end of a dispute."""
        self._put_pending(payment_id, replace(self._moves[payment_id], problem=None))

    def _call(self, payment_id: str) -> None:
        """Have a payment brought about; what is under way is left to end first."""
        name = call_name(payment_id)
        call: Call | None = self.rows.get(name)
        if call is None or not call.owner:
            self.rows[name] = Call(at=self.now, since=self.now)

    def _drop_call(self, payment_id: str) -> None:
        """Nothing is to be done any more; the answer of what is under way will change nothing."""
        call: Call | None = self.rows.get(call_name(payment_id))
        if call is not None and not call.owner:
            del self.rows[call_name(payment_id)]

    # --- change ----------------------------------------------------------------------------------

    def put(self, payment_id: str, move: Move) -> None:
        """Keep a payment as it is now, and tell its payer what that means."""
        before = self._moves.get(payment_id)
        if move == before:
            return
        move = replace(move, version=move.version + 1)
        if move.status != "pending":
            self._drop_call(payment_id)
        self._moves[payment_id] = move
        self.rows[move_name(payment_id)] = move
        if before is not None and before.status == move.status:
            return
        # The payer got the invoice's letter earlier, and knows the dispute's result.
        if move.status == "succeeded" and move.kind != "invoice" and move.problem != DISPUTE_LOST:
            self.sent += letters.done(payment_id, move, self.rows, self.now)
        elif move.status == "failed":
            self.sent += letters.failed(payment_id, move, self.rows, self.now)

    def become(self, payment_id: str, status: PaymentStatus) -> None:
        """Change nothing of a payment but its status."""
        self.put(payment_id, replace(self._moves[payment_id], status=status))

    def call_off(self, payment_id: str) -> None:
        """Call off what is not done: at once where nobody was asked yet or the answer was no."""
        move = self._moves[payment_id]
        if move.status == "failed" and not move.is_unsure:
            self.put(payment_id, replace(move, status="cancelled", is_void=True))
        elif move.status == "pending" and not move.is_void:
            self.put(payment_id, replace(move, is_void=True))
            self._call(payment_id)

    def retry(self, payment_id: str) -> None:
        """Try a failed payment again, under a new key; if it may have been done, look first."""
        move = self._moves[payment_id]
        fresh = replace(
            move,
            status="pending",
            is_void=False,
            is_unsure=False,
            looks=move.looks or move.is_unsure,
            keys=move.keys + 1,
            attempts=0,
            first_tried_at=None,
            problem=None,
            session=None,
            page=None,
            # A refund that failed has a reference of its own; the next one will have another.
            reference=None if move.kind == "refund" else move.reference,
        )
        self._put_pending(payment_id, fresh)
