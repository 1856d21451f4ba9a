"""One method's payments of one payer, brought to a sum: what is had, on its way, and to be asked.

Each returns whether all of its payments are at rest: through, or called off.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from schemas.parts import SUM_MAX
from services.payment_service.book import Book
from services.payment_service.rows import DISPUTE_LOST, Cause, Move

AT_REST = frozenset({"succeeded", "cancelled"})


# --- shop ----------------------------------------------------------------------------------------


def level_shop(book: Book, wanted: int, cause: Cause) -> bool:
    """Have the shop charge (above zero) or refund in sum what is ``wanted``, by instructions."""

    def asked() -> int:
        charged = _amount(book.each("shop", "charge"))
        return charged - _amount(book.each("shop", "refund"))

    need = wanted - asked()
    if need:
        _forget_failed(book, book.each("shop", "charge", "refund"))
        need = wanted - asked()
    if need and not any(_is_open(move) for _, move in book.each("shop", "charge", "refund")):
        # The rest, which is too much for one payment, follows after this one.
        book.begin("charge" if need > 0 else "refund", "shop", min(abs(need), SUM_MAX), cause)
        return False
    return not need and all(
        move.status in AT_REST for _, move in book.each("shop", "charge", "refund")
    )


# --- invoice -------------------------------------------------------------------------------------


def claimed_by_invoice(book: Book) -> int:
    """The sum of a payer's invoices, less credit notes."""
    claimed = sum(move.amount for _, move in book.each("invoice", "invoice"))
    return claimed - _amount(book.each("invoice", "credit"))


def received_by_invoice(book: Book) -> int:
    """The money received for a payer's invoices; refunds are not subtracted."""
    return sum(move.received for _, move in book.each("invoice", "invoice"))


def level_invoice(book: Book, wanted: int, cause: Cause) -> bool:
    """Claim what is ``wanted`` by invoices less credit notes, and pay back what came beyond it."""
    claimed = claimed_by_invoice(book)
    if wanted > claimed:
        book.begin("invoice", "invoice", wanted - claimed, cause)
    elif wanted < claimed:
        book.begin("credit", "invoice", claimed - wanted, cause)
    received = received_by_invoice(book)
    over = received - _amount(book.each("invoice", "refund")) - wanted
    if over:
        _forget_failed(book, book.each("invoice", "refund"))
        over = received - _amount(book.each("invoice", "refund")) - wanted
    if over > 0 and not any(_is_open(move) for _, move in book.each("invoice", "refund")):
        book.begin("refund", "invoice", over, cause)
    mark_paid(book)
    return over == 0 and all(
        move.status in AT_REST for _, move in book.each("invoice", "invoice", "credit", "refund")
    )


def mark_paid(book: Book) -> None:
    """Mark the invoices, the oldest first, that money and credit notes cover by now."""
    received = received_by_invoice(book)
    covered = received + _amount(book.each("invoice", "credit"))
    covered -= _amount(book.each("invoice", "refund"))
    for payment_id, move in book.each("invoice", "invoice"):
        if move.status == "pending" and covered >= move.amount:
            book.become(payment_id, "succeeded" if received else "cancelled")
        covered -= move.amount


# --- card ----------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Cards:
    """What came by card less what went back, as far as it was asked for; and what can be done."""

    had: int = 0
    holds: list[tuple[str, int]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    refundable: list[tuple[str, int]] = field(default_factory=list)
    is_charging: bool = False
    is_refunding: bool = False
    is_unsure: bool = False


def level_card(book: Book, wanted: int, cause: Cause, *, is_final: bool) -> bool:
    """Have what is ``wanted`` by card; until that is final, holds stand for their whole amounts."""
    cards = _cards(book)
    if wanted != cards.had and not cards.is_unsure:
        _forget_failed(book, book.each("card", "capture", "refund"))
        cards = _cards(book)
    need = wanted - cards.had
    if not (need and cards.is_unsure):
        if need < 0:
            _refund(book, -need, cards, cause)
            if is_final:
                _capture(book, 0, cards, cause)
        elif not is_final:
            _charge(book, max(0, need - sum(amount for _, amount in cards.holds)), cards, cause)
        elif not (need and cards.is_refunding):
            need = _capture(book, need, cards, cause)
            _charge(book, need, cards, cause)
    return wanted == _cards(book).had and all(map(_rests_by_card, _all_cards(book)))


def _capture(book: Book, need: int, cards: _Cards, cause: Cause) -> int:
    """Take what is needed from holds, the oldest first, and lift the rest; what more is needed."""
    for payment_id, amount in cards.holds:
        taken = min(amount, need)
        if taken:
            book.begin("capture", "card", taken, cause, parent=payment_id)
            need -= taken
        else:
            book.begin("release", "card", amount, cause, parent=payment_id)
    return need


def _charge(book: Book, need: int, cards: _Cards, cause: Cause) -> None:
    """Ask the payer for what no hold covers; what was asked for another sum is called off first."""
    stand = [each for each in cards.asked if not book[each].is_void]
    if stand and need == sum(book[each].amount for each in stand):
        return
    for each in cards.asked:
        book.call_off(each)
    if need and all(book[each].status == "cancelled" for each in cards.asked):
        payment_id = book.begin("charge", "card", need, cause)
        if any(move.is_lost for _, move in book.each("card", "charge", "authorisation")):
            # A payer who got money back by a dispute is charged again only if people decide so.
            book.put(payment_id, replace(book[payment_id], status="failed", problem=DISPUTE_LOST))


def _refund(book: Book, need: int, cards: _Cards, cause: Cause) -> None:
    """Refund what was paid too much, from the latest payment first; disputed ones are last."""
    for each in cards.asked:
        book.call_off(each)
    if cards.is_charging:  # what is on its way may fail
        return
    last_first = reversed(cards.refundable)
    for payment_id, amount in sorted(last_first, key=lambda each: book[each[0]].is_disputed):
        given = min(amount, need)
        if given:
            book.begin("refund", "card", given, cause, parent=payment_id)
            need -= given


def _cards(book: Book) -> _Cards:
    cards = _Cards()
    for payment_id, move in book.each("card", "charge", "authorisation"):
        if move.kind == "charge":
            if move.status == "succeeded":
                _add_money(book, payment_id, move.amount, cards)
            elif move.status != "cancelled" and move.cause.order_id is None:
                cards.asked.append(payment_id)
                cards.is_unsure |= move.is_unsure
            continue
        captures = list(_standing(book.each("card", "capture", parent=payment_id)))
        for capture in captures:
            cards.is_charging |= capture.status == "pending"
            cards.is_unsure |= capture.is_unsure
            if capture.status == "succeeded":
                _add_money(book, payment_id, capture.amount, cards)
            else:
                cards.had += capture.amount
        lifted = any(_standing(book.each("card", "release", parent=payment_id)))
        if move.status == "authorised" and not captures and not lifted:
            cards.holds.append((payment_id, move.amount))
    return cards


def _add_money(book: Book, payment_id: str, amount: int, cards: _Cards) -> None:
    """Count money that came, less its refunds."""
    refunds = list(_standing(book.each("card", "refund", parent=payment_id)))
    left = amount - sum(move.amount for move in refunds)
    cards.had += left
    cards.is_refunding |= any(_is_open(move) for move in refunds)
    cards.is_unsure |= any(move.is_unsure for move in refunds)
    if left > 0:
        cards.refundable.append((payment_id, left))


def _all_cards(book: Book) -> Iterable[Move]:
    holds = book.each("card", "authorisation", "capture", "release")
    return (move for _, move in (*holds, *book.each("card", "charge", "refund")))


def _rests_by_card(move: Move) -> bool:
    """Through or called off; an order that was never paid keeps nobody waiting."""
    never_paid = move.status == "failed" and not move.was_there and move.cause.order_id is not None
    return move.status in AT_REST or (never_paid and move.kind in ("authorisation", "charge"))


# --- what all have in common ---------------------------------------------------------------------


def _standing(moves: Iterable[tuple[str, Move]]) -> Iterable[Move]:
    return (move for _, move in moves if move.status != "cancelled")


def _amount(moves: Iterable[tuple[str, Move]]) -> int:
    return sum(move.amount for move in _standing(moves))


def _is_open(move: Move) -> bool:
    return move.status == "pending" or move.is_unsure


def _forget_failed(book: Book, moves: Iterable[tuple[str, Move]]) -> None:
    """Another sum is needed than the one that failed: let that go, if it is sure that it failed."""
    for payment_id, move in moves:
        if move.status == "failed" and not move.is_unsure:
            book.call_off(payment_id)
